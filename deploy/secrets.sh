#!/usr/bin/env bash
# Makes the secrets that compose.yaml mounts, once, into secrets/ beside it.
set -euo pipefail
cd "$(dirname "$0")"
[ ! -e secrets ] || { echo "secrets/ is there already; nothing was changed" >&2; exit 0; }
umask 077
mkdir secrets
word() { head -c 24 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
database="$(word)"
broker="$(word)"
printf '%s' "$database" >secrets/database_password
printf 'postgres://throughline:%s@postgres:5432/throughline' "$database" >secrets/database_url
printf 'amqp://throughline:%s@rabbitmq:5672//' "$broker" >secrets/broker_url
printf 'default_user = throughline\ndefault_pass = %s\n' "$broker" >secrets/rabbitmq.conf
printf 'elasticsearch://elasticsearch:9200/throughline' >secrets/store_url
word >secrets/secret_key
# compose mounts them as they are and the servers read them as users of their own: the folder is what keeps others out
chmod 644 secrets/*
echo "made secrets/: keep it out of version control and of backups that others read"
