"""What clients of RabbitMQ have in common: destinations, attempts, dead letters, open deliveries."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from opentelemetry.trace import SpanContext

from tracing import dead_letters, semconv
from tracing.delivery import light
from tracing.guard import guarded, lost
from tracing.headers import Headers, text
from tracing.integrations._hands import Running, told
from tracing.options import Options
from tracing.spans import Delivery, Messaging, Processing

MOST_OPEN = 10_000  # deliveries, and consumers, of one channel kept in mind
MOST_RECEIVED = 1_000  # receive spans of one channel's messages that are kept in mind
_ROOM = 120_000  # bytes of headers
_ASKED = {"ack": ("multiple",), "nack": ("multiple", "requeue"), "reject": ("requeue",)}
_RETRIED = ("rejected", "delivery_limit")  # reasons of x-death that follow a try


@lru_cache(1024)
def destination(exchange: str | None, routing_key: str | None, queue: str = "") -> str:
    """``exchange:routing key:queue``, empty parts left out, equal key and queue said once.

    By the conventions for RabbitMQ; ``amq.default`` where all are empty.
    """
    parts = (exchange, routing_key, "" if queue == routing_key else queue)
    return ":".join(part for part in parts if part) or "amq.default"


def attributes(routing_key: str | None, message_id: object, correlation_id: object) -> dict[str, Any]:
    """Span attributes of a message on either side."""
    found = {}
    if routing_key:
        found[semconv.MESSAGING_RABBITMQ_ROUTING_KEY] = text(routing_key)
    if message_id:
        found[semconv.MESSAGING_MESSAGE_ID] = text(message_id)
    if correlation_id:
        found[semconv.MESSAGING_MESSAGE_CONVERSATION_ID] = text(correlation_id)
    return found


def fits(headers: Headers) -> bool:
    """Whether they go into one frame of 128 KiB, as the broker demands: else the context stays behind."""
    if headers.size < _ROOM:
        return True
    lost("no room for the context in the headers")
    return False


def size(body: Any) -> int:
    """Bytes of a body as a client was given it."""
    if type(body) is bytes:
        return len(body)
    return len(body.encode() if isinstance(body, str) else body or b"")


def delivery(
    table: Mapping[Any, Any] | None,
    *,
    exchange: str | None,
    routing_key: str | None,
    queue: str,
    body: Any,
    captured: bool,
    tag: int | None,
    redelivered: object,
    message_id: object,
    correlation_id: object,
) -> Delivery:
    """One message as its consumer got it; ``table`` are its headers, ``captured`` says that its body may be."""
    more: dict[str, Any] = attributes(routing_key, message_id, correlation_id)
    if table and "x-first-death-queue" in table:
        reason = text(table.get("x-first-death-reason"))
        more.update(dead_letters.Death(reason, text(table["x-first-death-queue"])).attributes())
    if tag:
        more[semconv.MESSAGING_RABBITMQ_DELIVERY_TAG] = tag
    return Delivery(
        destination=destination(exchange, routing_key, queue),
        headers=Headers(table),
        body=body if captured else None,
        body_size=size(body),
        attempt=attempt(table, queue, redelivered),
        more=more,
    )


def attempt(table: Mapping[Any, Any] | None, queue: str, redelivered: object) -> int:
    """Which try of this queue it is, as far as the broker tells; 1 is the first.

    Quorum queues count deliveries. A classic queue says only that it was delivered before: that counts
    as one. A message that came back over a dead letter exchange was tried as often as it died here.
    """
    before = int(bool(redelivered))
    if not table:
        return before + 1
    with guarded("delivery count"):
        counted = table.get("x-delivery-count")
        before = counted if isinstance(counted, int) and counted > 0 else before
        deaths = table.get("x-death")
        for death in deaths if isinstance(deaths, list) else ():
            if queue and text(death.get("queue")) == queue and text(death.get("reason")) in _RETRIED:
                before += max(int(death.get("count") or 0), 0)
    return before + 1


class Queues(OrderedDict[Any, str]):
    """Which queue a delivery or a consumer came from, by its tag; the oldest goes where there are too many."""

    def __setitem__(self, tag: Any, queue: str) -> None:
        super().__setitem__(tag, queue)
        if len(self) > MOST_OPEN:
            self.popitem(last=False)


class Open:
    """Deliveries of one channel that were handed over and not settled yet, by delivery tag."""

    def __init__(self) -> None:
        self._held: OrderedDict[int, Delivery] = OrderedDict()
        self._received: OrderedDict[int, SpanContext] = OrderedDict()

    def hold(self, tag: int, delivery: Delivery) -> None:
        """Keep it in mind until it is settled; the oldest goes where there are too many."""
        self._held[tag] = light(delivery)
        if len(self._held) > MOST_OPEN:
            self._held.popitem(last=False)

    def came(self, tag: int, received: SpanContext | None) -> None:
        """Keep in mind by which receive span it came."""
        if received is not None:
            self._received[tag] = received
            if len(self._received) > MOST_RECEIVED:
                self._received.popitem(last=False)

    def received(self, tag: int) -> SpanContext | None:
        """The receive span it came by, where there was one; of a message that is not to be settled, once."""
        return self._received.get(tag) if tag in self._held else self._received.pop(tag, None)

    def settle(self, tag: int, multiple: bool) -> list[Delivery]:
        """Those that this call settles; with ``multiple`` all up to the tag, tag 0 meaning all."""
        if not multiple:
            self._received.pop(tag, None)
            held = self._held.pop(tag, None)
            return [] if held is None else [held]
        tags = [one for one in self._held if not tag or one <= tag]
        for one in tags:
            self._received.pop(one, None)
        return [self._held.pop(one) for one in tags if one in self._held]


class Channel:
    """What is kept of one channel: its spans, and the messages that are on their way."""

    requeued = {"nack": True, "reject": True}  # what the client does where it is not told

    def __init__(self, spans: Messaging, options: Options | None) -> None:
        self.spans = spans
        self.captures = options is not None and options.body > 0
        self.open = Open()
        self.queues = Queues()  # by consumer tag
        self.running: dict[int, Running[int]] = {}  # handlers at work, by delivery tag

    def keep(self, delivery: Delivery, tag: int, consumer: str, queue: str, *, settled: bool) -> None:
        """Remember whose it is, and unless it is ``settled`` already, that it waits for it from now on."""
        if consumer and self.queues.get(consumer) != queue:
            self.queues[consumer] = queue
        if not settled:
            self.open.hold(tag, delivery)

    def handler(self, tag: int | None, processing: Processing) -> Running[int]:
        """The handler of the message of this tag; a message that needs no acknowledgement may have none."""
        return Running(self.running, processing, tag or 0)

    def settled(
        self, name: str, tag: int, args: Any, options: Any, *, start: int, error: BaseException | None
    ) -> None:
        """Record such a call: on the process span of the message in hand that was acknowledged, else by a span."""
        asked = dict(zip(_ASKED[name], args, strict=False)) | options if args or options else {}
        multiple = bool(asked.get("multiple", False))
        found = self.open.settle(tag, multiple)
        more = None
        if name in self.requeued:
            more = {semconv.THROUGHLINE_MESSAGE_REQUEUE: bool(asked.get("requeue", self.requeued[name]))}
        elif found and error is None and not multiple and told(self.running, tag, name):
            return
        self.spans.settle(*found, start=start, name=name, error=error, more=more)
