#!/usr/bin/env bash
# ./demo where no model can be found: it builds, says in three lines how to get one, and exits with 1.
set -uo pipefail
cd "$(dirname "$0")/../.."
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
# A picture, so that the model is all that is missing.
printf 'P6 1 1 255\n\x80\x80\x80' >"$empty/grey.ppm"
LINNET_DATA=$empty LINNET_CACHE=$empty/cache ./demo "$empty/grey.ppm" >"$empty/out" 2>"$empty/err"
status=$?
cat "$empty/out" "$empty/err"

fail() {
  echo "FAILED: $1" >&2
  exit 1
}
[ $status -eq 1 ] || fail "exit status $status, not 1"
[ "$(wc -l <"$empty/err")" -eq 3 ] || fail "the message has $(wc -l <"$empty/err") lines, not 3"
grep -q 'linnet pull' "$empty/err" || fail "the message does not name linnet pull"
grep -q -- '--model' "$empty/err" || fail "the message does not name --model"
