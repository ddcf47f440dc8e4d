#!/bin/bash
# Limits and their errnos, locks, mappings, and what else programs expect of a local file system, on two mounts of one
# file system. The tests are in system/; TARN_TEST_LONG=1 adds the slow ones, TARN_TEST_ONLY='*deadlock*' selects.
set -euo pipefail

# shellcheck source=../support/mounts.sh
source "$(dirname "$(readlink -f "$0")")/../support/mounts.sh"

here=$(dirname "$(readlink -f "$0")")
options=()
[[ -z ${TARN_TEST_ONLY:-} ]] || options+=(-k "$TARN_TEST_ONLY")

begin_mounts
start_server
mount_tarn "$work/a"
mount_tarn "$work/b"

export TARN_MOUNT_A=$work/a TARN_MOUNT_B=$work/b
cd "$here/system"
/usr/bin/python3 -B -m unittest discover -v "${options[@]}" || fail 'a promise about single system calls is broken'
if [[ -z ${TARN_TEST_DIRECTORY:-} ]]; then
  stop_server
  start_server --efs-limits
  TARN_EFS_LIMITS=1 /usr/bin/python3 -B -m unittest -v test_limits.EfsLimits || fail 'a limit of EFS is not kept'
fi
cd /
umount_tarn "$work/b" || fail 'tarn umount'
umount_tarn "$work/a" || fail 'tarn umount'
