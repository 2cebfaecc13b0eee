"""The match-day story as its services would send it, moved to end half an hour ago."""

from __future__ import annotations

import json
import time
from collections import defaultdict
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1 import trace_pb2

from tests.node.harness import RunningNode
from tests.node.otlp import PROTOBUF, attribute
from tests.pages import story
from timeline.domain import Event, Message, Span
from timeline.search.times import format_ns

KINDS = {"internal": 1, "server": 2, "client": 3, "producer": 4, "consumer": 5}
MESSAGING = {
    "system": "messaging.system",
    "operation": "messaging.operation.type",
    "destination": "messaging.destination.name",
    "id": "messaging.message.id",
    "key": "messaging.kafka.message.key",
    "partition": "messaging.destination.partition.id",
    "offset": "messaging.kafka.offset",
    "group": "messaging.consumer.group.name",
    "body_size": "messaging.message.body.size",
    "cluster": "messaging.kafka.cluster.id",
    "batch_count": "messaging.batch.message_count",
    "attempt": "throughline.attempt",
}


def shift() -> int:
    """What moves the story to end half an hour ago, in ns; whole minutes keep it readable."""
    minute = 60 * 10**9
    return (time.time_ns() - 30 * minute - story.at("18:17:00")) // minute * minute


def _attributes(fact: Span | Event) -> dict[str, Any]:
    found = dict(fact.attributes)
    message = fact.message or Message()
    for field, key in MESSAGING.items():
        value = getattr(message, field)
        if value is not None:
            found[key] = value
    for entity in fact.entities:
        found[f"throughline.entity.{entity.type}"] = entity.id
    return found


def _proto(span: Span, moved: int) -> trace_pb2.Span:
    assert span.start is not None
    assert span.end is not None
    return trace_pb2.Span(
        trace_id=bytes.fromhex(span.ref.trace_id),
        span_id=bytes.fromhex(span.ref.span_id),
        parent_span_id=bytes.fromhex(span.parent or ""),
        name=span.name,
        kind=KINDS[span.kind],  # type: ignore[arg-type]
        start_time_unix_nano=span.start + moved,
        end_time_unix_nano=span.end + moved,
        attributes=[attribute(key, value) for key, value in _attributes(span).items()],
        links=[
            trace_pb2.Span.Link(
                trace_id=bytes.fromhex(link.ref.trace_id),
                span_id=bytes.fromhex(link.ref.span_id),
                attributes=[attribute(key, value) for key, value in link.attributes.items()],
            )
            for link in span.links
        ],
        status=trace_pb2.Status(code=2 if span.status == "error" else 0, message=span.status_message),  # type: ignore[arg-type]
    )


def _cloudevent(event: Event, moved: int) -> dict[str, Any]:
    assert event.event is not None
    assert event.ref is not None
    assert event.at is not None
    return {
        "specversion": "1.0",
        "id": event.event.id,
        "source": event.event.source,
        "type": event.event.type,
        "subject": event.event.subject,
        "time": format_ns(event.at + moved),
        "correlationid": event.event.correlation_id,
        "traceparent": f"00-{event.ref.trace_id}-{event.ref.span_id}-01",
        "data": event.body,
    }


def send_story(node: RunningNode) -> int:
    """Send every fact of the story and wait until nothing is left in the inbox; returns the shift."""
    moved = shift()
    facts = [stored.fact for stored in story.facts()]
    by_service: dict[str, list[Span]] = defaultdict(list)
    for fact in facts:
        if isinstance(fact, Span):
            by_service[fact.service].append(fact)
    for service, spans in by_service.items():
        resource = Resource(attributes=[attribute(key, value) for key, value in spans[0].resource.items()])
        block = trace_pb2.ResourceSpans(
            resource=resource,
            scope_spans=[trace_pb2.ScopeSpans(spans=[_proto(span, moved) for span in spans])],
        )
        body = ExportTraceServiceRequest(resource_spans=[block]).SerializeToString()
        assert node.send("/v1/traces", body, PROTOBUF) == 200, service
    events = [_cloudevent(fact, moved) for fact in facts if isinstance(fact, Event)]
    assert node.send("/v1/events", json.dumps(events).encode(), "application/cloudevents-batch+json") == 202
    node.searchable()
    return moved


def send_wide_trace(node: RunningNode, trace: int, count: int) -> None:
    """A trace of ``count`` spans, sent 5,000 at a time."""
    start = time.time_ns() - 600 * 10**9
    for first in range(1, count + 1, 5_000):
        spans = [
            trace_pb2.Span(
                trace_id=trace.to_bytes(16, "big"),
                span_id=number.to_bytes(8, "big"),
                parent_span_id=b"" if number == 1 else max(1, number - 1 - number % 37).to_bytes(8, "big"),
                name=f"step {number % 17}",
                start_time_unix_nano=start + number * 1_000_000,
                end_time_unix_nano=start + number * 1_000_000 + 5_000_000,
            )
            for number in range(first, min(first + 5_000, count + 1))
        ]
        block = trace_pb2.ResourceSpans(
            resource=Resource(attributes=[attribute("service.name", "wide")]),
            scope_spans=[trace_pb2.ScopeSpans(spans=spans)],
        )
        body = ExportTraceServiceRequest(resource_spans=[block]).SerializeToString()
        assert node.send("/v1/traces", body, PROTOBUF) == 200
    node.searchable()


def _messages(node: RunningNode, spans: dict[str, list[trace_pb2.Span]]) -> None:
    blocks = [
        trace_pb2.ResourceSpans(
            resource=Resource(attributes=[attribute("service.name", service)]),
            scope_spans=[trace_pb2.ScopeSpans(spans=rows)],
        )
        for service, rows in spans.items()
    ]
    body = ExportTraceServiceRequest(resource_spans=blocks).SerializeToString()
    assert node.send("/v1/traces", body, PROTOBUF) == 200
    node.searchable()


def _message_span(
    trace: int,
    number: int,
    operation: str,
    begins: int,
    length: int,
    topic: str,
    parent: int = 0,
    **more: Any,
) -> trace_pb2.Span:
    links = more.pop("links", ())
    facts = {"system": "kafka", "operation": operation, "destination": topic, **more}
    return trace_pb2.Span(
        trace_id=trace.to_bytes(16, "big"),
        span_id=number.to_bytes(8, "big"),
        parent_span_id=parent.to_bytes(8, "big") if parent else b"",
        name=f"{operation} {topic}",
        kind=4 if operation == "send" else 5,
        start_time_unix_nano=begins,
        end_time_unix_nano=begins + length,
        attributes=[attribute(MESSAGING[key], value) for key, value in facts.items()],
        links=[
            trace_pb2.Span.Link(trace_id=other.to_bytes(16, "big"), span_id=span.to_bytes(8, "big"))
            for other, span in links
        ],
    )


def send_batch(node: RunningNode, trace: int, count: int) -> int:
    """A batch of ``count`` messages, each sent in a trace of its own; returns the batch's trace."""
    start, ms = time.time_ns() - 300 * 10**9, 10**6
    sends = [
        _message_span(trace + n, n, "send", start + n * ms, ms, "batched", id=f"b-{n}")
        for n in range(1, count + 1)
    ]
    links = [(trace + n, n) for n in range(1, count + 1)]
    taken = _message_span(
        trace,
        9_000,
        "process",
        start + 500 * ms,
        40 * ms,
        "batched",
        group="batcher",
        batch_count=count,
        links=links,
    )
    _messages(node, {"single": sends, "batcher": [taken]})
    return trace


def send_deliveries(node: RunningNode, trace: int, waits: list[float]) -> int:
    """One delivery in each of as many traces, waiting so many seconds; returns the trace of the last."""
    start, ms = time.time_ns() - 200 * 10**9, 10**6
    sends, takes = [], []
    for number, wait in enumerate(waits):
        at = start + number * 50 * ms
        sends.append(_message_span(trace + number, 1, "send", at, ms, "compared", id=f"c-{trace}-{number}"))
        takes.append(
            _message_span(
                trace + number, 2, "process", at + ms + int(wait * 1000) * ms, 5 * ms, "compared", parent=1,
                id=f"c-{trace}-{number}", group="comparer",
            )
        )  # fmt: skip
    _messages(node, {"asker": sends, "comparer": takes})
    return trace + len(waits) - 1


def send_orphans(node: RunningNode, trace: int, count: int) -> None:
    """Spans of which the first two name one parent and the others another; neither is ever sent."""
    start, ms = time.time_ns() - 100 * 10**9, 10**6
    spans = [
        trace_pb2.Span(
            trace_id=trace.to_bytes(16, "big"),
            span_id=number.to_bytes(8, "big"),
            parent_span_id=(1001 if number < 3 else 1002).to_bytes(8, "big"),
            name=f"orphan {number}",
            start_time_unix_nano=start + number * ms,
            end_time_unix_nano=start + 9 * ms,
        )
        for number in range(1, count + 1)
    ]
    _messages(node, {"lonely": spans})
