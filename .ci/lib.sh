# Shared by run and by the checks that it starts: steps, checks, processes and what is cleaned up.

export DOTNET_NOLOGO=1 DOTNET_CLI_TELEMETRY_OPTOUT=1 DOTNET_SKIP_FIRST_TIME_EXPERIENCE=1 DOTNET_GENERATE_ASPNET_CERTIFICATE=false
# No build server outlives the run.
export MSBUILDDISABLENODEREUSE=1 DOTNET_CLI_USE_MSBUILD_SERVER=0 UseSharedCompilation=false
# Nothing that a shell happens to carry decides what a started proxy does.
unset URL TARGET_MODEL DASHSCOPE_API_KEY VERIFY_API_KEY ASPNETCORE_URLS DOTNET_URLS LLMPROXY_EXECUTABLE
for name in $(compgen -v LLMPROXY_) $(compgen -v OTEL_); do unset "$name"; done

# What is on this machine is asked directly.
export no_proxy=${no_proxy:+$no_proxy,}127.0.0.1,localhost NO_PROXY=${NO_PROXY:+$NO_PROXY,}127.0.0.1,localhost

if [ -z "${ci_artifacts:-}" ]; then
  export ci_artifacts=$PWD/artifacts
  rm -rf "$ci_artifacts/logs" "$ci_artifacts/results"
  mkdir -p "$ci_artifacts/logs" "$ci_artifacts/results"
fi
results=$ci_artifacts/results
checks=$results/checks
work=$(mktemp -d)
export HOME=${HOME:-$work}
# Whatever starts the executable keeps nothing in the user's own folders.
export LLMPROXY_DATA=$work/data
started=()
running=
failed_steps=0

die() { echo "$*" >&2; exit 1; }

# step NAME SECONDS COMMAND…: runs it, its output in a log; on failure shows the end of that and says no.
step() {
  local name=$1 limit=$2 begun=$SECONDS code log
  shift 2
  log=$ci_artifacts/logs/$(tr -cs 'a-z0-9\n' - <<< "$name").log
  if [ "$(type -t "$1")" != function ]; then set -- timeout -k 10 "$limit" "$@"; fi
  # In the background, so that a signal to this script is minded at once.
  "$@" > "$log" 2>&1 < /dev/null &
  running=$!
  wait "$running"
  code=$?
  running=
  printf '%-28s %s  %d s\n' "$name" "$([ $code = 0 ] && echo ok || echo FAILED)" $((SECONDS - begun))
  [ $code = 0 ] && return 0
  failed_steps=$((failed_steps + 1))
  echo "--- the end of ${log#"$PWD"/}"
  tail -n 80 "$log"
  echo "---"
  return 1
}

# check NAME COMMAND…: one assertion; counted where run sums them up.
check() {
  local name=$1
  shift
  if "$@"; then
    echo passed >> "$checks"
    echo "ok      $name"
  else
    echo failed >> "$checks"
    echo "FAILED  $name"
    failed_steps=$((failed_steps + 1))
  fi
}

has() { grep -qF -- "$2" <<< "$1" || { printf 'expected to find: %s\nin:\n%s\n' "$2" "$1"; return 1; }; }
has_not() { ! grep -qE -- "$2" <<< "$1" || { printf 'expected not to find: %s\nin:\n%s\n' "$2" "$1"; return 1; }; }
is() { [ "$1" = "$2" ] || { printf 'expected: %s\nbut was:  %s\n' "$2" "$1"; return 1; }; }
ends_with() { is "$(grep -v '^[[:space:]]*$' <<< "$1" | tail -n 1 | tr -d '\r')" "$2"; }

# install_missing PACKAGE:COMMAND-OR-FILE…: from Debian, and only what is not there. A file may be a pattern.
install_missing() {
  local wanted=() pair
  for pair in "$@"; do
    command -v "${pair#*:}" > /dev/null || compgen -G "${pair#*:}" > /dev/null || wanted+=("${pair%%:*}")
  done
  [ ${#wanted[@]} -eq 0 ] && return 0
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${wanted[@]}"
}

publish_without_warnings() {
  dotnet publish LlmProxy.Host -c Release -r "$runtime" -o "$1" | tee "$work/publish.log" || return 1
  ! grep -E 'warning [A-Z]+[0-9]+' "$work/publish.log"
}

free_port() {
  local port
  while port=$((RANDOM % 10000 + 20000)); (: < "/dev/tcp/127.0.0.1/$port") 2> /dev/null; do :; done
  echo "$port"
}

# start LOG COMMAND…: in the background, in a process group of its own.
start() {
  local log=$1
  shift
  setsid "$@" > "$log" 2>&1 < /dev/null &
  started+=($!)
}

stop() {
  local pid=$1 tries
  kill -TERM -- "-$pid" 2> /dev/null
  for tries in $(seq 50); do kill -0 -- "-$pid" 2> /dev/null || return 0; sleep 0.1; done
  kill -KILL -- "-$pid" 2> /dev/null
}

stop_all() {
  local pid
  [ -z "$running" ] || kill -TERM "$running" 2> /dev/null
  for pid in "${started[@]}"; do stop "$pid"; done
  started=()
}

# wait_for SECONDS COMMAND…: until it succeeds.
wait_for() {
  local until=$((SECONDS + $1))
  shift
  until "$@" > /dev/null 2>&1; do [ $SECONDS -lt $until ] || return 1; sleep 0.1; done
}

answers() { curl -s -o /dev/null --max-time 2 "$1"; }

# The sum of a counter over the test result files.
counted() { cat "$results"/*.trx 2> /dev/null | grep -o '<Counters [^>]*' | grep -o " $1=\"[0-9]*\"" | tr -dc '0-9\n' | awk '{ n += $1 } END { print n + 0 }'; }

# The names of the tests that failed: a long log may have been cut where they stood.
failed_tests() {
  cat "$results"/*.trx 2> /dev/null | grep -o '<UnitTestResult [^>]*outcome="Failed"' | sed 's/.* testName="\([^"]*\)".*/failed: \1/'
}

# What a check ends with: everything stopped, and its verdict as the exit code.
finish_check() {
  local code=$?
  stop_all
  rm -rf "$work"
  [ $failed_steps -eq 0 ] || code=1
  exit $code
}

# What run ends with: the sum of test results and checks, and steps that failed without either.
finish() {
  local code=$? total executed ok bad checks_ok checks_bad
  stop_all
  rm -rf "$work"
  total=$(counted total) executed=$(counted executed) ok=$(counted passed) bad=$((executed - ok))
  checks_ok=$(grep -c passed "$checks" 2> /dev/null) checks_bad=$(grep -c failed "$checks" 2> /dev/null)
  bad=$((bad + ${checks_bad:-0}))
  [ "$bad" -gt 0 ] || bad=$failed_steps
  [ "$total" -gt 0 ] || { echo "No test ran."; code=1; }
  failed_tests
  grep -h '^FAILED ' "$ci_artifacts"/logs/*.log 2> /dev/null
  [ "$bad" -eq 0 ] || code=1
  echo "$((ok + ${checks_ok:-0})) passed, $bad failed, $((total - executed)) skipped"
  exit $code
}
