#!/usr/bin/env bash
# Installs, once, what the tests use besides Python: a browser, the real clients of the receiver, and the
# servers of a cluster (started by the tests themselves, on ports and in folders of their own).
set -euo pipefail
cd "$(dirname "$0")/.."

need=()
wants() { command -v "$1" >/dev/null || need+=("$2"); }
wants chromium chromium
wants curl curl
wants java default-jre-headless
wants mvn maven
wants redis-server redis-server
wants rabbitmq-server rabbitmq-server
compgen -G "/usr/lib/postgresql/*/bin/postgres" >/dev/null || wants postgres postgresql

if [ ${#need[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "install ${need[*]} and run this again" >&2; exit 1; }
  [ "$(id -u)" = 0 ] || { echo "run as root once: apt-get install ${need[*]}" >&2; exit 1; }
  echo "Installing ${need[*]} ..."
  policy=/usr/sbin/policy-rc.d
  if [ ! -e "$policy" ]; then # nothing that is installed here may start by itself
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
  fi
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
  if [ -d /run/systemd/system ]; then
    for service in rabbitmq-server redis-server postgresql; do
      if [[ " ${need[*]} " == *" $service "* ]]; then systemctl disable --quiet "$service"; fi
    done
  fi
fi
python=.venv/bin/python
[ -x "$python" ] || python=python3
bash tests/clients/install.sh &
clients=$!
"$python" - <<'END' # one after the other: two Mavens do not share a repository
from tests.servers import elasticsearch, kafka

kafka.installed()
for version in (elasticsearch.NEWEST, elasticsearch.OLDER):
    elasticsearch.installed(version)
END
wait $clients
