#!/usr/bin/env bash
# Starts a Docker engine with compose, as root on Debian, and builds stand-ins for the base images for machines that can
# not reach a registry. For checks only.
#   deploy/containers/engine.sh up      prints the variables to set: eval "$(deploy/containers/engine.sh up)"
#   deploy/containers/engine.sh down    stops the engine; its folder stays as a cache
# Exit code 2 with one sentence if no engine can be started. Docker's packages and a small Debian are cached in
# DOCKER_HOME; the first start takes some minutes.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
home=${DOCKER_HOME:-/var/tmp/til-queue-docker}
export DOCKER_HOST=unix://$home/docker.sock DOCKER_CONFIG=$home/config DOCKER_BUILDKIT=1
say() { echo "engine: $*" >&2; }
unavailable() { say "$*"; exit 2; }

install_programs() {
  command -v dockerd >/dev/null && command -v debootstrap >/dev/null && return
  say "installing docker.io and debootstrap"
  apt-get update -qq >"$home/install.log" 2>&1 || unavailable "Debian's packages can't be reached."
  DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends docker.io debootstrap iptables \
    >>"$home/install.log" 2>&1 || unavailable "docker.io can't be installed: $(tail -1 "$home/install.log")"
}

# A minimal Debian with Python as a tar file, and Docker's plugins compose and buildx from a newer Debian.
make_base() {
  [[ -s $home/base.tar ]] && return
  say "making a Debian base"
  local root=$home/trixie
  rm -rf "$root"
  debootstrap --variant=minbase --include=python3,python3-pip,python3-venv,ca-certificates trixie "$root" \
    >"$home/debootstrap.log" 2>&1 || unavailable "debootstrap failed: $(tail -1 "$home/debootstrap.log")"
  cp /etc/ssl/certs/ca-certificates.crt "$root/etc/ssl/certs/"
  chroot "$root" sh -c 'cd /tmp && apt-get update -qq && apt-get download -qq docker-compose docker-buildx' >&2
  # Replace Debian's copies of these packages now: pip can't uninstall them later.
  env -u PIP_FIND_LINKS chroot "$root" sh -c 'rm -f /usr/lib/python3.13/EXTERNALLY-MANAGED &&
    python3 -m pip install --quiet --root-user-action ignore --ignore-installed packaging pip setuptools wheel &&
    cd /usr/lib/python3/dist-packages && rm -rf packaging* pip* wheel* setuptools* /root/.cache' >&2
  for package in "$root"/tmp/*.deb; do dpkg -x "$package" "$home/plugins"; done
  mkdir -p "$home/config/cli-plugins"
  find "$home/plugins" -path '*cli-plugins*' -type f -exec cp {} "$home/config/cli-plugins/" \;
  rm -rf "$root"/tmp/*.deb "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/usr/share/{doc,man,locale}
  tar -C "$root" --exclude='./dev/*' --exclude='./proc/*' --exclude='./sys/*' -cf "$home/base.new" .
  mv "$home/base.new" "$home/base.tar"
}

start_engine() {
  docker info >/dev/null 2>&1 && return
  say "starting dockerd"
  rm -f "$home/docker.pid"
  setsid dockerd --data-root "$home/data" --exec-root "$home/exec" --host "$DOCKER_HOST" --pidfile "$home/docker.pid" \
    --oom-score-adjust 0 --default-ulimit nofile=20000:20000 >"$home/dockerd.log" 2>&1 </dev/null &
  for _ in {1..100}; do docker info >/dev/null 2>&1 && return; sleep 0.2; done
  unavailable "dockerd did not start: $(grep -E 'level=(error|fatal)|failed' "$home/dockerd.log" | tail -1)"
}

import_base() {
  docker image inspect til-stand-in/python >/dev/null 2>&1 && return
  say "til-stand-in/python"
  docker import --change 'CMD ["python3"]' --change 'ENV PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    "$home/base.tar" til-stand-in/python >/dev/null
}

make_stand_ins() {
  import_base
  for name in postgres valkey haproxy prometheus alertmanager node-exporter; do
    docker image inspect "til-stand-in/$name" >/dev/null 2>&1 && continue
    say "til-stand-in/$name"
    docker build --quiet --network host --target "$name" --tag "til-stand-in/$name" --file "$here/stand-ins.Dockerfile" \
      "$here" >/dev/null || unavailable "til-stand-in/$name can't be built."
  done
}

case ${1:-up} in
  up)
    [[ $(id -u) == 0 ]] || unavailable "only root can start an engine."
    command -v apt-get >/dev/null || unavailable "an engine can be installed on Debian only."
    mkdir -p "$home/config"
    install_programs
    make_base
    start_engine
    make_stand_ins
    echo "export DOCKER_HOST=$DOCKER_HOST DOCKER_CONFIG=$DOCKER_CONFIG DOCKER_BUILDKIT=1" ;;
  down)
    [[ -s $home/docker.pid ]] || exit 0
    kill "$(<"$home/docker.pid")"
    while [[ -e $home/docker.pid ]]; do sleep 0.2; done ;;
  *) unavailable "up or down" ;;
esac
