"""Facts for tests: small, total and seeded.

``span()``, ``event()`` and ``stored()`` answer with something valid for any mix of
keywords; what is not named gets a plain default. ``facts(n, seed)`` makes a mixed
corpus that is the same for the same seed, and ``typical_span`` one whole span as a
real service sends it.
"""

from __future__ import annotations

import base64
import hashlib
import random
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from timeline.domain import (
    Annotation,
    Entity,
    Event,
    EventInfo,
    Fact,
    Link,
    Message,
    Receipt,
    Scope,
    Span,
    SpanRef,
    Stored,
)

SECOND = 1_000_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR
NOW = 1_790_000_000 * SECOND  # 2026-09-21T14:13:20Z
_USABLE = tuple(int(datetime(year, 1, 1, tzinfo=UTC).timestamp()) * SECOND for year in (2000, 2100))


def trace_id(number: int = 1) -> str:
    """32 hex digits that differ for every number."""
    return f"{number % 2**128:032x}"


def span_id(number: int = 1) -> str:
    """16 hex digits that differ for every number."""
    return f"{number % 2**64:016x}"


def ref(trace: int = 1, span: int = 1) -> SpanRef:
    """The address of span number ``span`` in trace number ``trace``."""
    return SpanRef(trace_id=trace_id(trace), span_id=span_id(span))


def entities(*names: str) -> tuple[Entity, ...]:
    """``entities("order:1", "bet:2")``."""
    return tuple(Entity.parse(name) for name in names)


def span(trace: int = 1, number: int = 1, **fields: Any) -> Span:
    """Span ``number`` of ``trace``; any field of ``Span`` may be given."""
    start = fields.setdefault("start", NOW)
    fields.setdefault("end", None if start is None else start + 5_000_000)
    return Span(**({"ref": ref(trace, number), "name": "work", "service": "orders"} | fields))


def event(number: int = 1, **fields: Any) -> Event:
    """CloudEvent ``number``; any field of ``Event`` may be given."""
    info = EventInfo(source="/shop/orders", id=f"event-{number}", type="OrderPlaced")
    defaults = {"kind": "cloudevent", "name": "OrderPlaced", "service": "orders", "at": NOW, "event": info}
    return Event(**(defaults | fields))


def identity_of(fact: Fact, workspace: str = "main") -> str:
    """A token that names the thing and not its time or content."""
    if isinstance(fact, Span):
        parts = ["span", fact.ref.trace_id, fact.ref.span_id, fact.kind, fact.service]
    else:
        info = fact.event or EventInfo()
        parts = [fact.kind, info.source or "", info.id or "", fact.name, repr(fact.ref)]
    text = "\0".join([workspace, *parts]).encode(errors="surrogatepass")
    return base64.urlsafe_b64encode(hashlib.blake2b(text, digest_size=12).digest()).decode()


def fact_id(at: int | None, identity: str) -> str:
    """20 characters: 6 bytes of milliseconds, then 9 of a hash (design.md 3.2)."""
    usable = at is not None and _USABLE[0] <= at < _USABLE[1]
    head = (at // 1_000_000 if usable and at is not None else 0).to_bytes(6, "big")
    tail = hashlib.blake2b(identity.encode(), digest_size=9).digest()
    return base64.urlsafe_b64encode(head + tail).decode()


def content_of(fact: Fact) -> str:
    """A hash over everything the fact says."""
    return hashlib.blake2b(repr(fact).encode(errors="surrogatepass"), digest_size=12).hexdigest()


def stored(fact: Fact | None = None, **receipt: Any) -> Stored:
    """The fact with a receipt that fits it; any field of ``Receipt`` may be given."""
    fact = span() if fact is None else fact
    workspace = receipt.setdefault("workspace", "main")
    identity = receipt.setdefault("identity", identity_of(fact, workspace))
    receipt.setdefault("id", fact_id(fact.at, identity))
    receipt.setdefault("content", content_of(fact))
    receipt.setdefault("tie", 0)
    receipt.setdefault("received", NOW + SECOND)
    receipt.setdefault("request", "request-1")
    return Stored(fact=fact, receipt=Receipt(**receipt))


SERVICES = ("orders", "wallet", "odds", "settlement", "notify", "gateway")
TOPICS = ("orders.placed", "bets.placed", "odds.changed", "payments")


def _typical_attributes(
    random_: random.Random, service: str, topic: str, operation: str | None, order: str, offset: int
) -> dict[str, Any]:
    return {
        "messaging.system": "kafka",
        "messaging.operation.name": operation or "",
        "messaging.operation.type": operation or "",
        "messaging.destination.name": topic,
        "messaging.destination.partition.id": str(offset % 12),
        "messaging.kafka.offset": offset,
        "messaging.message.id": f"m-{offset}",
        "messaging.client.id": f"{service}-client",
        "server.address": "kafka-0.internal",
        "server.port": 9092,
        "order.id": order,
        "order.total": round(random_.random() * 500, 2),
        "customer.tier": random_.choice(("gold", "silver", "bronze")),
        "thread.name": f"worker-{random_.randrange(16)}",
        "retry": False,
        "request.id": f"{random_.getrandbits(88):022x}",
    }


def typical_span(random_: random.Random, at: int) -> Span:
    """A messaging span as a real service sends it: 16 attributes, 6 of its resource."""
    service = random_.choice(SERVICES)
    topic = random_.choice(TOPICS)
    kind, operation = random_.choice((("producer", "send"), ("consumer", "process"), ("server", None)))
    order = f"ord-{random_.randrange(10**6):06d}"
    offset = random_.randrange(10**7)
    took = random_.randrange(50_000, 500_000_000)
    failed = random_.random() < 0.02
    message = (
        Message(
            system="kafka",
            operation=operation,
            destination=topic,
            id=f"m-{random_.getrandbits(64):016x}",
            key=order,
            partition=str(offset % 12),
            offset=offset,
            group=service if operation == "process" else None,
            body_size=random_.randrange(200, 4000),
        )
        if operation
        else None
    )
    return Span(
        ref=SpanRef(trace_id=f"{random_.getrandbits(128):032x}", span_id=f"{random_.getrandbits(64):016x}"),
        parent=f"{random_.getrandbits(64):016x}",
        name=f"{operation or 'GET'} {topic}",
        kind=kind,  # type: ignore[arg-type]
        service=service,
        instance=f"{service}-{random_.randrange(4)}",
        version="1.42.0",
        environment="production",
        start=at,
        end=at + took,
        status="error" if failed else "unset",
        status_message="insufficient funds in the wallet" if failed else "",
        scope=Scope(name="opentelemetry.instrumentation.kafka", version="0.55b0"),
        message=message,
        entities=entities(f"order:{order}"),
        attributes=_typical_attributes(random_, service, topic, operation, order, offset),
        resource={
            "service.name": service,
            "service.version": "1.42.0",
            "deployment.environment.name": "production",
            "host.name": f"node-{random_.randrange(8)}",
            "telemetry.sdk.language": "python",
            "telemetry.sdk.name": "opentelemetry",
        },
    )


def _mixed(random_: random.Random, number: int, at: int) -> Fact:
    """A span, a CloudEvent or a log record."""
    dice = random_.random()
    if dice < 0.6:
        return typical_span(random_, at)
    service = random_.choice(SERVICES)
    if dice < 0.8:
        return event(
            number,
            at=at,
            service=service,
            environment="production",
            entities=entities(f"order:{random_.randrange(200)}"),
            body={"total": random_.randrange(500), "items": [{"sku": f"SKU-{random_.randrange(99)}"}]},
        )
    return Event(
        kind="log",
        name="",
        at=at,
        observed=at + 1000,
        service=service,
        severity=random_.choice(("INFO", "WARN", "ERROR")),
        ref=ref(random_.randrange(50), random_.randrange(10**6)),
        body=f"order {random_.randrange(200)} could not be settled in time, attempt {number}",
    )


def facts(count: int, *, seed: int = 1, start: int = NOW, step: int = 1_000_000) -> Iterator[Stored]:
    """A mixed corpus of ``count`` facts, ``step`` ns apart, the same for the same seed."""
    random_ = random.Random(seed)
    for number in range(count):
        at = start + number * step
        yield stored(
            _mixed(random_, number, at),
            tie=number,
            position=number % 500,
            received=at + random_.randrange(SECOND),
            request=f"request-{number // 500}",
        )


__all__ = [
    "DAY",
    "HOUR",
    "MINUTE",
    "NOW",
    "SECOND",
    "Annotation",
    "Link",
    "entities",
    "event",
    "fact_id",
    "facts",
    "identity_of",
    "ref",
    "span",
    "span_id",
    "stored",
    "trace_id",
    "typical_span",
]
