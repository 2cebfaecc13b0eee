"""The corpus: messaging traffic as instrumented services send it, the same for one seed.

Requests of 500 spans with 15 attributes and 6 resource attributes each, in OTLP protobuf,
gzip level 6: what an OpenTelemetry SDK sends.
"""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterator

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span

SERVICES = ("gateway", "orders", "payments", "stock", "shipping", "mail")
PER_REQUEST = 500
_STEPS = (
    ("POST /orders", Span.SPAN_KIND_SERVER, ""),
    ("send orders", Span.SPAN_KIND_PRODUCER, "send"),
    ("process orders", Span.SPAN_KIND_CONSUMER, "process"),
    ("INSERT payments", Span.SPAN_KIND_CLIENT, ""),
    ("send payments", Span.SPAN_KIND_PRODUCER, "send"),
)


def requests(count: int, *, start: int, seed: int = 7) -> Iterator[bytes]:
    """``count`` compressed requests whose spans begin at ``start`` (ns), 2 ms apart."""
    chance = random.Random(seed)
    number = 0
    for _ in range(count):
        service = chance.choice(SERVICES)
        spans = []
        while len(spans) < PER_REQUEST:
            spans.extend(_trace(chance, number, start + number * 10_000_000))
            number += 1
        block = ResourceSpans(
            resource=_resource(service), scope_spans=[ScopeSpans(spans=spans[:PER_REQUEST])]
        )
        yield gzip.compress(ExportTraceServiceRequest(resource_spans=[block]).SerializeToString(), 6)


def order_of(number: int) -> str:
    """The order that trace ``number`` is about."""
    return f"ord-{number % 40_000:06d}"


def _trace(chance: random.Random, number: int, at: int) -> list[Span]:
    trace_id = chance.randbytes(16)
    parent = b""
    spans = []
    for step, (name, kind, operation) in enumerate(_STEPS):
        span_id = chance.randbytes(8)
        begin = at + step * 2_000_000
        spans.append(
            Span(
                trace_id=trace_id,
                span_id=span_id,
                parent_span_id=parent,
                name=name,
                kind=kind,
                start_time_unix_nano=begin,
                end_time_unix_nano=begin + chance.randrange(200_000, 1_900_000),
                attributes=_attributes(chance, number, operation),
            )
        )
        parent = span_id
    return spans


def _attributes(chance: random.Random, number: int, operation: str) -> list[KeyValue]:
    partition = chance.randrange(12)
    values: dict[str, str | int | float | bool] = {
        "messaging.system": "kafka",
        "messaging.operation.type": operation or "send",
        "messaging.operation.name": operation or "publish",
        "messaging.destination.name": chance.choice(("orders", "payments", "parcels")),
        "messaging.destination.partition.id": str(partition),
        "messaging.kafka.offset": number * 7 + partition,
        "messaging.kafka.message.key": order_of(number),
        "messaging.message.id": f"{chance.getrandbits(96):024x}",
        "messaging.message.body.size": chance.randrange(200, 2000),
        "messaging.consumer.group.name": chance.choice(("billing", "packing")),
        "order.id": order_of(number),
        "customer.tier": chance.choice(("gold", "silver", "none", "none", "none", "none")),
        "retry": chance.random() < 0.02,
        "amount": round(chance.random() * 500, 2),
        "thread.name": f"worker-{chance.randrange(16)}",
    }
    return [KeyValue(key=key, value=_value(value)) for key, value in values.items()]


def _value(value: str | int | float | bool) -> AnyValue:
    if isinstance(value, bool):
        return AnyValue(bool_value=value)
    if isinstance(value, int):
        return AnyValue(int_value=value)
    if isinstance(value, float):
        return AnyValue(double_value=value)
    return AnyValue(string_value=value)


def _resource(service: str) -> Resource:
    values = {
        "service.name": service,
        "service.version": "3.1.4",
        "service.instance.id": f"{service}-1",
        "deployment.environment.name": "prod",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
    }
    return Resource(
        attributes=[KeyValue(key=key, value=AnyValue(string_value=value)) for key, value in values.items()]
    )
