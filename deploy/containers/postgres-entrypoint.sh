#!/bin/sh
# Starts PostgreSQL. Creates the database at the first start from POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD_FILE.
set -e
data=/var/lib/postgresql/18/docker
mkdir -p $data
chown -R postgres /var/lib/postgresql /run/postgresql
chmod 700 $data
as() { setpriv --reuid postgres --regid postgres --clear-groups "$@"; }
if [ ! -s $data/PG_VERSION ]; then
  as initdb -D $data -U "$POSTGRES_USER" --pwfile="$POSTGRES_PASSWORD_FILE" -A scram-sha-256 -E UTF8 --locale=C.UTF-8 >/dev/null
  echo "host all all all scram-sha-256" >>$data/pg_hba.conf
  sed -i 's/^local.*/local all all trust/' $data/pg_hba.conf
  as pg_ctl -D $data -o "-c listen_addresses='' -k /run/postgresql" -w start >/dev/null
  as createdb -h /run/postgresql -U "$POSTGRES_USER" "$POSTGRES_DB"
  as pg_ctl -D $data -m fast -w stop >/dev/null
fi
exec setpriv --reuid postgres --regid postgres --clear-groups postgres -D $data -c listen_addresses='*' -k /run/postgresql
