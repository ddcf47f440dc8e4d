#!/bin/bash
# Checks the models of the lease protocol exhaustively with spin, and that each rule is needed: with one rule switched
# off the same model must fail, by the property that the rule is for. What the models say: their head comments.
#
# model_test.sh MODEL.pml [-DNAME…] checks one and, where it fails, prints the events that lead there.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
readonly here
readonly SECONDS_MAX=120                    # of one verification; each takes about 15 s at most on an idle machine
readonly MEGABYTES_MAX=2000

work=$(mktemp -d "${TMPDIR:-/tmp}/model.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"
failures=0

# Verifies model $1 with the -D's that follow: leaves pan's report in ./report.
verify() {
  local model=$1
  shift
  rm -rf ./*
  cp "$here/$model" .
  spin -a "$@" "$model" >spin.log 2>&1 || { cat spin.log >&2; return 1; }
  gcc -O2 -w -DSAFETY -DCOLLAPSE -DMEMLIM=$MEGABYTES_MAX -o pan pan.c
  timeout "$SECONDS_MAX" ./pan -n -m100000 >report 2>&1 || echo "pan: exit status $?" >>report
}

# Numbers of states, when everything was seen and nothing found; else nothing.
clean_states() {
  ! grep -q -E '^pan:1:|^pan: (exit|reached|out)|error: |Search not completed' report || return 0
  grep -q 'errors: 0' report && sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' report | head -n 1
}

# must_hold MODEL -D…
must_hold() {
  local start=$SECONDS states=''
  if verify "$@"; then states=$(clean_states); fi
  if [[ -n $states ]]; then
    printf 'ok    %s: holds in all %s states (%d s)\n' "$*" "$states" $((SECONDS - start))
  else
    printf 'FAIL  %s: %s\n' "$*" "$(grep -m 1 -E '^pan:1:|^pan: exit|error: ' report 2>/dev/null || echo 'not verified')"
    ((++failures))
  fi
}

# must_fail WHAT MODEL -D…: pan's complaint must contain WHAT.
must_fail() {
  local what=$1 complaint=''
  shift
  if verify "$@"; then complaint=$(grep -m 1 '^pan:1:' report || true); fi
  if [[ $complaint == *"$what"* ]]; then
    printf 'ok    %s: caught by %s\n' "$*" "$what"
  else
    printf 'FAIL  %s: %s, expected a complaint about %s\n' "$*" "${complaint:-nothing was found}" "$what"
    ((++failures))
  fi
}

explain() {
  must_hold "$@"
  [[ ! -f $1.trail ]] || spin -t -p -g "${@:2}" "$1"
  exit "$failures"
}

(($# == 0)) || explain "$@"

readonly STALE='assertion violated (cached[' PARKED_TWICE='.again==0' STUCK='invalid end state'

# Two clients with two requests each; with losses of events; three clients; longer stories; a client that dies.
must_hold lease_file.pml -DOPS=1 -DBREAKS=0
must_hold lease_file.pml -DOPS=1 -DRETURNS=0 -DCHANGES=1
must_hold lease_file.pml -DCLIENTS=3 -DTHREADS=1 -DBREAKS=0
must_hold lease_file.pml -DTHREADS=1 -DOPS=3 -DCHANGES=3
must_hold lease_file.pml -DTHREADS=1 -DSILENT=1

small=(lease_file.pml -DTHREADS=1 -DBREAKS=0)
must_fail "$STALE" "${small[@]}" -DNO_BARRIER
must_fail "$STALE" "${small[@]}" -DNO_GATE
must_fail "$STALE" "${small[@]}" -DNO_ASKING_AGAIN
must_fail "$STALE" "${small[@]}" -DGRANT_WHILE_RECALLED
must_fail "$STALE" "${small[@]}" -DLATE_OWN_DROP
must_fail "$PARKED_TWICE" "${small[@]}" -DNO_RESERVATION
must_fail "$STUCK" "${small[@]}" -DWAIT_FOR_PAGES
must_fail "$STALE" lease_file.pml -DOPS=1 -DBREAKS=0 -DNO_OWN_GATE
must_fail "$STALE" lease_file.pml -DOPS=1 -DBREAKS=0 -DRETURN_WITHOUT_SEQUENCE
must_fail "$STALE" lease_file.pml -DBREAKS=0 -DCHANGES=1 -DNO_RETURN_BARRIER
must_fail "$STALE" lease_file.pml -DTHREADS=1 -DANSWER_WITHOUT_NUMBER
must_fail "$STALE" lease_file.pml -DTHREADS=1 -DSILENT=1 -DFENCED_FIRST

must_hold lease_name.pml
must_fail 'name[c]>=newest' lease_name.pml -DNO_BARRIER
must_fail 'parked_at' lease_name.pml -DNO_RESERVATION
must_fail 'parked_at' lease_name.pml -DFORGET_GIVEN
must_fail 'lazy[' lease_name.pml -DNO_REGISTRATION

must_hold lease_expiry.pml
must_hold lease_expiry.pml -DMARGIN=1
must_fail 'changed' lease_expiry.pml -DMARGIN=0
must_fail 'changed' lease_expiry.pml -DCOUNT_FROM_RECEIPT
must_fail 'changed' lease_expiry.pml -DTRUST_LATE_GRANT

((failures == 0)) || { echo "FAIL  $failures of the checks"; exit 1; }
