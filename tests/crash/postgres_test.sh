#!/bin/bash
# PostgreSQL has its data directory on a mount and is at work while the server is killed again and again: no client of
# the database sees an error, and in the end its indexes, its sums and the checksums of its pages are right, also after
# a start from its log.
#
# 8 kills; TARN_TEST_LONG=1: 100.
set -euo pipefail

# shellcheck source=../support/mounts.sh
source "$(dirname "$(readlink -f "$0")")/../support/mounts.sh"

kills=8
[[ -z ${TARN_TEST_LONG:-} ]] || kills=100
readonly kills
readonly SECONDS_EACH=2        # between two kills

bin=$(printf '%s\n' /usr/lib/postgresql/*/bin | sort -V | tail -n 1)
readonly bin
[[ -x $bin/initdb ]] || fail 'PostgreSQL is not installed (deploy/install-deps --test)'

as_postgres() { runuser -u postgres -- "$@"; }
start_postgres() {
  as_postgres "$bin/pg_ctl" -w -t 120 -D "$data" -l "$socket/log" \
    -o "-c listen_addresses= -k $socket" start >/dev/null || { tail -n 20 "$socket/log"; fail 'PostgreSQL does not start'; }
}
stop_postgres() { [[ ! -e $data/postmaster.pid ]] || as_postgres "$bin/pg_ctl" -w -t 120 -D "$data" -m "$1" stop >/dev/null; }
ask() { as_postgres "$bin/psql" -h "$socket" -Atqc "$1" postgres; }

check_database() {
  as_postgres "$bin/pg_amcheck" -h "$socket" postgres || fail "an index is damaged: $1"
  [[ $(ask 'select (select sum(abalance) from pgbench_accounts) = (select sum(delta) from pgbench_history)') == t ]] ||
    fail "accounts and history differ: $1"
}

begin_mounts
start_server
mount_tarn "$work/m"
data=$work/m/data
socket=$work/socket
install -d -o postgres -m 700 "$data" "$socket"
trap 'stop_postgres immediate || true; end_mounts' EXIT
as_postgres "$bin/initdb" -k -D "$data" >/dev/null
start_postgres
as_postgres "$bin/pgbench" -h "$socket" -q -i -s 1 postgres 2>/dev/null
ask 'create extension amcheck'

as_postgres "$bin/pgbench" -h "$socket" -c 4 -j 2 -T $((kills * SECONDS_EACH + 10)) postgres >"$work/pgbench.log" 2>&1 &
load=$!
for ((i = 1; i <= kills; ++i)); do
  sleep "$SECONDS_EACH"        # at work
  stop_server KILL
  start_server
done
say "the server was killed $kills times"
wait "$load" || { cat "$work/pgbench.log"; fail 'a client of the database saw an error'; }
grep -E 'tps|transactions actually|failed' "$work/pgbench.log"
! grep -Eiq 'abort|error|number of failed transactions: [1-9]' "$work/pgbench.log" || fail 'transactions failed'
check_database 'under way'
if grep -Ei 'PANIC|could not (fsync|write|read)' "$socket/log"; then fail 'PostgreSQL had trouble'; fi

# As a crash: the log is replayed.
stop_postgres immediate
stop_server KILL
start_server
start_postgres
check_database 'after its log was replayed'
stop_postgres fast
as_postgres "$bin/pg_checksums" -c -D "$data" | grep -E 'Bad checksums:  *0' || fail 'a page is damaged'
umount_tarn "$work/m" || fail 'tarn umount'
