#!/bin/bash
# secrets.sh PROJECT ID=NAME...: each secret of Secret Manager into a file in memory that only the containers' user
# reads. Nothing is printed, and no value is an argument of a command.
set -euo pipefail

project=$1
shift
folder=/run/til/secrets
metadata=http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token

# The containers' user owns the folder, root writes into it.
install -d -m 0500 -o 10001 -g 10001 "$folder"
# curl reads the header from a file: it would be visible in the list of processes.
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
