#!/usr/bin/env bash
# Gets the digests of all images in bases.lock, or of those given, from their registries, and writes them there and
# wherever the images are named: Dockerfiles and compose files. Needs Docker with buildx and access to the registries.
#   deploy/images/pin.sh [name:tag ...]
set -euo pipefail
cd "$(dirname "$0")/../.."
lock=deploy/images/bases.lock
[[ $# -gt 0 ]] || mapfile -t names < <(sed -n 's/^\([^#@]*\)\(@.*\)\?$/\1/p' "$lock")
[[ $# -eq 0 ]] || names=("$@")

for name in "${names[@]}"; do
  grep -qE "^$name(@|$)" "$lock" || { echo "pin.sh: $name is not in $lock" >&2; exit 1; }
  digest=$(docker buildx imagetools inspect "$name" --format '{{.Manifest.Digest}}')
  [[ $digest =~ ^sha256:[0-9a-f]{64}$ ]] || { echo "pin.sh: no digest of $name: $digest" >&2; exit 1; }
  pattern=${name//./\\.}
  sed -i -E "s#(^|[^a-z0-9./-])$pattern(@sha256:[0-9a-f]{64})?([^A-Za-z0-9._-]|\$)#\1$name@$digest\3#" \
    "$lock" deploy/images/*.Dockerfile docker-compose.yml deploy/compose/*.yml
  echo "$name@$digest"
done
