"""Small OTLP requests in both encodings."""

from __future__ import annotations

import gzip
import json
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

PROTOBUF = {"content-type": "application/x-protobuf"}
JSON = {"content-type": "application/json"}
TRACE = "0102030405060708090a0b0c0d0e0f10"
SPAN = "0102030405060708"


def traces(*spans: dict[str, Any]) -> bytes:
    """Spans in JSON; each gets an id and a name where it names none."""
    whole = [
        {"traceId": TRACE, "spanId": f"{number + 1:016x}", "name": f"span {number}"} | span
        for number, span in enumerate(spans or ({},))
    ]
    return json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": whole}]}]}).encode()


def traces_protobuf(count: int = 1, **fields: Any) -> bytes:
    """As many valid spans in protobuf."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    for number in range(count):
        scope.spans.add(
            **(
                {"trace_id": bytes.fromhex(TRACE), "span_id": (number + 1).to_bytes(8, "big"), "name": "work"}
                | fields
            )
        )
    return request.SerializeToString()


def logs_protobuf() -> bytes:
    """One log record in protobuf."""
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add()
    record.body.string_value = "order placed"
    return request.SerializeToString()


def logs() -> bytes:
    """One log record in JSON."""
    record = {"body": {"stringValue": "order placed"}, "timeUnixNano": "1"}
    return json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode()


def gzipped(body: bytes) -> bytes:
    """The body, gzip."""
    return gzip.compress(body, 1, mtime=0)


def deep_span(levels: int) -> bytes:
    """A request of one valid span whose attribute is nested deeper than protobuf for Python reads."""
    value = b"\x0a\x01x"  # AnyValue.string_value
    for _ in range(levels):
        value = _field(5, _field(1, value))  # AnyValue.array_value, ArrayValue.values
    attribute = _field(1, b"deep") + _field(2, value)
    span = (
        _field(1, bytes.fromhex(TRACE)) + _field(2, b"deepspan") + _field(5, b"deep") + _field(9, attribute)
    )
    return _field(1, _field(2, _field(2, span)))  # resource_spans, scope_spans, spans


def empty_spans(count: int) -> bytes:
    """Empty spans in protobuf: two bytes each, next to nothing compressed."""
    return _field(1, _field(2, b"\x12\x00" * count))


def _field(number: int, data: bytes) -> bytes:
    size, length = len(data), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + data
