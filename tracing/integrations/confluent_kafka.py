"""confluent-kafka: context in headers, spans for sending, receiving, processing and committing.

Explicitly, with drop-in classes (also ``SerializingProducer`` and ``DeserializingConsumer``):

    from tracing.integrations.confluent_kafka import Consumer, Producer

``produce`` makes a send span that ends with the delivery report, ``consume`` a receive span per batch,
``commit`` a settle span; ``with consumer.process(message):`` stands around the handler.

Or without touching the code that uses the client, before it makes its first one:

    from tracing.integrations import confluent_kafka
    confluent_kafka.instrument()

Then a message that ``poll`` hands out is being processed until the same thread polls again or the consumer
closes; ``process(consumer, message)`` says it exactly, and is the only way for a batch.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import confluent_kafka
from opentelemetry.trace import TracerProvider

from tracing import envelope
from tracing.envelope import Envelope
from tracing.guard import guarded, lost
from tracing.headers import Headers
from tracing.integrations import _kafka
from tracing.options import Options
from tracing.spans import Delivery, Processing, Sending

Report = Callable[[Any, Any], None]
_ONLY_ERRORS = "delivery.report.only.error"


def delivery_of(message: Any, group: str = "", *, body: bool = False) -> Delivery:
    """The parts of a confluent-kafka message that spans are made from; never raises.

    ``body`` keeps the body too, for a span that shows it.
    """
    try:
        value = message.value()
        return Delivery(
            destination=message.topic() or "",
            headers=Headers(message.headers()),
            key=message.key(),
            partition=message.partition(),
            offset=message.offset(),
            group=group,
            body=value if body else None,
            body_size=_kafka.size(value),
            tombstone=value is None,
        )
    except Exception:  # noqa: BLE001  hot: as guarded does
        lost("kafka message")
    return Delivery(destination="")


class Producer(_kafka.Told, confluent_kafka.Producer):
    """A ``confluent_kafka.Producer`` whose messages carry the current trace, entities and event."""

    def __init__(
        self,
        *args: Any,
        provider: TracerProvider | None = None,
        options: Options | None = None,
        **config: Any,
    ) -> None:
        """Arguments of the client; ``provider`` where the global one is not meant."""
        given = _given(args, config)
        self._begin(given.get("bootstrap.servers"), given.get("client.id"), provider, options)
        self._default: Report | None = given.get("on_delivery")
        # a client that reports errors alone never says that a message has arrived: asked of us instead
        self._only_errors = str(given.get(_ONLY_ERRORS, "")).lower() in ("true", "1")
        if self._only_errors:
            args, config = (), {**given, _ONLY_ERRORS: False}
        super().__init__(*args, **config)

    def produce(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int = -1,
        callback: Report | None = None,
        on_delivery: Report | None = None,
        timestamp: int = 0,
        headers: Any = None,
        *,
        event: Envelope | None = None,
    ) -> None:
        """As the client's own; ``event`` adds CloudEvents headers. The span ends with the delivery report.

        Raises what the client raises (a full queue, an unknown topic), after ending the span with it.
        """
        carried = Headers(headers)
        sending = self._spans.send(
            topic,
            carried,
            key=key,
            body_size=_kafka.size(value),
            tombstone=value is None,
            body=value if self._capture else None,
            event=event,
        )
        report = _report(sending, on_delivery or callback or self._default, self._only_errors)
        try:
            super().produce(
                topic,
                value,
                key,
                partition,
                on_delivery=report,
                timestamp=timestamp,
                headers=_kafka.outgoing(headers, carried),
            )
        except BaseException as error:
            sending.end(error=error)
            raise

    def dead_letter(self, topic: str, message: Any, *, error: object, **more: Any) -> None:
        """Send a message on to the dead letters; its headers and the span say why and where it died.

        ``more`` are further arguments of ``produce``.
        """
        headers = _kafka.marked(
            message.headers(), message.topic(), message.partition(), message.offset(), error
        )
        self.produce(topic, value=message.value(), key=message.key(), headers=headers, **more)


class _Configured(_kafka.Told):
    """The making of the client's serializing classes, which hand on nothing but the configuration."""

    def __init__(
        self,
        conf: dict[str, Any],
        *,
        provider: TracerProvider | None = None,
        options: Options | None = None,
    ) -> None:
        """Configuration of the client; ``provider`` where the global one is not meant."""
        self._provider = provider or self._provider
        self._options = options or self._options
        super().__init__(conf)  # type: ignore[call-arg]


class SerializingProducer(_Configured, confluent_kafka.SerializingProducer, Producer):
    """A ``confluent_kafka.SerializingProducer`` that traces; sizes are those of the serialized bytes."""

    def produce(  # type: ignore[override]
        self,
        topic: str,
        key: Any = None,
        value: Any = None,
        partition: int = -1,
        on_delivery: Report | None = None,
        timestamp: int = 0,
        headers: Any = None,
        *,
        event: Envelope | None = None,
    ) -> None:
        """As the client's own, with ``event``. What a serializer raises is raised before there is a span."""
        if event is not None:
            carried = Headers(headers)
            envelope.write(event, carried)
            headers = _kafka.outgoing(headers, carried)
        super().produce(topic, key, value, partition, on_delivery, timestamp, headers)


class Consumer(_kafka.Consuming, confluent_kafka.Consumer):
    """A ``confluent_kafka.Consumer`` with ``process(message)``, a span around the handler."""

    def __init__(
        self,
        *args: Any,
        provider: TracerProvider | None = None,
        options: Options | None = None,
        **config: Any,
    ) -> None:
        """Arguments of the client; ``provider`` where the global one is not meant."""
        given = _given(args, config)
        self._begin(given.get("bootstrap.servers"), given.get("client.id"), provider, options)
        self._consume(given.get("group.id"), given.get("enable.auto.commit", True))
        super().__init__(*args, **config)

    def poll(self, *args: Any, **more: Any) -> Any:
        """As the client's own. After ``instrument()`` the message is being processed until the next call."""
        self._handover.finish()
        message = super().poll(*args, **more)
        if self._automatic and message is not None and message.error() is None:
            self._handover.handed(self._delivery(message))
        return message

    def consume(self, *args: Any, **more: Any) -> list[Any]:
        """As the client's own, with one receive span for the messages of the batch, linked to each."""
        self._handover.finish()
        start = time.time_ns()
        messages: list[Any] = super().consume(*args, **more)
        good = [self._delivery(message) for message in messages if message.error() is None]
        self._handover.received(good, start=start)
        return messages

    def process(self, message: Any, *, attempt: int | None = None) -> Processing:
        """A process span around the handler; the message's trace, entities and event are current inside.

        ``attempt`` is counted here where it is not given: handing the same offset to ``process``
        again is the next attempt. An exception of the handler ends the span as failed and goes on.
        """
        return self._handover.process(self._delivery(message), attempt)

    def commit(self, *args: Any, **more: Any) -> Any:
        """As the client's own, with a settle span linked to the messages whose offsets are committed."""
        start, failure = time.time_ns(), None
        try:
            return super().commit(*args, **more)
        except BaseException as error:
            failure = error
            raise
        finally:
            with guarded("settle span"):
                self._settled(*args, start=start, error=failure, **more)

    def seek(self, *args: Any, **more: Any) -> Any:
        """As the client's own; what is being processed is done, as whoever goes back tries again."""
        self._handover.finish()
        return super().seek(*args, **more)

    def close(self) -> None:
        """As the client's own; what is being processed is done."""
        self._handover.finish_all()
        super().close()

    def __exit__(self, *failure: Any) -> Any:
        self._handover.finish(failure[1] if len(failure) > 1 else None)
        return super().__exit__(*failure)

    def _settled(
        self, message: Any = None, offsets: Any = None, *_: Any, start: int, error: object, **__: Any
    ) -> None:
        if message is not None:
            rows = [self._delivery(message)]
        elif offsets is not None:
            rows = [
                row for one in offsets for row in self._handover.before(one.topic, one.partition, one.offset)
            ]
        else:
            return self._handover.settled(start=start, error=error)
        return self._handover.settled(*rows, start=start, error=error) if rows else None

    def _delivery(self, message: Any) -> Delivery:
        return delivery_of(message, self._group, body=self._capture)


class DeserializingConsumer(_Configured, confluent_kafka.DeserializingConsumer, Consumer):
    """A ``confluent_kafka.DeserializingConsumer`` that traces."""

    def poll(self, *args: Any, **more: Any) -> Any:
        """As the client's own; what a deserializer raises is the error of the message's handling."""
        try:
            return super().poll(*args, **more)
        except Exception as error:
            self._handover.finish(error)
            raise


_module = _kafka.Module(
    Producer,
    SerializingProducer,
    Consumer,
    DeserializingConsumer,
    consumer=Consumer,
    delivery=delivery_of,
    leave=".aio",
)
process = _module.process
instrument = _module.instrument
uninstrument = _module.uninstrument


def _given(args: tuple[Any, ...], config: dict[str, Any]) -> dict[str, Any]:
    return {**(args[0] if args and isinstance(args[0], dict) else {}), **config}


def _report(sending: Sending, then: Report | None, only_errors: bool) -> Report:
    def report(error: Any, message: Any) -> None:
        partition = offset = None
        with guarded("delivery report"):
            partition, offset = message.partition(), message.offset()
        sending.end(partition=partition, offset=offset, error=error)
        if then is not None and (error is not None or not only_errors):
            then(error, message)

    return report
