"""Messaging spans by the current semantic conventions (1.44), for any broker.

``Messaging`` knows one client's system and server and makes its spans:

* ``send``: PRODUCER; its context goes into the message. It ends when the broker has answered,
  with partition and offset or with the error.
* ``receive``: CLIENT; one per batch, linked to every message's creation context.
* ``process``: CONSUMER; a context manager around the handler, child of the creation context and
  linked to the receive span, marked with the attempt and the handler's error.
* ``settle``: CLIENT, linked to what it settles.

Nothing here raises but what the handler itself raises.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TracerProvider

from tracing import envelope, propagation, semconv
from tracing.entities import named
from tracing.envelope import Envelope
from tracing.guard import guarded
from tracing.headers import Headers, text

KEY_TYPE = "throughline.message.key_type"
SCHEMA_URL = "https://opentelemetry.io/schemas/1.44.0"
_LONGEST_KEY = 256
Attributes = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message as its consumer got it; ``headers`` may be anything a client hands over."""

    destination: str
    headers: Headers = field(default_factory=Headers)
    key: object = None
    partition: int | None = None
    offset: int | None = None
    group: str = ""
    body_size: int | None = None

    def creation(self) -> SpanContext | None:
        """The span that created the message, where its headers say so."""
        found = trace.get_current_span(propagation.extract(self.headers)).get_span_context()
        return found if found.is_valid else None


def key_text(key: object) -> str:
    """A message key for people: text as it is, other bytes as ``0x...``; cut at 256 characters."""
    if isinstance(key, bytes | bytearray | memoryview):
        raw = bytes(key)
        with guarded("message key"):
            try:
                decoded = raw.decode()
            except UnicodeDecodeError:
                decoded = ""
            return (decoded if decoded.isprintable() and decoded else "0x" + raw.hex())[:_LONGEST_KEY]
    return text(key)[:_LONGEST_KEY]


def key_type(key: object) -> str:
    """``string``, ``int32``, ``int64`` or ``bytes``: how the key was written, as far as bytes tell."""
    if isinstance(key, str) or not key_text(key).startswith("0x"):
        return "string"
    return {4: "int32", 8: "int64"}.get(len(bytes(key)), "bytes")  # type: ignore[call-overload]


class Sending:
    """A send span that waits for the broker's answer; ``end`` may be called from any thread, once."""

    __slots__ = ("_span",)

    def __init__(self, span: Span) -> None:
        self._span = span

    def end(self, *, partition: int | None = None, offset: int | None = None, error: object = None) -> None:
        """Close the span with where the message went, or with why it did not go."""
        with guarded("send span"):
            if partition is not None and partition >= 0:
                self._span.set_attribute(semconv.MESSAGING_DESTINATION_PARTITION_ID, str(partition))
            if offset is not None and offset >= 0:
                self._span.set_attribute(semconv.MESSAGING_KAFKA_OFFSET, offset)
            if error is not None:
                _failed(self._span, error)
            self._span.end()


def _failed(span: Span, error: object) -> None:
    name = getattr(error, "name", None)  # a Kafka error names its code
    kind = name() if callable(name) else type(error).__qualname__
    span.set_attribute(semconv.ERROR_TYPE, str(kind))
    span.set_status(Status(StatusCode.ERROR, text(error)))
    if isinstance(error, BaseException):
        span.record_exception(error)


class Messaging:
    """Spans of one messaging client; cheap to keep, safe to share between threads."""

    def __init__(
        self, system: str, *, provider: TracerProvider | None = None, **attributes: str | int
    ) -> None:
        """``attributes`` go on every span, dots written as underscores (``server_address``)."""
        self._tracer = trace.get_tracer(
            "throughline.tracing", tracer_provider=provider, schema_url=SCHEMA_URL
        )
        self._common: Attributes = {semconv.MESSAGING_SYSTEM: system}
        self._common |= {_DOTTED.get(key, key.replace("_", ".")): value for key, value in attributes.items()}

    def send(
        self,
        destination: str,
        headers: Headers,
        *,
        key: object = None,
        body_size: int | None = None,
        event: Envelope | None = None,
        name: str = "send",
    ) -> Sending:
        """Start a send span and write its context, entities and the event into ``headers``.

        Call ``end`` when the broker has answered.
        """
        span: Span = trace.INVALID_SPAN
        with guarded("send span"):
            if event is not None:
                envelope.write(event, headers)
            attributes = self._of("send", name, destination) | _message(key, body_size)
            attributes |= event.attributes() if event else {}
            span = self._tracer.start_span(
                f"{name} {destination}", kind=SpanKind.PRODUCER, attributes=attributes
            )
            propagation.inject(headers, trace.set_span_in_context(span))
            if span.is_recording():
                span.set_attribute(semconv.THROUGHLINE_MESSAGE_HEADER_BYTES, headers.size)
        return Sending(span)

    def receive(
        self, deliveries: Sequence[Delivery], *, start: int | None = None, name: str = "poll"
    ) -> SpanContext | None:
        """Record that these messages were handed over together; ``start`` in ns is when the call began.

        What all have in common goes on the span, what differs on the links. Gives the span's
        address for ``process``; ``None`` for no messages.
        """
        with guarded("receive span"):
            if not deliveries:
                return None
            destinations = {one.destination for one in deliveries}
            shared = destinations.pop() if len(destinations) == 1 else ""
            attributes = self._of("receive", name, shared)
            attributes[semconv.MESSAGING_BATCH_MESSAGE_COUNT] = len(deliveries)
            if groups := {one.group for one in deliveries if one.group}:
                attributes[semconv.MESSAGING_CONSUMER_GROUP_NAME] = min(groups)
            links = [link for one in deliveries if (link := _link(one, shared))]
            span = self._tracer.start_span(
                f"{name} {shared}".strip(),
                kind=SpanKind.CLIENT,
                attributes=attributes,
                links=links,
                start_time=start,
            )
            span.end()
            return span.get_span_context()
        return None

    @contextmanager
    def process(
        self,
        delivery: Delivery,
        *,
        attempt: int = 1,
        received: SpanContext | None = None,
        name: str = "process",
    ) -> Iterator[Span]:
        """A span around the handler of one message; inside, its context, entities and event are current.

        Child of the message's creation context; the receive span and the span that was current before are
        linked. An exception of the handler is recorded and goes on.
        """
        span, context = self._start_process(delivery, attempt, received, name)
        token = attach(context)
        try:
            yield span
        except Exception as error:
            with guarded("process span"):
                _failed(span, error)
            raise
        finally:
            detach(token)
            with guarded("process span"):
                span.end()

    def _start_process(
        self, delivery: Delivery, attempt: int, received: SpanContext | None, name: str
    ) -> tuple[Span, Context]:
        span: Span = trace.INVALID_SPAN
        context = get_current()
        with guarded("process span"):
            ambient = trace.get_current_span(context).get_span_context()
            parent = propagation.extract(delivery.headers)
            linked = [one for one in (received, ambient) if one is not None and one.is_valid]
            attributes = self._of("process", name, delivery.destination) | _coordinates(delivery)
            attributes[semconv.THROUGHLINE_MESSAGE_ATTEMPT] = attempt
            event = envelope.read(delivery.headers)
            attributes |= event.attributes() if event else {}
            span = self._tracer.start_span(
                f"{name} {delivery.destination}",
                context=parent,
                kind=SpanKind.CONSUMER,
                attributes=attributes,
                links=[Link(one) for one in linked],
            )
            context = envelope.within(event, trace.set_span_in_context(span, parent))
        return span, context

    def settle(
        self, delivery: Delivery, *, start: int | None = None, name: str = "commit", error: object = None
    ) -> None:
        """Record that a message was settled (committed, acknowledged, rejected)."""
        with guarded("settle span"):
            made = delivery.creation()
            span = self._tracer.start_span(
                f"{name} {delivery.destination}",
                kind=SpanKind.CLIENT,
                attributes=self._of("settle", name, delivery.destination) | _coordinates(delivery),
                links=[Link(made)] if made else [],
                start_time=start,
            )
            if error is not None:
                _failed(span, error)
            span.end()

    def _of(self, operation: str, name: str, destination: str) -> Attributes:
        own = {semconv.MESSAGING_OPERATION_TYPE: operation, semconv.MESSAGING_OPERATION_NAME: name}
        return self._common | own | ({semconv.MESSAGING_DESTINATION_NAME: destination} if destination else {})


_DOTTED = {
    "client_id": semconv.MESSAGING_CLIENT_ID,
    "cluster": semconv.MESSAGING_KAFKA_CLUSTER_ID,
    "server_address": semconv.SERVER_ADDRESS,
    "server_port": semconv.SERVER_PORT,
}


def _message(key: object, body_size: int | None) -> Attributes:
    found: Attributes = {}
    if key is not None:
        found |= {semconv.MESSAGING_KAFKA_MESSAGE_KEY: key_text(key), KEY_TYPE: key_type(key)}
    if body_size is not None:
        found[semconv.MESSAGING_MESSAGE_BODY_SIZE] = body_size
    else:
        found[semconv.MESSAGING_KAFKA_MESSAGE_TOMBSTONE] = True
    return found


def _coordinates(delivery: Delivery) -> Attributes:
    found = _message(delivery.key, delivery.body_size)
    found[semconv.THROUGHLINE_MESSAGE_HEADER_BYTES] = delivery.headers.size
    if delivery.partition is not None:
        found[semconv.MESSAGING_DESTINATION_PARTITION_ID] = str(delivery.partition)
    if delivery.offset is not None:
        found[semconv.MESSAGING_KAFKA_OFFSET] = delivery.offset
    if delivery.group:
        found[semconv.MESSAGING_CONSUMER_GROUP_NAME] = delivery.group
    return found


def _link(delivery: Delivery, shared: str) -> Link | None:
    """A link to the message's creation context, with what tells it from its neighbours."""
    context = propagation.extract(delivery.headers)
    made = trace.get_current_span(context).get_span_context()
    if not made.is_valid:
        return None
    found = _coordinates(delivery)
    found.pop(semconv.MESSAGING_CONSUMER_GROUP_NAME, None)
    if not shared:
        found[semconv.MESSAGING_DESTINATION_NAME] = delivery.destination
    if event := envelope.read(delivery.headers):
        found[semconv.MESSAGING_MESSAGE_ID] = event.id
    return Link(made, found | named(context).attributes())
