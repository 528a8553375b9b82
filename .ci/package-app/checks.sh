# Read by run.sh: what must hold of the app once the package is in it.

# ask MODEL CURL-ARGUMENT…: a streamed chat; every line of the answer behind the milliseconds at which it came.
ask() {
  local model=$1 line
  shift
  curl -sS -N --max-time 30 -H 'Content-Type: application/json' "$@" \
    -d "{\"model\":\"$model\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"count\"}]}" "$url/v1/chat/completions" 2>&1 \
    | while IFS= read -r line || [ -n "$line" ]; do printf '%s %s\n' "$(date +%s%3N)" "$line"; done
  echo "curl ${PIPESTATUS[0]}"
}

text() { sed -E 's/^[0-9]{13} //' <<< "$1" | grep '^data' ; }
words() { text "$1" | grep -o '"content":"[^"]*"' | cut -d '"' -f 4 | tr -d '\n'; }
# The first word is there at least half a second before the last: 800 ms lie between them upstream.
word_by_word() {
  local first last
  first=$(grep -m 1 '"one ' <<< "$1" | cut -d ' ' -f 1)
  last=$(grep -m 1 '"five ' <<< "$1" | cut -d ' ' -f 1)
  [ -n "$first" ] && [ -n "$last" ] && [ $((last - first)) -ge 500 ] || { printf 'first word at %s, last at %s, of\n%s\n' "$first" "$last" "$1"; return 1; }
}
# A broken stream shows what came, then an error, no [DONE], and a connection that ends before the answer does.
broken() {
  is "$(words "$1")" "one two " && has "$1" '"error"' && has_not "$1" '\[DONE\]' && has "$1" 'curl 18'
}
# A plain broken stream is no fault of the app: neither Kestrel nor its exception handler may speak up, nor any client.
quiet() { has_not "$(cat "$1")" '(fail|crit|warn): |Exception|: (System|Polly)\.'; }

as_key=(-H "Authorization: Bearer $APP_KEY")
for mount in use map; do
  [ $mount = use ] && as=("${as_key[@]}") || as=(-H 'X-User: anna')
  log=$work/$mount.log
  run_app "$log" --Mount $mount --Proxy $mount.json

  answer=$(ask fine "${as[@]}")
  check "$mount: streams to its end" ends_with "$(text "$answer")" "data: [DONE]"
  check "$mount: word by word" word_by_word "$answer"
  answer=$(ask fine "${as[@]}" -H 'Accept-Encoding: gzip' --compressed)
  check "$mount: compressed, streams to its end" ends_with "$(text "$answer")" "data: [DONE]"
  check "$mount: compressed, word by word" word_by_word "$answer"
  check "$mount: an upstream that dies is a broken stream" broken "$(ask dies "${as[@]}")"
  check "$mount: an upstream that stops early is a broken stream" broken "$(ask stops "${as[@]}")"
  check "$mount: after all that, the log is quiet" quiet "$log"
  answer=$(ask dies "${as[@]}" -H 'Accept-Encoding: gzip' --compressed)
  check "$mount: compressed, a broken stream is not passed off as whole" has_not "$answer" '\[DONE\]|curl 0'
  answer=$(ask fine)
  check "$mount: a stranger is refused in the API's own words" has "$answer" '"error"'
  check "$mount: and gets no word" is "$(words "$answer")" ""
  check "$mount: a path of ours that does not exist is ours" has "$(curl -sS "$url/v1/nothing" "${as[@]}")" '"error"'
  check "$mount: still alive" has "$(ask fine "${as[@]}")" '[DONE]'
  stop "${started[-1]}"

  run_app "$log" --Mount $mount --Proxy $mount.json
  own "$log" > "$work/$mount.txt"
  check "$mount: the app's own answers and logs are as before" diff "$work/before.txt" "$work/$mount.txt"
  stop "${started[-1]}"
done
