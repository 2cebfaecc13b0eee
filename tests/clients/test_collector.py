"""The OpenTelemetry Collector between a service and a receiver: what went in is what decoding gives."""

from __future__ import annotations

from typing import Any

import pytest

from tests.clients import compare, drive
from tests.receiving import Running
from tests.servers.collector import Collector

pytestmark = [pytest.mark.server, pytest.mark.soak]

WAYS: dict[str, tuple[str, dict[str, Any]]] = {
    "protobuf, gzip": ("otlp_http", {}),
    "protobuf, zstd": ("otlp_http", {"compression": "zstd"}),
    "protobuf, plain": ("otlp_http", {"compression": "none"}),
    "JSON, gzip": ("otlp_http", {"encoding": "json"}),
    "gRPC, gzip": ("otlp_grpc", {"tls": {"insecure": True}}),
    "gRPC, plain": ("otlp_grpc", {"tls": {"insecure": True}, "compression": "none"}),
}


@pytest.mark.parametrize("way", WAYS)
def test_what_a_collector_passes_on_arrives_as_told(running: Running, way: str) -> None:
    exporter, settings = WAYS[way]
    endpoint = running.url if exporter == "otlp_http" else f"127.0.0.1:{running.grpc_port}"
    collector = Collector(exporter, settings | {"endpoint": endpoint})
    try:
        collector.start()
        drive.python_traces(collector.url)
        spans = compare.facts(running.accepted())
        drive.python_logs(collector.url)
        records = compare.facts(running.accepted())
    finally:
        collector.stop()
    assert compare.told_spans() == [compare.span_values(fact) for fact in spans]
    assert compare.told_records() == [compare.record_values(fact) for fact in records]
