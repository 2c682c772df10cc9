#!/usr/bin/env bash
# ./demo in a fresh clone without a network: nothing in the cache, no data, no package to be had. It labels with the embedded model;
# where none is embedded, it says in three lines how to get one.
set -uo pipefail
cd "$(dirname "$0")/../.."
empty=$(mktemp -d)
trap 'rm -rf "$empty"' EXIT
printf '#!/bin/sh\nexit 100\n' >"$empty/apt-get"
chmod +x "$empty/apt-get"
LINNET_DATA=$empty LINNET_CACHE=$empty/cache PATH=$empty:$PATH ./demo >"$empty/out" 2>"$empty/err"
status=$?
cat "$empty/out" "$empty/err"

fail() {
  echo "FAILED: $1" >&2
  exit 1
}
if grep -q '"name"' models/models.json; then
  [ $status -eq 0 ] || fail "exit status $status, not 0"
  grep -q 'a part of this program' "$empty/err" || fail "it is not said which model labels"
  grep -q ' %  ' "$empty/out" || fail "there are no labels"
else
  [ $status -eq 1 ] || fail "exit status $status, not 1"
  grep -q 'linnet pull' "$empty/err" || fail "the message does not name linnet pull"
  grep -q -- '--model' "$empty/err" || fail "the message does not name --model"
fi
