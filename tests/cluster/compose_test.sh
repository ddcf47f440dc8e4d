#!/bin/bash
# The container image and deploy/compose.yaml do what they say: two client containers share a file system, and both go
# on after the server container was killed and started again.
#
# Uses the docker daemon if one answers; otherwise runs one of its own, which keeps everything in a temporary directory,
# touches neither iptables nor routing, and is gone afterwards.
set -euo pipefail

repo=$(cd "$(dirname "$(readlink -f "$0")")/../.." && pwd)
readonly repo
readonly PROJECT=tarn-test-$$
export TARN_IMAGE=tarn:test-$$
work=$(mktemp -d /tmp/tarn-compose.XXXXXX)         # short: unix socket names have at most 107 characters
dockerd_pid=

say() { printf '%(%T)T %s\n' -1 "$*"; }
fail() { printf 'FAIL: %s\n' "$*" >&2; exit 1; }

# --- a docker daemon ----------------------------------------------------------------------------------------------

# $1 storage driver. True when the daemon answers.
try_dockerd() {
  local tries
  dockerd --data-root "$work/data" --exec-root "$work/exec" --pidfile "$work/pid" -H "unix://$work/sock" \
    --storage-driver "$1" --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false --bridge=none \
    </dev/null >"$work/dockerd-$1.log" 2>&1 &
  dockerd_pid=$!
  for ((tries = 0; tries < 300; ++tries)); do
    if docker info >/dev/null 2>&1; then return 0; fi
    kill -0 "$dockerd_pid" 2>/dev/null || break
    sleep 0.1
  done
  stop_dockerd
  return 1
}

stop_dockerd() {
  [[ -n $dockerd_pid ]] || return 0
  kill -TERM "$dockerd_pid" 2>/dev/null || true
  wait "$dockerd_pid" 2>/dev/null || true
  dockerd_pid=
}

provide_docker() {
  if docker info >/dev/null 2>&1; then
    say "using the docker daemon that runs here"
    return
  fi
  ((EUID == 0)) || fail "no docker daemon answers, and starting one needs root"
  command -v dockerd >/dev/null || fail "dockerd is missing (deploy/install-deps --test installs it)"
  export DOCKER_HOST=unix://$work/sock
  # overlay2 needs a file system below that carries it (not another overlay); vfs copies, but works everywhere.
  try_dockerd overlay2 || try_dockerd vfs ||
    { tail -n 5 "$work"/dockerd-*.log >&2; fail "dockerd does not start (see above)"; }
  say "running a docker daemon of our own, pid $dockerd_pid"
}

compose() {
  if command -v docker-compose >/dev/null; then
    docker-compose -p "$PROJECT" -f "$repo/deploy/compose.yaml" "$@"
  else
    docker compose -p "$PROJECT" -f "$repo/deploy/compose.yaml" "$@"
  fi
}

container() { compose ps -q "$1"; }

cleanup() {
  local status=$?
  set +e
  if docker info >/dev/null 2>&1; then
    if ((status != 0)); then
      echo '--- container logs ---'
      compose logs --no-color --tail=20
    fi
    compose down --volumes --timeout 5 >/dev/null 2>&1
    docker image rm -f "$TARN_IMAGE" >/dev/null 2>&1
  fi
  stop_dockerd
  # The daemon leaves its own mounts behind when a container would not end.
  awk -v dir="$work/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r -n 1 umount -l
  rm -rf "$work"
  exit "$status"
}
trap cleanup EXIT
trap 'exit 130' INT TERM

# --- the test -----------------------------------------------------------------------------------------------------

# Runs shell command $2 in client $1; 90 s is far beyond any session lifetime or grace period.
in_client() { timeout 90 docker exec "$(container "$1")" sh -c "$2"; }

wait_until_healthy() {
  local service=$1 tries state=
  for ((tries = 0; tries < 120; ++tries)); do
    state=$(docker inspect -f '{{.State.Health.Status}}' "$(container "$service")" 2>/dev/null) || true
    [[ $state != healthy ]] || return 0
    sleep 0.5
  done
  fail "$service is not healthy after a minute but: ${state:-not there}"
}

start_cluster() {
  compose up -d >"$work/up.log" 2>&1 || { cat "$work/up.log" >&2; fail "docker-compose up failed (see above)"; }
  wait_until_healthy server
  wait_until_healthy client-a
  wait_until_healthy client-b
}

# $1 file, $2 expected content, $3 reader.
expect_content() {
  local got
  got=$(in_client "$3" "cat /mnt/tarn/$1") || fail "$3 cannot read $1"
  [[ $got == "$2" ]] || fail "$3 reads '$got' in $1, expected '$2'"
}

test_clients_share() {
  in_client client-a 'echo from-a > /mnt/tarn/one' || fail "client-a cannot write"
  expect_content one from-a client-b
  in_client client-b 'echo from-b >> /mnt/tarn/one' || fail "client-b cannot append"
  expect_content one $'from-a\nfrom-b' client-a
  say "what client-a writes, client-b reads, and the other way round"
}

# The promise: nothing acknowledged is lost, applications only wait, nobody mounts again.
test_server_is_killed() {
  local server pending
  in_client client-a 'echo durable > /mnt/tarn/two && sync /mnt/tarn/two' || fail "client-a cannot fsync"
  server=$(container server)
  docker kill -s KILL "$server" >/dev/null
  in_client client-b 'echo while-down > /mnt/tarn/three' &
  pending=$!
  sleep 2
  docker start "$server" >/dev/null
  wait "$pending" || fail "a write of client-b during the outage failed instead of waiting"
  wait_until_healthy server
  expect_content two durable client-b
  expect_content three while-down client-a
  expect_content one $'from-a\nfrom-b' client-a
  say "both clients went on after the server was killed and started again"
}

test_containers_stop() {
  compose stop --timeout 30 >/dev/null 2>&1 || fail "docker-compose stop failed"
  local service code
  for service in client-a client-b server; do
    code=$(docker inspect -f '{{.State.ExitCode}}' "$(compose ps -a -q "$service" 2>/dev/null || container "$service")")
    [[ $code == 0 ]] || fail "$service ended with code $code after SIGTERM (137: had to be killed), expected 0"
  done
  say "all three stop on SIGTERM by themselves"
}

provide_docker
# The build uses the host's network: our own daemon has none that leads outside.
"$repo/deploy/build-image" --base-from-debootstrap --network host
say "image built"
start_cluster
say "one server and two clients are up"
test_clients_share
test_server_is_killed
test_containers_stop
say "PASS"
