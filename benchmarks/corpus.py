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

from timeline.ingest.request import Accepted

SERVICES = ("gateway", "orders", "payments", "stock", "shipping", "mail")
PER_REQUEST = 500
_MASK = (1 << 64) - 1
_SPREAD = 0x9E3779B97F4A7C15  # odd, so that each number has one id that looks like any other, and back
_BACK = pow(_SPREAD, -1, 1 << 64)
_Values = dict[str, str | int | float | bool]
# one order placed: a request, a message sent and handled, a row written, and the next message sent
_STEPS = (
    ("POST /orders", Span.SPAN_KIND_SERVER, "http"),
    ("send orders", Span.SPAN_KIND_PRODUCER, "send orders"),
    ("process orders", Span.SPAN_KIND_CONSUMER, "process orders"),
    ("INSERT payments", Span.SPAN_KIND_CLIENT, "database"),
    ("send payments", Span.SPAN_KIND_PRODUCER, "send payments"),
)


def requests(count: int, *, start: int, seed: int = 7, first: int = 0) -> Iterator[bytes]:
    """``count`` compressed requests whose spans begin at ``start`` (ns), 2 ms apart.

    Their spans are number ``first * PER_REQUEST`` and up, as ``number_of`` reads them out of their ids.
    """
    chance = random.Random(f"{seed} {first}" if first else seed)
    number = offset = first * PER_REQUEST // len(_STEPS)
    for _ in range(count):
        service = chance.choice(SERVICES)
        spans = []
        while len(spans) < PER_REQUEST:
            spans.extend(_trace(chance, number, start + (number - offset) * 10_000_000))
            number += 1
        block = ResourceSpans(
            resource=_resource(service), scope_spans=[ScopeSpans(spans=spans[:PER_REQUEST])]
        )
        yield gzip.compress(ExportTraceServiceRequest(resource_spans=[block]).SerializeToString(), 6)


def accepted(number: int, body: bytes, *, received: int) -> Accepted:
    """A request of the corpus as the receiver hands it on."""
    return Accepted(
        id=f"{number:016x}",
        signal="traces",
        content_encoding="gzip",
        headers={"content-type": "application/x-protobuf"},
        body=body,
        received=received,
        items=PER_REQUEST,
    )


def number_of(span_id: str) -> int:
    """Which span of the corpus an id (16 hex digits) belongs to, counted from 0; any other id gives any number."""
    return (int(span_id, 16) * _BACK & _MASK) - 1


def order_of(number: int) -> str:
    """The order that trace ``number`` is about."""
    return f"ord-{number % 400_000:06d}"


def _trace(chance: random.Random, number: int, at: int) -> list[Span]:
    trace_id = chance.randbytes(16)
    parent = b""
    spans = []
    story = _story(chance, number)
    for step, (name, kind, work) in enumerate(_STEPS):
        span_id = ((number * len(_STEPS) + step + 1) * _SPREAD & _MASK).to_bytes(8, "big")
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
                attributes=[
                    KeyValue(key=key, value=_value(value))
                    for key, value in _attributes(chance, work, story).items()
                ],
            )
        )
        parent = span_id
    return spans


def _story(chance: random.Random, number: int) -> _Values:
    """What every span of one order says: 7 attributes."""
    return {
        "order.id": order_of(number),
        "customer.tier": chance.choice(("gold", "silver", "none", "none", "none", "none")),
        "amount": round(chance.random() * 500, 2),
        "currency": chance.choice(("EUR", "EUR", "SEK")),
        "retry": chance.random() < 0.02,
        "channel": chance.choice(("web", "app", "shop")),
        "orders.message": f"{chance.getrandbits(96):024x}",
    }


def _attributes(chance: random.Random, work: str, story: _Values) -> _Values:
    """15 attributes: the order's, and 8 of the operation's own."""
    shared = {key: value for key, value in story.items() if key != "orders.message"}
    shared["thread.name"] = f"worker-{chance.randrange(16)}"
    if work == "http":
        return shared | {
            "http.request.method": "POST",
            "http.route": "/orders",
            "http.response.status_code": 201,
            "url.path": "/orders",
            "url.scheme": "https",
            "server.address": "shop.example.org",
            "network.protocol.version": "1.1",
            "user_agent.original": chance.choice(("Mozilla/5.0", "okhttp/4.12")),
        }
    if work == "database":
        return shared | {
            "db.system.name": "postgresql",
            "db.namespace": "payments",
            "db.operation.name": "INSERT",
            "db.collection.name": "payments",
            "db.query.text": "INSERT INTO payments VALUES ($1, $2, $3)",
            "db.response.returned_rows": 1,
            "server.address": "db-1",
            "server.port": 5432,
        }
    operation, topic = work.split()
    number = int(str(story["order.id"]).removeprefix("ord-"))
    message = str(story["orders.message"])
    return shared | {
        "messaging.system": "kafka",
        "messaging.operation.type": operation,
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(number % 12),
        "messaging.kafka.offset": number * 7,
        "messaging.kafka.message.key": str(story["order.id"]),
        "messaging.message.id": message if topic == "orders" else message[::-1],
        "messaging.message.body.size": 200 + number % 1800,
    }


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
