#!/usr/bin/env bash
# Installs the real clients that the receiver is tried with, once, into .cache/ of the checkout.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
cache="$root/.cache"
telemetrygen=v0.161.0

mkdir -p "$cache/bin" "$cache/node"
packages=
if ! cmp -s "$root/tests/clients/package-lock.json" "$cache/node/package-lock.json" || [ ! -d "$cache/node/node_modules" ]; then
  command -v npm >/dev/null || { echo "npm is missing: install Node.js 20 or newer" >&2; exit 1; }
  cp "$root/tests/clients/package.json" "$root/tests/clients/package-lock.json" "$cache/node/"
  (cd "$cache/node" && npm ci --no-audit --no-fund --loglevel=error) &
  packages=$!
fi
if [ ! -x "$cache/bin/telemetrygen-$telemetrygen" ]; then
  command -v go >/dev/null || { echo "go is missing: install Go 1.25 or newer" >&2; exit 1; }
  GOBIN="$cache/bin" go install "github.com/open-telemetry/opentelemetry-collector-contrib/cmd/telemetrygen@$telemetrygen"
  mv "$cache/bin/telemetrygen" "$cache/bin/telemetrygen-$telemetrygen"
fi
[ -z "$packages" ] || wait "$packages"
