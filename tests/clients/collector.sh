#!/usr/bin/env bash
# Builds the OpenTelemetry Collector of the long proofs, once, into .cache/ of the checkout: minutes of compiling.
set -euo pipefail
root="$(cd "$(dirname "$0")/../.." && pwd)"
version=v0.165.0
program="$root/.cache/bin/collector-$version"
[ ! -x "$program" ] || exit 0
command -v go >/dev/null || { echo "go is missing: install Go 1.25 or newer" >&2; exit 1; }
made="$(mktemp -d)"
trap 'rm -rf "$made"' EXIT
sed "s|^dist:|dist:\n  output_path: $made|" "$root/tests/clients/collector.yaml" >"$made/collector.yaml"
CGO_ENABLED=0 go run "go.opentelemetry.io/collector/cmd/builder@$version" \
  --config "$made/collector.yaml" >"$made/log" 2>&1 || { cat "$made/log" >&2; exit 1; }
mkdir -p "$(dirname "$program")"
mv "$made/collector" "$program"
