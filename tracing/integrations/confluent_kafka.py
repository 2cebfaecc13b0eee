"""Drop-in ``Producer`` and ``Consumer`` for confluent-kafka that carry context and make spans.

    from tracing.integrations.confluent_kafka import Consumer, Producer

Subclasses of the client's own classes, so that every other method stays what it is.
``produce`` makes a send span that ends with the delivery report. ``poll`` makes none by
itself; ``consume`` makes one receive span per batch, and ``commit(message=...)`` a settle
span. Put ``with consumer.process(message):`` around the handler.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import confluent_kafka
from opentelemetry.trace import Span, SpanContext, TracerProvider

from tracing.envelope import Envelope
from tracing.guard import guarded
from tracing.headers import Headers
from tracing.spans import Delivery, Messaging, Sending

_REMEMBERED = 10_000  # messages whose batch or attempt is kept in mind
Coordinates = tuple[str, int, int]


def _client(args: tuple[Any, ...], options: dict[str, Any], provider: TracerProvider | None) -> Messaging:
    config = {**(args[0] if args and isinstance(args[0], dict) else {}), **options}
    found: dict[str, str | int] = {}
    if client_id := config.get("client.id"):
        found["client_id"] = str(client_id)
    first = str(config.get("bootstrap.servers") or "").split(",")[0].strip()
    host, colon, port = first.rpartition(":")
    if colon and port.isdigit():
        found |= {"server_address": host.rpartition("//")[2], "server_port": int(port)}
    return Messaging("kafka", provider=provider, **found)


def delivery_of(message: Any, group: str = "") -> Delivery:
    """The parts of a confluent-kafka message that spans are made from; never raises."""
    with guarded("kafka message"):
        body = message.value()
        return Delivery(
            destination=message.topic() or "",
            headers=Headers(message.headers()),
            key=message.key(),
            partition=message.partition(),
            offset=message.offset(),
            group=group,
            body_size=None if body is None else len(body),
        )
    return Delivery(destination="")


class Producer(confluent_kafka.Producer):
    """A ``confluent_kafka.Producer`` whose messages carry the current trace, entities and event."""

    def __init__(self, *args: Any, provider: TracerProvider | None = None, **options: Any) -> None:
        """Arguments of the client; ``provider`` where the global one is not meant."""
        super().__init__(*args, **options)
        self._spans = _client(args, options, provider)

    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int = -1,
        callback: Callable[[Any, Any], None] | None = None,
        on_delivery: Callable[[Any, Any], None] | None = None,
        timestamp: int = 0,
        headers: Any = None,
        *,
        event: Envelope | None = None,
    ) -> None:
        """As the client's own; ``event`` adds CloudEvents headers. The span ends with the delivery report.

        Raises what the client raises (a full queue, an unknown topic), after ending the span with it.
        """
        carried = Headers(headers)
        sending = self._spans.send(topic, carried, key=key, body_size=_size(value), event=event)
        report = _report(sending, on_delivery or callback)
        try:
            super().produce(
                topic,
                value,
                key,
                partition,
                on_delivery=report,
                timestamp=timestamp,
                headers=[*carried.pairs()],
            )
        except BaseException as error:
            sending.end(error=error)
            raise


def _size(value: Any) -> int | None:
    if value is None:
        return None
    with guarded("message body"):
        return len(value.encode() if isinstance(value, str) else value)
    return 0


def _report(sending: Sending, then: Callable[[Any, Any], None] | None) -> Callable[[Any, Any], None]:
    def report(error: Any, message: Any) -> None:
        partition = offset = None
        with guarded("delivery report"):
            partition, offset = message.partition(), message.offset()
        sending.end(partition=partition, offset=offset, error=error)
        if then is not None:
            then(error, message)

    return report


class Consumer(confluent_kafka.Consumer):
    """A ``confluent_kafka.Consumer`` with ``process(message)``, a span around the handler."""

    def __init__(self, *args: Any, provider: TracerProvider | None = None, **options: Any) -> None:
        """Arguments of the client; ``provider`` where the global one is not meant."""
        super().__init__(*args, **options)
        config = {**(args[0] if args and isinstance(args[0], dict) else {}), **options}
        self._spans = _client(args, options, provider)
        self._group = str(config.get("group.id") or "")
        self._batches: OrderedDict[Coordinates, SpanContext] = OrderedDict()
        self._attempts: OrderedDict[Coordinates, int] = OrderedDict()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[Any]:
        """As the client's own, with one receive span for the messages of the batch, linked to each."""
        start = time.time_ns()
        messages = super().consume(num_messages, timeout)
        with guarded("receive span"):
            good = [delivery_of(message, self._group) for message in messages if message.error() is None]
            if received := self._spans.receive(good, start=start):
                for one in good:
                    _remember(self._batches, _where(one), received)
        return list(messages)

    def process(self, message: Any, *, attempt: int | None = None) -> AbstractContextManager[Span]:
        """A process span around the handler; the message's trace, entities and event are current inside.

        ``attempt`` is counted here where it is not given: handing the same offset to ``process``
        again is the next attempt. An exception of the handler ends the span as failed and goes on.
        """
        delivery = delivery_of(message, self._group)
        received = None
        with guarded("process span"):
            where = _where(delivery)
            attempt = attempt or self._attempts.get(where, 0) + 1
            _remember(self._attempts, where, attempt)
            received = self._batches.get(where)
        return self._spans.process(delivery, attempt=attempt or 1, received=received)

    def commit(self, message: Any = None, **options: Any) -> Any:
        """As the client's own; with ``message`` a settle span, linked to the message's creation."""
        if message is None:
            return super().commit(**options)
        start, failure = time.time_ns(), None
        try:
            return super().commit(message=message, **options)
        except BaseException as error:
            failure = error
            raise
        finally:
            self._spans.settle(delivery_of(message, self._group), start=start, error=failure)


def _where(delivery: Delivery) -> Coordinates:
    return delivery.destination, delivery.partition or 0, delivery.offset or 0


def _remember(kept: OrderedDict[Coordinates, Any], where: Coordinates, value: Any) -> None:
    kept[where] = value
    kept.move_to_end(where)
    while len(kept) > _REMEMBERED:
        kept.popitem(last=False)
