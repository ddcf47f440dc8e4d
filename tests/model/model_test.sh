#!/bin/bash
# Checks the models of the lease protocol exhaustively with spin, and that each rule is needed: with one rule switched
# off the same model must fail, by the property that the rule is for. What the models say: their head comments.
#
# TARN_TEST_LONG=1 also checks larger bounds, which takes a quarter of an hour.
# model_test.sh MODEL.pml [-DNAME…] checks one and, where it fails, prints the events that lead there.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
readonly here
readonly SECONDS_MAX=120                    # of one verification; each takes about 15 s at most on an idle machine
readonly MEGABYTES_MAX=2000

work=$(mktemp -d "${TMPDIR:-/tmp}/model.XXXXXX")
trap 'rm -rf "$work"' EXIT
cd "$work"

# Verifies model $2 with the -D's that follow: leaves pan's report in ./report. -$1: what is soon found is not worth
# the compiler's time, and compiling takes most of it.
verify() {
  local optimise=$1 model=$2
  shift 2
  cp "$here"/*.pml .
  spin -a "$@" "$model" >spin.log 2>&1 || { cat spin.log >&2; return 1; }
  gcc "-$optimise" -w -DSAFETY -DCOLLAPSE -DMEMLIM=$MEGABYTES_MAX -o pan pan.c
  timeout "$SECONDS_MAX" ./pan -n -m100000 >report 2>&1 || echo "pan: exit status $?" >>report
}

# Numbers of states, when everything was seen and nothing found; else nothing.
clean_states() {
  ! grep -q -E '^pan:1:|^pan: (exit|reached|out)|error: |Search not completed' report || return 0
  grep -q 'errors: 0' report && sed -n 's/^ *\([0-9.e+]*\) states, stored.*/\1/p' report | head -n 1
}

# in_turn CHECK…: runs it in a directory of its own, as many at a time as there are processors.
in_turn() {
  while (($(jobs -rp | wc -l) >= $(nproc))); do wait -n || true; done
  (cd "$(mktemp -d -p "$work")" && "$@" || echo "$@" >>"$work/failures") &
}
must_hold() { in_turn holds "$@"; }
must_fail() { in_turn fails "$@"; }

# holds MODEL -D…
holds() {
  local start=$SECONDS states=''
  if verify O1 "$@"; then states=$(clean_states); fi
  if [[ -n $states ]]; then
    printf 'ok    %s: holds in all %s states (%d s)\n' "$*" "$states" $((SECONDS - start))
  else
    printf 'FAIL  %s: %s\n' "$*" \
      "$(grep -m 1 -E '^pan:1:|^pan: exit|error: ' report 2>/dev/null || echo 'not verified')"
    return 1
  fi
}

# fails WHAT MODEL -D…: pan's complaint must contain WHAT.
fails() {
  local what=$1 complaint=''
  shift
  if verify O0 "$@"; then complaint=$(grep -m 1 '^pan:1:' report || true); fi
  if [[ $complaint == *"$what"* ]]; then
    printf 'ok    %s: caught by %s\n' "$*" "$what"
  else
    printf 'FAIL  %s: %s, expected a complaint about %s\n' "$*" "${complaint:-nothing was found}" "$what"
    return 1
  fi
}

explain() {
  local status=0
  holds "$@" || status=1
  [[ ! -f $1.trail ]] || spin -t -p -g "${@:2}" "$1"
  exit "$status"
}

(($# == 0)) || explain "$@"

readonly STALE='assertion violated (cached[' OLD_FIGURES='(kept==' PARKED_TWICE='.again==0' STUCK='invalid end state'

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

# One beside two, the other way round; three beside two; two beside two.
must_hold lease_figures.pml -DLOOKS=1 -DROUNDS=3
must_hold lease_figures.pml -DCHANGES=1 -DROUNDS=3
must_hold lease_figures.pml -DCHANGES=3 -DROUNDS=1
if [[ ${TARN_TEST_LONG:-0} == 1 ]]; then must_hold lease_figures.pml; fi
must_fail "$OLD_FIGURES" lease_figures.pml -DASK_FIRST
must_fail "$OLD_FIGURES" lease_figures.pml -DLOOK_FIRST
must_fail "$OLD_FIGURES" lease_figures.pml -DGRANT_REGARDLESS
must_fail "$OLD_FIGURES" lease_figures.pml -DTAKE_BACK_ALWAYS

must_hold lease_name.pml
must_fail 'name[c]>=newest' lease_name.pml -DNO_BARRIER
must_fail 'parked_at' lease_name.pml -DNO_RESERVATION
must_fail 'parked_at' lease_name.pml -DFORGET_GIVEN
must_fail 'lazy[' lease_name.pml -DNO_REGISTRATION

# Exclusive leases; repeated recalls; returns; two requests of a client at once; three clients; the server restarts; a
# client is cut off; both.
file=lease_exclusive.pml
must_hold $file -DOPS=3 -DSYNCS=1
must_hold $file -DBREAKS=1
must_hold $file -DRETURNS=1
must_hold $file -DTHREADS=2 -DOPS=1 -DWRITES=2
must_hold $file -DCLIENTS=3 -DOTHER_OPS=1 -DSTATS=2
must_hold $file -DRESTARTS=1
must_hold $file -DSILENT=1
must_hold $file -DSILENT=1 -DRESTARTS=1 -DOTHER_OPS=1 -DSTATS=0
if [[ ${TARN_TEST_LONG:-0} == 1 ]]; then
  must_hold $file -DSILENT=1 -DRESTARTS=1 -DOTHER_OPS=1
  must_hold $file -DOPS=3 -DBREAKS=1
  must_hold $file -DOPS=3 -DRETURNS=1
  must_hold $file -DOPS=3 -DRESTARTS=1 -DSTATS=0
  must_hold $file -DOPS=3 -DSILENT=1 -DSTATS=0
  must_hold $file -DTHREADS=2 -DOTHER_OPS=1 -DWRITES=2 -DSTATS=0
fi

readonly BESIDE='(excl[' OLD='floor' OVERWRITTEN='>value' UNREPORTED='lost[' TORN='.glimpse>=value' LATE_SYNC='(value>='
must_fail "$BESIDE" $file -DOPS=3 -DGRANT_WHILE_RECALLED
must_fail "$BESIDE" $file -DEXCLUSIVE_BESIDE_SHARED
must_fail "$BESIDE" $file -DSHARED_LOWERS
must_fail "$BESIDE" $file -DNO_BARRIER
must_fail "$BESIDE" $file -DKEEP_EXCLUSIVE
must_fail "$BESIDE" $file -DGRANT_WITH_GLIMPSE
must_fail "$BESIDE" $file -DRESTARTS=1 -DKEEP_OVER_RESTART
must_fail "$PARKED_TWICE" $file -DNO_RESERVATION
must_fail "$STUCK" $file -DPARK_FLUSHES
must_fail "$STUCK" $file -DCLIENTS=3 -DOPS=1 -DREADS_BAR_READS
must_fail "$OVERWRITTEN" $file -DANSWER_BEFORE_FLUSH
must_fail "$OVERWRITTEN" $file -DANSWER_ONE_GENERATION
must_fail "$OVERWRITTEN" $file -DOPS=3 -DCHANGE_BEFORE_FLUSH
must_fail '(stray[' $file -DREPEAT_FLUSHES
must_fail '(stray[' $file -DOPS=3 -DFLUSH_TWO_GENERATIONS
must_fail "$OVERWRITTEN" $file -DRESTARTS=1 -DDONE_BEFORE_FLUSH
must_fail "$OVERWRITTEN" $file -DRESTARTS=1 -DRUN_ANY_IN_GRACE
must_fail "$OVERWRITTEN" $file -DRESTARTS=1 -DWRITES_IN_GRACE
must_fail "$OLD" $file -DRESTARTS=1 -DREADS_IN_GRACE
must_fail "$OLD" $file -DOPS=3 -DNO_OVERLAY
must_fail "$OLD" $file -DOPS=3 -DNO_FLUSH_BARRIER
must_fail "$OLD" $file -DOPS=3 -DSTAT_BEFORE_FLUSH
must_fail "$STALE" $file -DOPS=3 -DLEARN_FROM_FLUSH
must_fail "$STALE" $file -DTHREADS=2 -DOTHER_OPS=1 -DSTATS=0 -DNO_LOCAL_GATE
must_fail "$OLD" $file -DTHREADS=2 -DOTHER_OPS=1 -DSTATS=0 -DWRITE_BESIDE_CHANGES
must_fail "$OLD" $file -DCLIENTS=3 -DOTHER_OPS=1 -DSTATS=2 -DSHARE_GLIMPSES
must_fail "$OLD" $file -DSILENT=1 -DGLIMPSE_BY_BELIEF
must_fail "$TORN" $file -DOPS=3 -DTORN_GLIMPSE
must_fail "$LATE_SYNC" $file -DSYNCS=1 -DSTATS=0 -DSYNC_OWN_ONLY
must_fail "$LATE_SYNC" $file -DOPS=3 -DSYNCS=1 -DSTATS=0 -DSYNC_ONE_GENERATION
must_fail "$OVERWRITTEN" $file -DOPS=3 -DRETURNS=1 -DRETURN_BEFORE_FLUSH
must_fail "$STALE" $file -DSILENT=1 -DFENCE_FIRST
must_fail "$OVERWRITTEN" $file -DSILENT=1 -DTAKE_FLUSHES_OF_FENCED
must_fail "$UNREPORTED" $file -DSILENT=1 -DFORGET_LOSS
must_fail "$OVERWRITTEN" $file -DSILENT=1 -DRESTARTS=1 -DLEAVE_SILENT

must_hold lease_expiry.pml
must_hold lease_expiry.pml -DMARGIN=1
must_fail 'changed' lease_expiry.pml -DMARGIN=0
must_fail 'changed' lease_expiry.pml -DCOUNT_FROM_RECEIPT
must_fail 'changed' lease_expiry.pml -DTRUST_LATE_GRANT

wait
[[ ! -s $work/failures ]] || { echo "FAIL  $(wc -l <"$work/failures") of the checks"; exit 1; }
