#!/usr/bin/env bash
# first-run.sh COMMAND…: with nothing configured, does the command that it prints stream at once?
set -uo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
trap finish_check EXIT

log=$work/llmproxy.log
[ "$1" = dotnet ] || cd "$work" || exit 1
start "$log" "$@"
if ! wait_for 120 grep -q 'curl -N' "$log"; then
  cat "$log"
  die "It printed no curl line."
fi

printed=$(grep -o 'curl -N.*' "$log" | head -n 1)
check "the printed curl line streams to its end" ends_with "$(bash -c "${printed/curl /curl -sS --max-time 60 }" 2>&1)" "data: [DONE]"
check "the log holds no error" has_not "$(cat "$log")" '(^|[^a-z])(fail|crit|error)[: ]|Exception'
