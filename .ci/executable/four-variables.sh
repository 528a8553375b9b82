#!/usr/bin/env bash
# four-variables.sh EXECUTABLE: the four variables, in front of a second instance whose demo model is the upstream.
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
trap finish_check EXIT

executable=$1
cd "$work" || exit 1
upstream=http://127.0.0.1:$(free_port)
proxy=http://127.0.0.1:$(free_port)
start upstream.log "$executable" --urls "$upstream"
wait_for 30 grep -q 'sk-llmp-' upstream.log || { cat upstream.log; die "The demo did not start."; }
upstream_key=$(grep -o 'sk-llmp-[A-Za-z0-9]*' upstream.log | head -n 1)
start proxy.log env URL="$upstream/v1/" DASHSCOPE_API_KEY="$upstream_key" TARGET_MODEL=demo VERIFY_API_KEY=a-key-for-this-run \
  "$executable" --urls "$proxy"
wait_for 30 answers "$proxy/healthz" || { cat proxy.log; die "The proxy did not start."; }

body='{"model": "deepseekqwen7bq8", "messages": [{"role": "system", "content": "You are a helpful assistant."},
 {"role": "user", "content": "Introduce yourself"}], "temperature": 0.7, "top_p": 1, "stream": true}'
ask() { curl -sS -N --max-time 60 -H "Authorization: Bearer $1" -H 'Content-Type: application/json' -d "$body" "$proxy$2" 2>&1; }
key=a-key-for-this-run

answer=$(ask $key /v1/chat/completions)
check "any model name streams to its end" ends_with "$answer" "data: [DONE]"
check "it went up as the target model" has "$answer" '"model":"demo"'
check "a bare path does as well" ends_with "$(ask $key /chat/completions)" "data: [DONE]"
check "a wrong key is refused" has "$(ask wrong-key-of-some-length /v1/chat/completions)" '"error"'
models=$(curl -sS --max-time 10 -H "Authorization: Bearer $key" "$proxy/v1/models")
check "the models are the target model" is "$(grep -o '"id": *"[^"]*"' <<< "$models" | tr -d ' ')" '"id":"demo"'
check "the logs hold no error" has_not "$(cat proxy.log upstream.log)" '(^|[^a-z])(fail|crit|error)[: ]|Exception'
check "no secret is in a log" has_not "$(cat proxy.log)" "$key|$upstream_key"
