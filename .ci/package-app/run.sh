#!/usr/bin/env bash
# run.sh FEED: makes a fresh web app outside the repository, watches it, installs the package, and watches it again.
set -uo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
. "$here/../lib.sh"
trap finish_check EXIT

feed=$(cd "$1" && pwd)
package=$(basename "$feed"/LlmProxy.Core.*.nupkg .nupkg)
version=${package#LlmProxy.Core.}
app=$work/PackageApp
# The machine's caches may hold an earlier build of the same version: this app has its own.
unset NUGET_PACKAGES

dotnet new web --name PackageApp --output "$app" --no-restore || die "dotnet new web"
cp "$here"/*.cs "$here"/*.json "$app/"
cat > "$app/nuget.config" <<XML
<configuration>
  <config><add key="globalPackagesFolder" value="$work/packages" /></config>
  <packageSources><add key="packed" value="$feed" /></packageSources>
</configuration>
XML
cd "$app" || exit 1

export UPSTREAM_URL="http://127.0.0.1:$(free_port)/v1" APP_KEY=sk-of-the-package-app
build() { dotnet build --output "$work/bin" 2>&1 || die "The app does not build."; }

# run_app LOG ARGUMENT…: starts the app and waits until it answers. Its address is in $url.
run_app() {
  local log=$1
  shift
  url=http://127.0.0.1:$(free_port)
  start "$log" dotnet "$work/bin/PackageApp.dll" --urls "$url" "$@"
  wait_for 30 answers "$url/" || { cat "$log"; die "The app did not start."; }
}

# own LOG: asks for everything that is the app's own; prints answers and the log, without what differs from run to run.
own() {
  local path
  for path in / /models /v2/chat/completions /failing /private /none; do
    echo "== $path"
    curl -sS -i --max-time 10 -H 'Accept-Encoding: gzip' --compressed "$url$path"
    echo
  done 2>&1 | tr -d '\r' | grep -v '^Date:'
  sleep 0.5
  # A stack trace names every middleware that it passes.
  sed -E "s#$url#URL#; s#\b0H[A-Z0-9]+(:[0-9]+)?##g; s#[0-9.]+ ?ms##g; s# +at .*##" "$1"
}

build
run_app "$work/before.log"
own "$work/before.log" > "$work/before.txt"
stop_all

sed -i 's#^// with LlmProxy: ##' Program.cs
dotnet add package LlmProxy.Core --version "$version" || die "The package does not install."
build
start "$work/upstream.log" dotnet "$work/bin/PackageApp.dll" upstream "${UPSTREAM_URL%/v1}"
wait_for 30 answers "${UPSTREAM_URL%/v1}/" || die "The scripted upstream did not start."
. "$here/checks.sh"
