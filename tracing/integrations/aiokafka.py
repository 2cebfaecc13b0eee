"""aiokafka: context in headers, spans for sending, receiving, processing and committing.

Explicitly, with drop-in classes:

    from tracing.integrations.aiokafka import AIOKafkaConsumer, AIOKafkaProducer

``send`` and ``send_and_wait`` make a send span that ends when the broker has answered, ``getmany`` a receive
span for its records, ``commit`` a settle span; ``with consumer.process(record):`` stands around the handler.

Or without touching the code that uses the client, before it makes its first one:

    from tracing.integrations import aiokafka
    aiokafka.instrument()

Then a record that ``getone`` or iteration hands out is being processed until the same task asks for the next
one or ends; ``process(consumer, record)`` says it exactly, and is the only way for a batch, and for a ``getone``
that runs in a task of its own (``asyncio.wait_for`` before Python 3.12).
"""

from __future__ import annotations

import asyncio
import threading
import time
import weakref
from collections.abc import Hashable
from typing import Any

import aiokafka
from opentelemetry.trace import TracerProvider

from tracing.envelope import Envelope
from tracing.guard import guarded
from tracing.headers import Headers
from tracing.integrations import _kafka
from tracing.options import Options
from tracing.spans import Delivery, Processing, Sending


class AIOKafkaProducer(_kafka.Told, aiokafka.AIOKafkaProducer):  # type: ignore[misc]
    """An ``aiokafka.AIOKafkaProducer`` whose messages carry the current trace, entities and event."""

    def __init__(
        self, *, provider: TracerProvider | None = None, options: Options | None = None, **configs: Any
    ) -> None:
        """Arguments of the client; ``provider`` where the global one is not meant."""
        self._begin(configs.get("bootstrap_servers"), configs.get("client_id"), provider, options)
        super().__init__(**configs)

    async def send(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Any = None,
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
            future = await super().send(topic, value, key, partition, timestamp_ms, given)
        except BaseException as error:
            sending.end(error=error)
            raise
        with guarded("delivery report"):
            future.add_done_callback(lambda done: _answered(sending, done))
        return future

    async def send_and_wait(
        self,
        topic: str,
        value: Any = None,
        key: Any = None,
        partition: int | None = None,
        timestamp_ms: int | None = None,
        headers: Any = None,
        *,
        event: Envelope | None = None,
    ) -> Any:
        """``send``, and then the broker's answer."""
        return await (await self.send(topic, value, key, partition, timestamp_ms, headers, event=event))

    async def dead_letter(self, topic: str, record: Any, *, error: object, **more: Any) -> Any:
        """Send a record on to the dead letters and wait; its headers and the span say why and where it died.

        ``more`` are further arguments of ``send_and_wait``.
        """
        headers = _kafka.marked(record.headers, record.topic, record.partition, record.offset, error)
        return await self.send_and_wait(topic, value=record.value, key=record.key, headers=headers, **more)


class AIOKafkaConsumer(_kafka.Consuming, aiokafka.AIOKafkaConsumer):  # type: ignore[misc]
    """An ``aiokafka.AIOKafkaConsumer`` with ``process(record)``, a span around the handler."""

    def __init__(
        self,
        *topics: Any,
        provider: TracerProvider | None = None,
        options: Options | None = None,
        **configs: Any,
    ) -> None:
        """Arguments of the client; ``provider`` where the global one is not meant."""
        self._begin(configs.get("bootstrap_servers"), configs.get("client_id"), provider, options)
        self._consume(configs.get("group_id"), configs.get("enable_auto_commit", True), owner=_owner)
        self._watched: weakref.WeakSet[asyncio.Task[Any]] = weakref.WeakSet()
        super().__init__(*topics, **configs)

    async def getone(self, *partitions: Any) -> Any:
        """As the client's own. After ``instrument()`` the record is being processed until the next call."""
        self._handover.finish()
        record = await super().getone(*partitions)
        if self._automatic:
            self._watch()
            self._handover.handed(self._delivery(record))
        return record

    async def getmany(self, *partitions: Any, **more: Any) -> Any:
        """As the client's own, with one receive span for the records, linked to each."""
        self._handover.finish()
        start = time.time_ns()
        found = await super().getmany(*partitions, **more)
        rows = [self._delivery(record) for records in found.values() for record in records]
        if self._automatic and len(rows) == 1:
            self._watch()
        self._handover.received(rows, start=start)
        return found

    def process(self, record: Any, *, attempt: int | None = None) -> Processing:
        """A process span around the handler; the record's trace, entities and event are current inside.

        A plain ``with``, also around ``await``. ``attempt`` is counted here where it is not given: handing
        the same offset to ``process`` again is the next attempt. An exception of the handler ends the span
        as failed and goes on.
        """
        return self._handover.process(self._delivery(record), attempt)

    async def commit(self, offsets: Any = None) -> None:
        """As the client's own, with a settle span linked to the messages whose offsets are committed."""
        start = time.time_ns()
        try:
            await super().commit(offsets)
        except BaseException as error:
            _kafka.committed(self._handover, offsets, start, error)
            raise
        _kafka.committed(self._handover, offsets, start)

    def seek(self, *args: Any, **more: Any) -> Any:
        """As the client's own; what is being processed is done, as whoever goes back tries again."""
        self._handover.finish()
        return super().seek(*args, **more)

    async def stop(self) -> None:
        """As the client's own; what is being processed is done."""
        self._handover.finish_all()
        await super().stop()

    def _delivery(self, record: Any) -> Delivery:
        return _kafka.record_delivery(record, self._group, body=self._capture)

    def _watch(self) -> None:
        """A task that ends has done with its record."""
        task = asyncio.current_task()
        if task is not None and task not in self._watched:
            self._watched.add(task)
            task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._handover.finish(_error_of(task), owner=task)


_module = _kafka.Module(
    AIOKafkaProducer, AIOKafkaConsumer, consumer=AIOKafkaConsumer, delivery=_kafka.record_delivery
)
process = _module.process
instrument = _module.instrument
uninstrument = _module.uninstrument


def _owner() -> Hashable:
    """Who is handling a record: the task, or the thread where there is none."""
    try:
        return asyncio.current_task() or threading.get_ident()
    except RuntimeError:
        return threading.get_ident()


def _error_of(done: asyncio.Future[Any]) -> BaseException | None:
    """Its error, without asking for it: asyncio warns of errors that nobody has asked for."""
    return getattr(done, "_exception", None)


def _answered(sending: Sending, done: asyncio.Future[Any]) -> None:
    """The broker's answer; a cancelled future tells nothing of the message, which is sent all the same."""
    with guarded("delivery report"):
        if done.cancelled():
            sending.end()
        elif error := _error_of(done):
            sending.end(error=error)
        else:
            sending.end(partition=done.result().partition, offset=done.result().offset)
