#!/usr/bin/env bash
# Tests the Docker path of localstack/harness where there is neither a Docker engine nor a
# registry: takes an engine from Debian's packages without installing them, makes the image
# localstack/localstack:4.14.0 out of Debian 13 and PyPI, and runs the part of the suite
# that ARGS select (go test -run) with LocalStack in a container, built by our Dockerfile.
# An image that is there is used as it is. Needs root, Linux, apt-get and debootstrap's
# mirrors; stops the engine that it started. All is kept in docker in the cache (see
# $MILLRACE_CACHE), some 2 GB.
#
# usage: localstack/test-docker.sh [TESTS]
set -euo pipefail
cd "$(dirname "$0")"
tests=${1:-TestIntegrationDeployed/(each|destroy)}
dir=${MILLRACE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace}/docker
mkdir -p "$dir/debs"
certificates=/etc/ssl/certs/ca-certificates.crt # those that this machine trusts
export DOCKER_HOST=unix://$dir/socket
export PATH=$dir/root/usr/sbin:$dir/root/usr/bin:$PATH

engine() {
  if [ ! -e "$dir/root/usr/sbin/dockerd" ]; then
    (cd "$dir/debs" && apt-get download docker.io containerd runc debootstrap)
    for deb in "$dir"/debs/*.deb; do dpkg-deb -x "$deb" "$dir/root"; done
  fi
  # Containers are in the network of this machine: no bridge, no rules of a firewall.
  dockerd --data-root "$dir/data" --exec-root "$dir/exec" --pidfile "$dir/pid" -H "$DOCKER_HOST" \
    --bridge none --iptables=false --ip-masq=false >"$dir/log" 2>&1 &
  trap 'kill $(cat "$dir/pid")' EXIT
  for _ in $(seq 100); do docker version >/dev/null 2>&1 && return; sleep 0.2; done
  tail -20 "$dir/log" >&2
  return 1
}

# base makes what the official image is to our Dockerfile: LocalStack in a Python
# environment at the place where it has it.
base() {
  docker image inspect localstack/localstack:4.14.0 >/dev/null 2>&1 && return
  local root=$dir/base
  rm -rf "$root"
  DEBOOTSTRAP_DIR=$dir/root/usr/share/debootstrap debootstrap --variant=minbase \
    --include=python3,python3-venv,curl,ca-certificates trixie "$root" >"$dir/debootstrap.log"
  cp "$certificates" "$root$certificates"
  cp /etc/resolv.conf "$root/etc/resolv.conf"
  cp plugin/requirements.txt "$root/tmp/requirements.txt"
  chroot "$root" python3 -m venv /opt/code/localstack/.venv
  PIP_CERT=$certificates chroot "$root" /opt/code/localstack/.venv/bin/python -m pip install -q --no-cache-dir -r /tmp/requirements.txt
  tar -C "$root" -c . | docker import \
    -c 'ENTRYPOINT ["/opt/code/localstack/.venv/bin/python", "-m", "localstack.runtime.main"]' \
    -c "ENV PIP_CERT=$certificates" - localstack/localstack:4.14.0
  rm -rf "$root"
}

engine
base
# Ryuk's image is not to be had either; the tests end their containers themselves. Kafka
# and MongoDB, whose images are not to be had, run as processes.
TESTCONTAINERS_RYUK_DISABLED=true MILLRACE_REQUIRE=localstack@docker,mongo,kafka \
  go test -tags integration -count=1 -v -timeout 20m -run "$tests" ./e2e
docker ps -a --format '{{.Image}} {{.Status}}'
