#!/usr/bin/env bash
# Creates the missing secrets of docker-compose.yml, one file each: deploy/secrets.sh [folder]
# Other users of this machine can't open the folder. The files in it are readable for the users inside containers.
set -euo pipefail
umask 077
cd "$(dirname "$0")/.."
folder=${1:-${TIL_SECRETS:-deploy/secrets}}
mkdir -p "$folder"

random() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
# keep NAME VALUE: write the file unless it exists.
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
# To be filled in by hand if needed.
for name in openai_key hf_token pagerduty_routing_key slack_url; do keep "$name" ""; done
