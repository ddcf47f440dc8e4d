#!/bin/bash
# The differential test is worth its name: two directories of one file system agree, and each kind of falsified answer
# is noticed, shrunk to a few steps, and found again when that script is replayed.
set -euo pipefail

# shellcheck source=../support/mounts.sh
source "$(dirname "$(readlink -f "$0")")/../support/mounts.sh"

readonly STEPS=${TARN_TEST_LONG:+300000}
differential=${TARN_BUILD:?is not set}/differential

[[ -x $differential ]] || fail "$differential is missing"
((EUID == 0)) || fail 'needs root: it acts as several users'
work=$(mktemp -d /tmp/tarn-test.XXXXXX)
trap 'rm -rf "$work"' EXIT
mkdir "$work/a" "$work/b"
chmod -R 755 "$work"

"$differential" --a "$work/a" --b "$work/b" --steps "${STEPS:-20000}" ||
  fail 'a file system differs from itself'

for kind in $("$differential" --list-injections); do
  status=0
  "$differential" --a "$work/a" --b "$work/b" --steps 20000 --seed 3 --shrink-seconds 5 --inject "$kind" \
    --save "$work/script" >"$work/log" 2>&1 || status=$?
  ((status == 1)) || { tail -n 5 "$work/log"; fail "fault '$kind' was not noticed (status $status)"; }
  lines=$(grep -c -v '^#' "$work/script")
  ((lines <= 12)) || fail "fault '$kind' was shrunk to no less than $lines steps"
  status=0
  "$differential" --a "$work/a" --b "$work/b" --replay "$work/script" --inject "$kind" >"$work/log" 2>&1 || status=$?
  ((status == 1)) || fail "the script for fault '$kind' does not reproduce it"
  status=0
  "$differential" --a "$work/a" --b "$work/b" --replay "$work/script" >"$work/log" 2>&1 || status=$?
  ((status == 0)) || fail "the script for fault '$kind' fails without the fault too"
  say "fault '$kind' noticed, $lines steps suffice"
done
[[ -z $(find "$work/a" "$work/b" -mindepth 1 -print -quit) ]] || fail 'directories are left behind'
