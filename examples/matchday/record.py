"""The notebook of the history: spans and events with the times they had.

``Notebook`` makes SDK spans with explicit ids and times and CloudEvents with their data, as the
five services would have; ``send`` and ``process`` set the same attributes as ``tracing``.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import Any

import orjson
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import Event, ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags

from examples.matchday.story import ENVIRONMENT, VERSIONS
from tracing import envelope, propagation, semconv
from tracing.delivery import KEY_TYPE, key_text, key_type
from tracing.envelope import Envelope
from tracing.headers import Headers
from tracing.spans import SCHEMA_URL

Attributes = dict[str, Any]
MS = 1_000_000
_SCOPE = InstrumentationScope("throughline.tracing", schema_url=SCHEMA_URL)
_FLAGS = TraceFlags(TraceFlags.SAMPLED)


@dataclass(frozen=True)
class Node:
    """One running instance of a service; ``version`` where it is not the current one."""

    service: str
    number: int = 1
    version: str = ""

    @property
    def instance(self) -> str:
        """``service.instance.id``."""
        return f"{self.service}-{self.number}"

    def attributes(self) -> dict[str, str]:
        """Its resource, as every fact of a service carries it."""
        return {
            semconv.SERVICE_NAME: self.service,
            semconv.SERVICE_INSTANCE_ID: self.instance,
            semconv.SERVICE_VERSION: self.version or VERSIONS[self.service],
            semconv.DEPLOYMENT_ENVIRONMENT_NAME: ENVIRONMENT,
        }


@cache
def _resource(node: Node) -> Resource:
    sdk = {"telemetry.sdk.language": "python", "telemetry.sdk.name": "opentelemetry"}
    return Resource({**node.attributes(), **sdk}, SCHEMA_URL)


def rfc3339(at: int) -> str:
    """The time with its nanoseconds, UTC."""
    whole, rest = divmod(at, 1_000_000_000)
    return f"{datetime.fromtimestamp(whole, UTC):%Y-%m-%dT%H:%M:%S}.{rest:09d}Z"


def entity_attributes(context: Mapping[str, str] | None = None, /, **subjects: str) -> Attributes:
    """``entity_attributes({"match": "4711"}, bet="8812")``: what was named and what came along."""
    named = {semconv.ENTITY_PREFIX + kind: name for kind, name in subjects.items() if name}
    return named | {semconv.CONTEXT_PREFIX + kind: name for kind, name in (context or {}).items()}


@dataclass(frozen=True, kw_only=True)
class Sent:
    """A message in the broker: its send span, coordinates and the attributes all its spans share."""

    span: ReadableSpan
    destination: str
    partition: int
    offset: int
    message: Attributes
    about: Attributes
    event: Envelope | None

    @property
    def left(self) -> int:
        """When the broker had it (ns)."""
        return self.span.end_time or 0


@dataclass
class Notebook:
    """Everything recorded so far; the same seed gives the same ids."""

    seed: str
    spans: list[ReadableSpan] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        """One stream of random numbers for ids, apart from those that shape the story."""
        self._ids = random.Random(f"ids {self.seed}")

    def span(
        self,
        node: Node,
        name: str,
        start: int,
        end: int,
        *,
        parent: ReadableSpan | None = None,
        kind: SpanKind = SpanKind.INTERNAL,
        attributes: Attributes | None = None,
        links: Sequence[Link] = (),
        error: tuple[str, str] | None = None,
    ) -> ReadableSpan:
        """Record a span; ``error`` is (type, message) and adds an exception to it."""
        trace_id = parent.context.trace_id if parent else self._ids.getrandbits(128)
        given, notes, status = dict(attributes or {}), [], Status()
        if error is not None:
            given[semconv.ERROR_TYPE] = error[0]
            told = {"exception.type": error[0], "exception.message": error[1]}
            notes, status = [Event("exception", told, timestamp=end)], Status(StatusCode.ERROR, error[1])
        made = ReadableSpan(
            name,
            SpanContext(trace_id, self._ids.getrandbits(64), is_remote=False, trace_flags=_FLAGS),
            parent=parent.context if parent else None,
            resource=_resource(node),
            attributes=given,
            events=notes,
            links=links,
            kind=kind,
            status=status,
            start_time=start,
            end_time=end,
            instrumentation_scope=_SCOPE,
        )
        self.spans.append(made)
        return made

    def event(
        self,
        node: Node,
        kind: str,
        at: int,
        subject: str,
        data: Any,
        *,
        inside: ReadableSpan,
        cause: Envelope | None = None,
        sequence: str = "",
        schema: str = "",
        extensions: Mapping[str, str] | None = None,
        source: str = "",
    ) -> Envelope:
        """Record what happened as a CloudEvent, made inside a span and caused by another event."""
        made = Envelope(
            type=kind,
            source=source or f"/{node.service}",
            id=f"{at // MS:012x}-{self._ids.getrandbits(80):020x}",
            subject=subject,
            time=rfc3339(at),
            schema=schema,
            sequence=sequence,
            causation_id=cause.id if cause else "",
            correlation_id=(cause.correlation_id or cause.id) if cause else "",
            extensions={"traceparent": propagation.format_traceparent(inside.context), **(extensions or {})},
        )
        self.events.append(posted(made, node, data))
        return made

    def send(
        self,
        node: Node,
        destination: str,
        start: int,
        end: int,
        *,
        place: tuple[int, int],
        key: str | bytes | None,
        body: bytes,
        about: Attributes,
        parent: ReadableSpan | None = None,
        event: Envelope | None = None,
        more: Attributes | None = None,
        header: tuple[str, Sequence[str]] | None = None,
        links: Sequence[Link] = (),
        client_id: str = "",
    ) -> Sent:
        """Record a send span and give the message that its consumers take."""
        message: Attributes = {
            semconv.MESSAGING_SYSTEM: "kafka",
            semconv.MESSAGING_DESTINATION_NAME: destination,
            semconv.MESSAGING_DESTINATION_PARTITION_ID: str(place[0]),
            semconv.MESSAGING_KAFKA_OFFSET: place[1],
            semconv.MESSAGING_MESSAGE_BODY_SIZE: len(body),
            semconv.THROUGHLINE_MESSAGE_HEADER_BYTES: _header_bytes(event, about, header),
            **(event.attributes() if event else {}),
        }
        if key is not None:
            message |= {semconv.MESSAGING_KAFKA_MESSAGE_KEY: key_text(key), KEY_TYPE: key_type(key)}
        own = {semconv.MESSAGING_CLIENT_ID: client_id or node.service, **_operation("send")}
        made = self.span(
            node,
            f"send {destination}",
            start,
            end,
            parent=parent,
            kind=SpanKind.PRODUCER,
            attributes=message | about | own | (more or {}),
            links=links,
        )
        return Sent(
            span=made,
            destination=destination,
            partition=place[0],
            offset=place[1],
            message=message,
            about=about,
            event=event,
        )

    def receive(self, node: Node, batch: Sequence[Sent], start: int, end: int) -> ReadableSpan:
        """Record one poll that handed over these messages of one destination."""
        first = batch[0]
        shared = {
            semconv.MESSAGING_SYSTEM: "kafka",
            semconv.MESSAGING_DESTINATION_NAME: first.destination,
            semconv.MESSAGING_CONSUMER_GROUP_NAME: node.service,
            semconv.MESSAGING_BATCH_MESSAGE_COUNT: len(batch),
            **_operation("receive", "poll"),
        }
        links = [Link(sent.span.context, _told_apart(sent)) for sent in batch]
        name = f"poll {first.destination}"
        return self.span(node, name, start, end, kind=SpanKind.CLIENT, attributes=shared, links=links)

    def process(
        self,
        node: Node,
        sent: Sent,
        start: int,
        end: int,
        *,
        attempt: int = 1,
        received: ReadableSpan | None = None,
        error: tuple[str, str] | None = None,
        about: Attributes | None = None,
    ) -> ReadableSpan:
        """Record one handling of a message by the service's consumer group."""
        own = {
            semconv.MESSAGING_CONSUMER_GROUP_NAME: node.service,
            semconv.THROUGHLINE_MESSAGE_ATTEMPT: attempt,
            **_operation("process"),
        }
        return self.span(
            node,
            f"process {sent.destination}",
            start,
            end,
            parent=sent.span,
            kind=SpanKind.CONSUMER,
            attributes=sent.message | (sent.about if about is None else about) | own,
            links=[Link(received.context)] if received else (),
            error=error,
        )


def posted(event: Envelope, node: Node, data: Any) -> dict[str, Any]:
    """The event as it is posted: structured JSON, with its sender as extension attributes."""
    sender = {name.replace(".", ""): value for name, value in node.attributes().items()}
    return {**event.structured(data), **sender}


def body_of(data: Any) -> bytes:
    """The payload as it travels."""
    return orjson.dumps(data)


def _operation(kind: str, name: str = "") -> Attributes:
    return {semconv.MESSAGING_OPERATION_TYPE: kind, semconv.MESSAGING_OPERATION_NAME: name or kind}


def _told_apart(sent: Sent) -> Attributes:
    keys = (
        semconv.MESSAGING_MESSAGE_ID,
        semconv.MESSAGING_DESTINATION_PARTITION_ID,
        semconv.MESSAGING_KAFKA_OFFSET,
        semconv.MESSAGING_KAFKA_MESSAGE_KEY,
    )
    # the poll itself names nobody: what arrived with the messages is context
    came = {
        key.replace(semconv.ENTITY_PREFIX, semconv.CONTEXT_PREFIX): name for key, name in sent.about.items()
    }
    return {key: sent.message[key] for key in keys if key in sent.message} | came


def _header_bytes(event: Envelope | None, about: Attributes, header: tuple[str, Sequence[str]] | None) -> int:
    headers = Headers({header[0]: list(header[1])} if header else None)
    if event is not None:
        envelope.write(event, headers)
    headers.set(propagation.TRACEPARENT, "0" * 55)
    headers.set(propagation.BAGGAGE, propagation.format_baggage(about))
    return headers.size
