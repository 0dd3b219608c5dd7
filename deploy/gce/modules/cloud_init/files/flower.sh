#!/bin/bash
# flower.sh IMAGE: runs Flower, read-only, with a login, on the loopback address. Docker takes the secrets from the
# environment by name, so that they are not in a command line.
set -euo pipefail

FLOWER_BASIC_AUTH=$(cat /run/til/secrets/flower-login)
REDIS_URL=$(cat /run/til/secrets/redis-url)
export FLOWER_BASIC_AUTH REDIS_URL FLOWER_READ_ONLY=true
exec docker run --rm --name til-flower --read-only --tmpfs /tmp --cap-drop ALL --security-opt no-new-privileges \
  --env FLOWER_BASIC_AUTH --env REDIS_URL --env FLOWER_READ_ONLY --volume /run/til/tls:/run/til/tls:ro \
  --publish 127.0.0.1:5555:5555 "$1" celery -A signals.broker flower --port=5555
