# shellcheck shell=bash
# Functions for shell tests that need a server and mounts of it. Sourced, not executed.
#
#   source "$(dirname "$0")/../support/mounts.sh"
#   begin_mounts                 # a work directory in $work; everything is cleaned up at exit
#   start_server                 # tarnd on a free port, its state in $work/state
#   mount_tarn "$work/a"         # further arguments go to `tarn mount`
#
# With TARN_TEST_DIRECTORY=DIR set, start_server does nothing and every mount is a symbolic link to one new directory
# in DIR: so a test can be tried on a local file system.
# Environment: TARN_BUILD, where tarnd and tarn are. Exit status 77 of a test: skipped.

work=
mounts_server_pid=
mounts_shared=
mounts_port=
mounts_made=()                 # mount points
mounts_daemons=()              # ids of the processes that serve them: only these are ever killed, never by a name
mounts_directories=()

say() { printf '%(%T)T %s\n' -1 "$*"; }
fail() { printf 'FAIL: %s\n' "$*" >&2; exit 1; }
skip() { printf 'SKIP: %s\n' "$*" >&2; exit 77; }

# A directory of the test's own on a disk, removed with all it holds, mounts included, when the test ends.
begin_mounts() {
  ((EUID == 0)) || fail 'needs root: it mounts, and acts as several users'
  if [[ -z ${TARN_TEST_DIRECTORY:-} ]]; then
    [[ -e /dev/fuse ]] || skip 'no /dev/fuse'
    local program
    for program in tarnd tarn; do
      [[ -x ${TARN_BUILD:?is not set}/$program ]] || fail "$TARN_BUILD/$program is missing"
    done
    TARN_BUILD=$(readlink -f "$TARN_BUILD")    # as /proc shows it
  fi
  work=$(mktemp -d "${TMPDIR:-/var/tmp}/tarn-test.XXXXXX")
  chmod 755 "$work"            # tests act as other users too
  trap end_mounts EXIT
  trap 'exit 130' INT TERM
}

# A directory on ext4 for comparison, in $1's variable; skips the test where the machine has none.
local_directory() {
  local -n result=$1
  local candidate
  for candidate in /var/tmp /tmp "${TMPDIR:-/tmp}" "$PWD"; do
    [[ $(stat -f -c %T "$candidate") == ext2/ext3 ]] || continue
    result=$(mktemp -d "$candidate/tarn-local.XXXXXX")
    chmod 755 "$result"
    mounts_directories+=("$result")
    return
  done
  skip 'no directory on ext4 to compare with'
}

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Starts tarnd, or starts it again on the same port and state. Further arguments are its.
start_server() {
  if [[ -n ${TARN_TEST_DIRECTORY:-} ]]; then
    mounts_shared=$(mktemp -d "$TARN_TEST_DIRECTORY/tarn-test.XXXXXX")
    chmod 755 "$mounts_shared"
    mounts_directories+=("$mounts_shared")
    return
  fi
  : "${mounts_port:=$(free_port)}"
  local log=$work/tarnd.log tries ready now
  ready=$(grep -c 'tarnd ready' "$log" 2>/dev/null || true)
  "$TARN_BUILD/tarnd" --state "$work/state" --listen "127.0.0.1:$mounts_port" "$@" </dev/null >>"$log" 2>&1 &
  mounts_server_pid=$!
  for ((tries = 0; tries < 300; ++tries)); do
    now=$(grep -c 'tarnd ready' "$log" 2>/dev/null || true)
    if ((${now:-0} > ${ready:-0})); then return; fi
    kill -0 "$mounts_server_pid" 2>/dev/null || break
    sleep 0.1
  done
  tail -n 20 "$log" >&2
  fail 'tarnd does not get ready'
}

# $1: signal, TERM by default. Returns when the process is gone.
# shellcheck disable=SC2120
stop_server() {
  [[ -n $mounts_server_pid ]] || return 0
  kill "-${1:-TERM}" "$mounts_server_pid" 2>/dev/null || true
  timeout 20 tail --pid="$mounts_server_pid" -s 0.1 -f /dev/null || kill -KILL "$mounts_server_pid" 2>/dev/null || true
  wait "$mounts_server_pid" 2>/dev/null || true
  mounts_server_pid=
}

# Mounts the default file system at $1; further arguments are those of `tarn mount`.
mount_tarn() {
  local directory=$1
  shift
  if [[ -n ${TARN_TEST_DIRECTORY:-} ]]; then
    ln -s "$mounts_shared" "$directory"
    return
  fi
  mkdir -p "$directory"
  mounts_made+=("$directory")
  timeout 60 "$TARN_BUILD/tarn" mount "127.0.0.1:$mounts_port:/default" "$directory" "$@" \
    </dev/null >>"$work/mount.log" 2>&1 || { tail -n 20 "$work/mount.log" >&2; fail "tarn mount $directory"; }
  mountpoint -q "$directory" || fail "tarn mount succeeded, but nothing is mounted at $directory"
  local daemons
  mapfile -t daemons < <(mounts_daemons_of "$directory")
  mounts_daemons+=("${daemons[@]}")
}

umount_tarn() {
  local directory=$1
  [[ -z ${TARN_TEST_DIRECTORY:-} ]] || { rm -f "$directory"; return; }
  timeout 60 "$TARN_BUILD/tarn" umount "$directory" </dev/null >>"$work/mount.log" 2>&1
}

# Prints the ids of the daemons that serve mount point $1: processes of this build's tarn with exactly that argument.
mounts_daemons_of() {
  local directory=${1:?} process argument
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/exe" 2>/dev/null) == "$TARN_BUILD/tarn" ]] || continue
    while IFS= read -r -d '' argument; do
      if [[ $argument == "$directory" ]]; then printf '%s\n' "${process#/proc/}"; fi
    done 2>/dev/null <"$process/cmdline" || true
  done
}

# Kills a daemon noted by mount_tarn, if the id is still that of a daemon of this build.
mounts_kill_daemon() {
  local pid=${1:?}
  [[ $pid =~ ^[1-9][0-9]+$ && $(readlink "/proc/$pid/exe" 2>/dev/null) == "$TARN_BUILD/tarn" ]] || return 0
  kill -KILL "$pid" 2>/dev/null || true
}

end_mounts() {
  local status=$? directory pid
  set +e
  trap - EXIT
  cd /
  if ((status != 0 && status != 77)) && [[ -f $work/tarnd.log ]]; then
    echo '--- end of the logs ---'
    tail -n 15 "$work/tarnd.log" "$work/mount.log" 2>/dev/null | cut -c 1-300
  fi
  for directory in "${mounts_made[@]}"; do
    mountpoint -q "$directory" || continue
    timeout 20 "$TARN_BUILD/tarn" umount "$directory" >/dev/null 2>&1
    # A mount point that is still there is detached, whatever its daemon does.
    ! mountpoint -q "$directory" || umount -l "$directory"
  done
  stop_server
  for pid in "${mounts_daemons[@]}"; do mounts_kill_daemon "$pid"; done
  for directory in "${mounts_directories[@]}" "$work"; do
    [[ -z $directory ]] || rm -rf --one-file-system "$directory"
  done
  exit "$status"
}
