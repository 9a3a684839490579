#!/bin/sh
# What the official image does at its first start with POSTGRES_USER, POSTGRES_DB and POSTGRES_PASSWORD.
set -eu
data=/var/lib/postgresql/data
[ -n "$POSTGRES_PASSWORD" ] || { echo "POSTGRES_PASSWORD is not set" >&2; exit 1; }
if [ ! -f "$data/PG_VERSION" ]; then
  mkdir -p "$data"
  chown postgres "$data"
  echo "$POSTGRES_PASSWORD" > /tmp/password
  chown postgres /tmp/password
  su postgres -c "$(command -v initdb) -D $data -U $POSTGRES_USER --pwfile /tmp/password --auth scram-sha-256 --encoding UTF8" >/dev/null
  rm /tmp/password
  echo "host all all all scram-sha-256" >> "$data/pg_hba.conf"
  su postgres -c "echo 'CREATE DATABASE $POSTGRES_DB' | $(command -v postgres) --single -D $data postgres" >/dev/null
fi
exec su postgres -c "exec $(command -v postgres) -D $data -c 'listen_addresses=*'"
