#!/usr/bin/env bash
# Imports the data view and the dashboard of errors into Kibana, or updates them: import.sh [address].
set -euo pipefail
kibana=${1:-http://127.0.0.1:5601}
here=$(cd "$(dirname "$0")" && pwd)
curl --fail-with-body --silent --show-error --retry 30 --retry-delay 2 --retry-all-errors \
  --header "kbn-xsrf: til-queue" --form "file=@$here/kibana.ndjson" \
  "$kibana/api/saved_objects/_import?overwrite=true"
echo
echo "$kibana/app/dashboards#/view/til-queue-errors"
