#!/usr/bin/env bash
# Makes the secrets of docker-compose.yml that are not there yet, each a file: deploy/secrets.sh [folder]
# The folder is closed to other users of this machine; the files in it are readable, for the users inside containers.
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."
folder=${1:-${TIL_SECRETS:-deploy/secrets}}
mkdir -p "$folder"

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
# keep NAME VALUE: write it, unless the file is there.
keep() {
  [[ -e $folder/$1 ]] && return
  printf '%s\n' "$2" >"$folder/$1"
  chmod 444 "$folder/$1"
  echo "$folder/$1"
}

keep postgres_password "$(random)"
keep database_url "postgresql://til:$(<"$folder/postgres_password")@postgres:5432/til"
keep redis.conf "requirepass $(random)"
keep redis_url "redis://:$(sed 's/^requirepass //' "$folder/redis.conf")@redis:6379/0"
keep secret_keys "$(head -c 32 /dev/urandom | base64 | tr '+/' '-_')"
keep flower_basic_auth "operator:$(random)"
keep grafana_password "$(random)"
# Filled in by hand where they are needed.
for name in openai_key hf_token pagerduty_routing_key slack_url; do keep "$name" ""; done
