#!/usr/bin/env bash
# Instructions and allocations of a worker for one tuple, which do not depend on what else the machine does: the difference
# between a long run and a short one under valgrind's callgrind. Needs valgrind and a release build.
#
#   SQUALL=target/release/squall bench/instructions.sh
set -euo pipefail

squall=$(realpath "${SQUALL:-target/release/squall}")
short=${SHORT:-500000}
long=${LONG:-1500000}
for program in valgrind callgrind_annotate; do
  command -v "$program" >/dev/null || { echo "instructions.sh: $program is needed (Debian: apt-get install valgrind)" >&2; exit 3; }
done

dir=$(mktemp -d "${TMPDIR:-/tmp}/squall-instructions-XXXXXX")
trap 'rm -rf "$dir"' EXIT

cat >"$dir/worker" <<SH
#!/bin/sh
case "\$*" in
  *--run*) exec valgrind -q --tool=callgrind --callgrind-out-file="$dir/out.%p" "$squall" worker "\$@" ;;
  *) exec "$squall" worker "\$@" ;;
esac
SH
chmod +x "$dir/worker"

head=$(printf 'name = "counted"\n[config]\nacking = "${ACKING}"\n[spouts.const]\ntype = "const"\nconfig = { value = "some data", tracked = "${ACKING}", limit = "${LIMIT}" }\n')
printf '%s\n[bolts.null]\ntype = "null"\ninputs = [{ from = "const", grouping = "shuffle" }]\n' "$head" >"$dir/const-null.toml"
printf '%s\n[bolts.id]\ntype = "identity"\ninputs = [{ from = "const", grouping = "shuffle" }]\n[bolts.null]\ntype = "null"\ninputs = [{ from = "id", grouping = "shuffle" }]\n' "$head" >"$dir/const-id-null.toml"

# How many instructions, and how often memory was asked for.
count() {
  rm -f "$dir"/out.*
  "$squall" run "$dir/$1.toml" --worker "$dir/worker" --set "ACKING=$2" --set "LIMIT=$3" >/dev/null 2>"$dir/err" || { cat "$dir/err" >&2; exit 1; }
  local instructions allocations
  # One worker, so one file; a second would mean that it was started again.
  local out=("$dir"/out.*)
  [ ${#out[@]} -eq 1 ] && grep -q '^totals: ' "${out[0]}" || { echo "instructions.sh: the worker did not end well" >&2; exit 1; }
  instructions=$(sed -n 's/^totals: //p' "${out[0]}")
  # Calls of the allocator's entry: `calls=` lines that follow a cfn line naming it.
  allocations=$(awk '
    /^cfn=/ { s = substr($0, 5); id = s; sub(/ .*/, "", id); if (s ~ / /) { name[id] = s }; hit = (name[id] ~ / mi_theap_malloc_aligned$| mi_theap_realloc_aligned$/) }
    /^fn=/ { s = substr($0, 4); id = s; sub(/ .*/, "", id); if (s ~ / /) { name[id] = s } }
    /^calls=/ && hit { split($0, c, /[= ]/); n += c[2]; hit = 0 }
    END { print n + 0 }' "${out[0]}")
  echo "$instructions $allocations"
}

printf '%-14s %-6s %22s %26s\n' scenario acked "instructions a tuple" "allocations a 1,000 tuples"
for scenario in const-null const-id-null; do
  for acking in false true; do
    read -r i1 a1 <<<"$(count "$scenario" "$acking" "$short")"
    read -r i2 a2 <<<"$(count "$scenario" "$acking" "$long")"
    tuples=$((long - short))
    awk -v s="$scenario" -v a="$acking" -v i="$((i2 - i1))" -v m="$((a2 - a1))" -v n="$tuples" \
      'BEGIN { printf "%-14s %-6s %22.0f %26.2f\n", s, a == "true" ? "yes" : "no", i / n, m * 1000 / n }'
  done
done
