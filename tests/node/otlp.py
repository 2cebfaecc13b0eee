"""OTLP requests for tests, made with the protocol's own classes."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

PROTOBUF = "application/x-protobuf"


def attribute(key: str, value: str | int | float | bool) -> KeyValue:
    """One attribute, typed by its Python value."""
    if isinstance(value, bool):
        return KeyValue(key=key, value=AnyValue(bool_value=value))
    if isinstance(value, int):
        return KeyValue(key=key, value=AnyValue(int_value=value))
    if isinstance(value, float):
        return KeyValue(key=key, value=AnyValue(double_value=value))
    return KeyValue(key=key, value=AnyValue(string_value=value))


def span(
    trace: int,
    number: int,
    *,
    name: str = "work",
    parent: int | None = None,
    at: int | None = None,
    length: int = 1_000_000,
    kind: int = Span.SPAN_KIND_INTERNAL,
    attributes: Mapping[str, str | int | float | bool] | None = None,
) -> Span:
    """A span with the ids of its numbers, one millisecond long, now unless told."""
    start = time.time_ns() if at is None else at
    return Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=b"" if parent is None else parent.to_bytes(8, "big"),
        name=name,
        kind=kind,  # type: ignore[arg-type]
        start_time_unix_nano=start,
        end_time_unix_nano=start + length,
        attributes=[attribute(key, value) for key, value in (attributes or {}).items()],
    )


def request(service: str, spans: Sequence[Span]) -> bytes:
    """The bytes of one export request."""
    block = ResourceSpans(
        resource=Resource(attributes=[attribute("service.name", service)]),
        scope_spans=[ScopeSpans(spans=spans)],
    )
    return ExportTraceServiceRequest(resource_spans=[block]).SerializeToString()
