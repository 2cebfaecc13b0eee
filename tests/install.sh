#!/usr/bin/env bash
# Installs, once, what the tests use besides Python: a browser, and the real clients of the receiver.
set -euo pipefail
cd "$(dirname "$0")/.."

need=()
command -v chromium >/dev/null || need+=(chromium)
command -v curl >/dev/null || need+=(curl)
if [ ${#need[@]} -gt 0 ]; then
  command -v apt-get >/dev/null || { echo "install ${need[*]} and run this again" >&2; exit 1; }
  [ "$(id -u)" = 0 ] || { echo "run as root once: apt-get install ${need[*]}" >&2; exit 1; }
  echo "Installing ${need[*]} ..."
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${need[@]}" >/dev/null
fi
bash tests/clients/install.sh
