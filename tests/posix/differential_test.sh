#!/bin/bash
# A program cannot tell a mount from a local file system: the same random system calls, by several users and processes,
# on a mount and on ext4, compared after every step. A difference is printed as a short script that can be replayed.
# In the end once more, while the server is killed every second.
#
# The steps are the same in every run, so that a difference is the doing of what was changed:
# TARN_TEST_SEED=N takes others, TARN_TEST_STEPS=N another number. TARN_TEST_LONG=1: 2,000,000 steps, new ones each time.
set -euo pipefail

# shellcheck source=../support/mounts.sh
source "$(dirname "$(readlink -f "$0")")/../support/mounts.sh"

seed=${TARN_TEST_SEED:-1}
steps=${TARN_TEST_STEPS:-100000}
# In pieces, each in directories of its own with another seed: a failure's script starts from nothing.
piece=50000
if [[ -n ${TARN_TEST_LONG:-} ]]; then
  seed=${TARN_TEST_SEED:-$RANDOM} steps=${TARN_TEST_STEPS:-2000000} piece=250000
fi
readonly AT_ONCE=2             # one alone waits for the mount most of the time

declare -A running=()          # process -> seed
failed=()

begin_piece() {
  "$TARN_BUILD/differential" --a "$work/mount" --b "$reference" --seed "$1" --steps "$2" >"$work/$1.log" 2>&1 &
  running[$!]=$1
}

end_piece() {
  local pid status=0
  wait -n -p pid "${!running[@]}" || status=$?
  cat "$work/${running[$pid]}.log"
  ((status == 0)) || failed+=("${running[$pid]}")
  unset "running[$pid]"
}

[[ -x ${TARN_BUILD:?is not set}/differential ]] || fail "$TARN_BUILD/differential is missing"
begin_mounts
reference=
local_directory reference
start_server
mount_tarn "$work/mount"

for ((left = steps; left > 0 && ${#failed[@]} == 0; left -= piece, ++seed)); do
  ((${#running[@]} < AT_ONCE)) || end_piece
  say "seed $seed"
  begin_piece "$seed" $((left < piece ? left : piece))
done
while ((${#running[@]} > 0)); do end_piece; done
if ((${#failed[@]} == 0)); then
  say "seed $seed, with kills"
  begin_piece "$seed" $((steps / 8))
  kills=0
  while kill -0 "${!running[@]}" 2>/dev/null; do
    sleep 1                    # at work
    stop_server KILL 2>/dev/null
    start_server
    ((++kills))
  done
  end_piece
  say "the server was killed $kills times"
fi
((${#failed[@]} == 0)) || fail "the mount differs from ext4 (seed ${failed[*]}; the script above shows how)"
umount_tarn "$work/mount" || fail 'tarn umount'
say "$steps steps agree"
