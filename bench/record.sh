#!/usr/bin/env bash
# Puts reports (`squall bench --json`, `bench/storm/run.sh`) into the last section of docs/benchmarks.md, in place of those there.
#
#   bench/record.sh squall.json storm.json
#   NOTE="provisional: others used the machine" bench/record.sh squall.json
set -euo pipefail

[ $# -gt 0 ] || { echo "usage: bench/record.sh REPORT.json..." >&2; exit 2; }
page=$(cd "$(dirname "$0")/.." && pwd)/docs/benchmarks.md
squall=${SQUALL:-squall}
new=$(mktemp)
trap 'rm -f "$new"' EXIT
sed '/^<!-- results:/q' "$page" >"$new"
[ -z "${NOTE:-}" ] || printf '\n%s\n' "$NOTE" >>"$new"
for report in "$@"; do
  { echo; "$squall" bench show "$report"; } >>"$new"
done
# No blank lines at the end.
printf '%s\n' "$(cat "$new")" >"$page"
