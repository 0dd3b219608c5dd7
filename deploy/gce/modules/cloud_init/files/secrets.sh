#!/bin/bash
# secrets.sh PROJECT ID=NAME...: copies secrets from Secret Manager to files in memory that only the containers' user
# can read. Values are neither printed nor passed as arguments.
set -euo pipefail

project=$1
shift
folder=/run/til/secrets
metadata=http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token

# Owned by the containers' user; root writes into it.
install -d -m 0500 -o 10001 -g 10001 "$folder"
# curl reads the header from a file, because arguments are visible in the process list.
header=$(mktemp -p /run)
trap 'rm -f "$header"' EXIT
chmod 0600 "$header"
curl --fail --silent --show-error --retry 10 --retry-all-errors --header "Metadata-Flavor: Google" "$metadata" |
  sed -n 's/.*"access_token": *"\([^"]*\)".*/Authorization: Bearer \1/p' >"$header"

for pair in "$@"; do
  id=${pair%%=*}
  name=${pair#*=}
  url="https://secretmanager.googleapis.com/v1/projects/$project/secrets/$id/versions/latest:access"
  install -m 0400 -o 10001 -g 10001 /dev/null "$folder/$name.new"
  curl --fail --silent --show-error --retry 10 --retry-all-errors --header "@$header" "$url" |
    sed -n 's/.*"data": *"\([^"]*\)".*/\1/p' | base64 --decode >"$folder/$name.new"
  [ -s "$folder/$name.new" ] || { echo "secret $id is empty" >&2; exit 1; }
  mv "$folder/$name.new" "$folder/$name"
done
