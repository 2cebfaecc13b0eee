"""Messaging spans by the current semantic conventions (1.44), for any broker.

``Messaging`` knows one client's system and server and makes its spans:

* ``send``: PRODUCER; its context goes into the message. It ends when the broker has answered,
  with partition and offset or with the error.
* ``receive``: CLIENT; one per batch, linked to every message's creation context.
* ``process``: CONSUMER; a context manager around the handler, linked to the creation context and the
  receive span, marked with the attempt and the handler's error. Of a single message, where no
  other span is current, also the child of the creation context (``Options.parent``).
* ``settle``: CLIENT, linked to what it settles. Where the message in hand was acknowledged as usual, its
  process span says so instead (``Processing.settled``).

Nothing here raises but what the handler itself raises.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextvars import Token
from datetime import UTC, datetime
from types import TracebackType
from typing import Any

from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import INVALID_SPAN, Span, SpanContext, SpanKind, Status, StatusCode, TracerProvider

from tracing import envelope, forking, propagation, quick, semconv
from tracing.delivery import Attributes, Delivery, content, coordinates, key_text, key_type, linked
from tracing.envelope import Envelope
from tracing.guard import guarded, lost
from tracing.headers import Headers, text
from tracing.options import Options

__all__ = ["Delivery", "Messaging", "Processing", "Sending", "key_text", "key_type"]

SCHEMA_URL = quick.SCHEMA_URL
MOST_SAID = 1_000  # operations and destinations whose attributes are kept ready
MOST_LINKS = 128  # the SDK's own limit for links


class Sending:
    """A send span that waits for the broker's answer; ``end`` may be called from any thread, once."""

    __slots__ = ("_generation", "_header_bytes", "span")

    def __init__(self, span: Span = INVALID_SPAN, header_bytes: int = 0) -> None:
        self.span = span
        self._header_bytes = header_bytes
        self._generation = forking.generation

    def end(
        self,
        *,
        partition: int | None = None,
        offset: int | None = None,
        body_size: int | None = None,
        error: object = None,
    ) -> None:
        """Close the span with where the message went, or with why it did not go."""
        if self._generation != forking.generation:
            return  # the parent process tells of it
        try:
            answer: Attributes = {}
            if self._header_bytes:
                answer[semconv.THROUGHLINE_MESSAGE_HEADER_BYTES] = self._header_bytes
            if body_size is not None and body_size >= 0:
                answer[semconv.MESSAGING_MESSAGE_BODY_SIZE] = body_size
            if partition is not None and partition >= 0:
                answer[semconv.MESSAGING_DESTINATION_PARTITION_ID] = str(partition)
            if offset is not None and offset >= 0:
                answer[semconv.MESSAGING_KAFKA_OFFSET] = offset
            if answer:
                self.span.set_attributes(answer)
            if error is not None:
                _failed(self.span, error)
            self.span.end()
        except Exception:  # noqa: BLE001  hot: as guarded does
            lost("send span")


class Processing:
    """A process span that is open: ``with`` it around the handler, or call ``end`` when the handler is done.

    As a context manager it gives the span, makes the message's context, entities and event current, and
    records the handler's exception, which goes on. ``end`` counts once.
    """

    __slots__ = ("_generation", "_token", "context", "span")

    def __init__(self, span: Span, context: Context) -> None:
        self.span = span
        self.context = context
        self._generation = forking.generation
        self._token: Token[Context] | None = None

    def end(self, error: object = None) -> None:
        """Close the span, with the handler's error where there is one; in a forked child that is its parent's to do."""
        if self._generation != forking.generation:
            return
        try:
            if self.span.is_recording():
                # GeneratorExit and KeyboardInterrupt end a handler, they do not say that it failed
                if error is not None and (
                    isinstance(error, Exception) or not isinstance(error, BaseException)
                ):
                    _failed(self.span, error)
                self.span.end()
        except Exception:  # noqa: BLE001  hot: as guarded does
            lost("process span")

    def settled(self, name: str) -> bool:
        """Say on the span that its message was settled just now, and by which call; false where the span takes
        no more: then ``settle`` is to tell it."""
        if self._generation != forking.generation or not self.span.is_recording():
            return False
        self.span.set_attributes(
            {
                semconv.THROUGHLINE_MESSAGE_SETTLED: name,
                semconv.THROUGHLINE_MESSAGE_SETTLED_AT: datetime.now(UTC).isoformat(),
            }
        )
        return True

    def __enter__(self) -> Span:
        self._token = attach(self.context)
        return self.span

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            detach(self._token)
        self.end(error)


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
        self,
        system: str,
        *,
        provider: TracerProvider | None = None,
        options: Options | None = None,
        **attributes: str | int,
    ) -> None:
        """``attributes`` go on every span, dots written as underscores (``server_address``)."""
        self._spans = quick.Spans(provider)
        self._system = system
        self._options = options or Options()
        self._said: dict[tuple[str, str, str], tuple[str, Attributes]] = {}
        self._common: Attributes = {semconv.MESSAGING_SYSTEM: system}
        self._common |= {_DOTTED.get(key, key.replace("_", ".")): value for key, value in attributes.items()}

    def send(
        self,
        destination: str,
        headers: Headers,
        *,
        key: object = None,
        body_size: int | None = None,
        tombstone: bool = False,
        body: object = None,
        event: Envelope | None = None,
        name: str = "send",
        more: Attributes | None = None,
    ) -> Sending:
        """Start a send span and write its context, entities and the event into ``headers``.

        An event that is in the headers already is named on the span. Call ``end`` when the broker has
        answered.
        """
        span: Span = INVALID_SPAN
        try:
            title, attributes = self._of("send", name, destination)
            if more:
                attributes.update(more)
            self._made(attributes, headers, key, body_size, tombstone, body, event)
            here = get_current()
            span = self._spans.start(title, SpanKind.PRODUCER, attributes, context=here)
            propagation.carry(headers, span.get_span_context(), here)
            return Sending(span, headers.size if span.is_recording() else 0)
        except Exception:  # noqa: BLE001  hot: as guarded does
            lost("send span")
        return Sending(span)

    def receive(
        self,
        deliveries: Sequence[Delivery],
        *,
        start: int | None = None,
        name: str = "poll",
        single: bool = False,
    ) -> SpanContext | None:
        """Record that these messages were handed over together; ``start`` in ns is when the call began.

        ``single`` is for a call that never gives more than one. What all have in common goes on the span, what differs on the links. Gives the span's
        address for ``process``; ``None`` for no messages.
        """
        with guarded("receive span"):
            if not deliveries:
                return None
            span = self._batch("receive", name, deliveries, start=start, single=single)
            span.end()
            return span.get_span_context()
        return None

    def process(
        self,
        delivery: Delivery,
        *,
        attempt: int | None = None,
        received: SpanContext | None = None,
        name: str = "process",
        start: int | None = None,
    ) -> Processing:
        """A span around the handler of one message; inside, its context, entities and event are current.

        The message's creation context and the receive span are linked. An exception of the handler is
        recorded and goes on. ``attempt`` says which try it is, else the delivery does. ``start`` in ns is for
        a handler that is known of only afterwards. Where no ``with`` can stand around the handler, call ``end``
        when it is done.
        """
        span: Span = INVALID_SPAN
        context = get_current()
        try:
            came = delivery.context()
            ambient = context.get(quick.SPAN)
            if isinstance(ambient, Span) and ambient.get_span_context().is_valid:
                parent = quick.with_span(ambient, came)
            elif self._options.parent:
                parent = came
            else:
                parent = quick.with_span(INVALID_SPAN, came)
            title, attributes = self._of("process", name, delivery.destination)
            coordinates(attributes, self._system, delivery)
            attributes[semconv.THROUGHLINE_MESSAGE_ATTEMPT] = attempt or delivery.attempt or 1
            event = envelope.read(delivery.headers) if len(delivery.headers) else None
            if event is not None:
                attributes.update(event.attributes())
            if delivery.body is not None and (captured := self._options.captured(delivery.body)) is not None:
                attributes[semconv.THROUGHLINE_MESSAGE_BODY] = captured
            links = []
            if (creation := delivery.creation()) is not None and creation.is_valid:
                links.append(quick.link(creation))
            if received is not None and received.is_valid:
                links.append(quick.link(received))
            span = self._spans.start(
                title, SpanKind.CONSUMER, attributes, links=links, context=parent, start=start
            )
            context = quick.with_span(span, came)
            if event is not None:
                context = envelope.within(event, context)
        except Exception:  # noqa: BLE001  hot: as guarded does
            lost("process span")
        return Processing(span, context)

    def settle(
        self,
        *deliveries: Delivery,
        start: int | None = None,
        name: str = "commit",
        error: object = None,
        more: Attributes | None = None,
    ) -> None:
        """Record that messages were settled (committed, acknowledged, rejected), linked to each; 128 in a span."""
        with guarded("settle span"):
            for first in range(0, len(deliveries), MOST_LINKS):
                rows = deliveries[first : first + MOST_LINKS]
                if len(rows) > 1:
                    span = self._batch("settle", name, rows, start=start, more=more)
                else:
                    span = self._settled(rows[0], name, start, more)
                if error is not None:
                    _failed(span, error)
                span.end()

    def _settled(self, delivery: Delivery, name: str, start: int | None, more: Attributes | None) -> Span:
        title, attributes = self._of("settle", name, delivery.destination)
        coordinates(attributes, self._system, delivery)
        if more:
            attributes.update(more)
        made = delivery.creation()
        links = [quick.link(made)] if made else []
        return self._spans.start(title, SpanKind.CLIENT, attributes, links=links, start=start)

    def _of(self, operation: str, name: str, destination: str) -> tuple[str, Attributes]:
        """The name of such a span, and what every one of them says; a fresh dict."""
        found = self._said.get((operation, name, destination))
        if found is None:
            own = {semconv.MESSAGING_OPERATION_TYPE: operation, semconv.MESSAGING_OPERATION_NAME: name}
            found = f"{name} {destination}".rstrip(), self._common | own
            if destination:
                found[1][semconv.MESSAGING_DESTINATION_NAME] = destination
            if len(self._said) < MOST_SAID:  # temporary destinations have no end
                self._said[operation, name, destination] = found
        return found[0], found[1].copy()

    def _made(
        self,
        found: Attributes,
        headers: Headers,
        key: object,
        body_size: int | None,
        tombstone: bool,
        body: object,
        event: Envelope | None,
    ) -> None:
        """Put in what a producer knows of its message; the event goes into the headers."""
        if event is not None:
            prefix = envelope.AMQP_PREFIX if self._system == "rabbitmq" else envelope.PREFIX
            envelope.write(event, headers, prefix)
        elif len(headers):
            event = envelope.read(headers)
        content(found, self._system, key, body_size, tombstone, headers)
        if event is not None:
            found.update(event.attributes())
        if body is not None and (captured := self._options.captured(body)) is not None:
            found[semconv.THROUGHLINE_MESSAGE_BODY] = captured

    def _batch(
        self,
        operation: str,
        name: str,
        deliveries: Sequence[Delivery],
        *,
        start: int | None = None,
        more: Attributes | None = None,
        single: bool = False,
    ) -> Span:
        destinations = {one.destination for one in deliveries}
        shared = destinations.pop() if len(destinations) == 1 else ""
        title, attributes = self._of(operation, name, shared)
        if single:
            coordinates(attributes, self._system, deliveries[0])
        else:
            attributes[semconv.MESSAGING_BATCH_MESSAGE_COUNT] = len(deliveries)
        if groups := {one.group for one in deliveries if one.group}:
            attributes[semconv.MESSAGING_CONSUMER_GROUP_NAME] = min(groups)
        if more:
            attributes.update(more)
        links = []
        for one in deliveries:
            context = one.context()
            if made := one.creation():
                links.append(quick.link(made, linked(self._system, one, context, shared)))
        return self._spans.start(title, SpanKind.CLIENT, attributes, links=links, start=start)


_DOTTED: dict[str, Any] = {
    "client_id": semconv.MESSAGING_CLIENT_ID,
    "cluster": semconv.MESSAGING_KAFKA_CLUSTER_ID,
    "server_address": semconv.SERVER_ADDRESS,
    "server_port": semconv.SERVER_PORT,
}
