"""kafka-python: context in headers, spans for sending, receiving, processing and committing.

Explicitly, with drop-in classes:

    from tracing.integrations.kafka_python import KafkaConsumer, KafkaProducer

``send`` makes a send span that ends when the broker has answered, ``poll`` a receive span for its records,
``commit`` a settle span; ``with consumer.process(record):`` stands around the handler.

Or without touching the code that uses the client, before it makes its first one:

    from tracing.integrations import kafka_python
    kafka_python.instrument()

Then a record that iteration hands out is being processed until the same thread asks for the next one or the
consumer closes; ``process(consumer, record)`` says it exactly, and is the only way for a batch.
"""

from __future__ import annotations

import time
from typing import Any

import kafka
from opentelemetry.trace import TracerProvider

from tracing.envelope import Envelope
from tracing.guard import guarded
from tracing.headers import Headers
from tracing.integrations import _kafka
from tracing.options import Options
from tracing.spans import Delivery, Processing


class KafkaProducer(_kafka.Told, kafka.KafkaProducer):  # type: ignore[misc]
    """A ``kafka.KafkaProducer`` whose messages carry the current trace, entities and event."""

    def __init__(
        self, *, provider: TracerProvider | None = None, options: Options | None = None, **configs: Any
    ) -> None:
        """Arguments of the client; ``provider`` where the global one is not meant."""
        self._begin(configs.get("bootstrap_servers"), configs.get("client_id"), provider, options)
        super().__init__(**configs)

    def send(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        headers: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        *,
        event: Envelope | None = None,
    ) -> Any:
        """As the client's own; ``event`` adds CloudEvents headers. The span ends when the broker answers.

        Raises what the client raises, after ending the span with it.
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
        given = _kafka.outgoing(headers, carried)
        try:
            future = super().send(topic, value, key, given, partition, timestamp_ms)
        except BaseException as error:
            sending.end(error=error)
            raise

        def arrived(found: Any) -> None:
            sending.end(partition=found.partition, offset=found.offset, body_size=found.serialized_value_size)

        with guarded("delivery report"):
            future.add_callback(arrived)
            future.add_errback(lambda error: sending.end(error=error))
        return future

    def dead_letter(self, topic: str, record: Any, *, error: object, **more: Any) -> Any:
        """Send a record on to the dead letters; its headers and the span say why and where it died.

        ``more`` are further arguments of ``send``.
        """
        headers = _kafka.marked(record.headers, record.topic, record.partition, record.offset, error)
        good = [pair for pair in headers if pair[1] is not None]  # a null header cannot be sent again
        return self.send(topic, value=record.value, key=record.key, headers=good, **more)


class KafkaConsumer(_kafka.Consuming, kafka.KafkaConsumer):  # type: ignore[misc]
    """A ``kafka.KafkaConsumer`` with ``process(record)``, a span around the handler."""

    _iterating = False

    def __init__(
        self,
        *topics: Any,
        provider: TracerProvider | None = None,
        options: Options | None = None,
        **configs: Any,
    ) -> None:
        """Arguments of the client; ``provider`` where the global one is not meant."""
        self._begin(configs.get("bootstrap_servers"), configs.get("client_id"), provider, options)
        self._consume(configs.get("group_id"), configs.get("enable_auto_commit", True))
        super().__init__(*topics, **configs)

    def __next__(self) -> Any:
        """As the client's own. After ``instrument()`` the record is being processed until the next call."""
        self._handover.finish()
        # the client fetches ahead by its own poll: what it holds back is not handed over yet
        self._iterating = True
        try:
            record = super().__next__()
        finally:
            self._iterating = False
        if self._automatic:
            self._handover.handed(self._delivery(record))
        return record

    def poll(self, *args: Any, **more: Any) -> Any:
        """As the client's own, with one receive span for the records, linked to each."""
        if self._iterating:
            return super().poll(*args, **more)
        self._handover.finish()
        start = time.time_ns()
        found = super().poll(*args, **more)
        if found:
            rows = [self._delivery(record) for records in found.values() for record in records]
            self._handover.received(rows, start=start)
        return found

    def process(self, record: Any, *, attempt: int | None = None) -> Processing:
        """A process span around the handler; the record's trace, entities and event are current inside.

        ``attempt`` is counted here where it is not given: handing the same offset to ``process``
        again is the next attempt. An exception of the handler ends the span as failed and goes on.
        """
        return self._handover.process(self._delivery(record), attempt)

    def commit(self, offsets: Any = None, *args: Any, **more: Any) -> Any:
        """As the client's own, with a settle span linked to the messages whose offsets are committed."""
        start = time.time_ns()
        try:
            answer = super().commit(offsets, *args, **more)
        except BaseException as error:
            _kafka.committed(self._handover, offsets, start, error)
            raise
        _kafka.committed(self._handover, offsets, start)
        return answer

    def commit_async(self, offsets: Any = None, *args: Any, **more: Any) -> Any:
        """As the client's own, with a settle span that ends when the broker has answered."""
        start = time.time_ns()
        future = super().commit_async(offsets, *args, **more)
        with guarded("settle span"):
            future.add_callback(lambda _: _kafka.committed(self._handover, offsets, start))
            future.add_errback(lambda error: _kafka.committed(self._handover, offsets, start, error))
        return future

    def seek(self, *args: Any, **more: Any) -> Any:
        """As the client's own; what is being processed is done, as whoever goes back tries again."""
        self._handover.finish()
        return super().seek(*args, **more)

    def close(self, *args: Any, **more: Any) -> Any:
        """As the client's own; what is being processed is done."""
        self._handover.finish_all()
        return super().close(*args, **more)

    def _delivery(self, record: Any) -> Delivery:
        return _kafka.record_delivery(record, self._group, body=self._capture)


_module = _kafka.Module(KafkaProducer, KafkaConsumer, consumer=KafkaConsumer, delivery=_kafka.record_delivery)
process = _module.process
instrument = _module.instrument
uninstrument = _module.uninstrument
