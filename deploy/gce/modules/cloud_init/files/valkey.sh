#!/bin/bash
# valkey.sh IMAGE: runs Valkey with its password from a file and without persistence: no job depends on its data.
set -euo pipefail

exec docker run --rm --name til-valkey --read-only --cap-drop ALL --security-opt no-new-privileges --user 10001:10001 \
  --volume /run/til:/run/til:ro --publish 6379:6379 "$1" sh -c '
  { printf "requirepass "; cat /run/til/secrets/redis-password; printf "\n"; } |
    exec valkey-server - --bind 0.0.0.0 --save "" --maxmemory 256mb --maxmemory-policy volatile-ttl'
