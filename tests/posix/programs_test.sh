#!/bin/bash
# Programs that people really use find nothing wrong with a mount, nor with two: the Python standard library's tests of
# files, stress-ng, fio, dbench, bonnie++, git, rsync, tar, make, SQLite, PostgreSQL through a crash, ping_pong.
#
# A selection of about 90 s; TARN_TEST_LONG=1 runs all. TARN_TEST_ONLY='git/*' selects by name.
set -euo pipefail

# shellcheck source=../support/mounts.sh
source "$(dirname "$(readlink -f "$0")")/../support/mounts.sh"

# deploy/install-deps --test installs these.
# shellcheck disable=SC2034  # read by people
readonly PACKAGES=(stress-ng fio dbench bonnie++ ctdb postgresql postgresql-contrib sqlite3 git rsync tar make
  libpython3.11-testsuite)

here=$(dirname "$(readlink -f "$0")")
options=()
[[ -n ${TARN_TEST_LONG:-} ]] || options+=(--quick)
[[ -z ${TARN_TEST_ONLY:-} ]] || options+=(--only "$TARN_TEST_ONLY")

begin_mounts
start_server
mount_tarn "$work/a"
mount_tarn "$work/b"

/usr/bin/python3 -B "$here/programs.py" "${options[@]}" "$work/a" "$work/b" ||
  fail 'programs notice that this is no local disk'
umount_tarn "$work/b" || fail 'tarn umount'
umount_tarn "$work/a" || fail 'tarn umount'
