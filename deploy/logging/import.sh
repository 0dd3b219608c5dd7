#!/usr/bin/env bash
# Puts the data view and the view of the error rate into Kibana: import.sh [address], once; again, to renew them.
set -euo pipefail
kibana=${1:-http://127.0.0.1:5601}
here=$(cd "$(dirname "$0")" && pwd)
curl --fail-with-body --silent --show-error --retry 30 --retry-delay 2 --retry-all-errors \
  --header "kbn-xsrf: til-queue" --form "file=@$here/kibana.ndjson" \
  "$kibana/api/saved_objects/_import?overwrite=true"
echo
echo "$kibana/app/dashboards#/view/til-queue-errors"
