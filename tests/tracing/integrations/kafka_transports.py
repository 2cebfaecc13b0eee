"""The Kafka clients as the kit drives them: each in the styles an application may use."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import aiokafka
import confluent_kafka
import kafka
from confluent_kafka.admin import AdminClient, NewTopic

from tests.tracing.kit import RefusedError, Taken, Transport
from tests.tracing.kit.transport import Handler, Pairs
from tracing.integrations import aiokafka as traced_aiokafka
from tracing.integrations import confluent_kafka as traced_confluent
from tracing.integrations import kafka_python as traced_kafka_python
from tracing.testing import Capture

_MOST_ROUNDS = 60


class KafkaTransport(Transport):
    """What all of them share: topics, and an uninstrumented producer that puts any headers."""

    def __init__(self, capture: Capture, url: str) -> None:
        super().__init__(capture)
        self.url = url

    def declare(self, destination: str) -> None:
        admin = AdminClient({"bootstrap.servers": self.url})
        admin.create_topics([NewTopic(destination, 1, 1)])[destination].result(20)

    def close(self) -> None:
        """Nothing is open between the calls."""

    def put(self, destination: str, body: bytes, headers: Pairs) -> None:
        plain = _PLAIN[0]({"bootstrap.servers": self.url})
        plain.produce(destination, body, headers=list(headers))
        assert 0 == plain.flush(20)

    def rounds(self) -> Iterator[int]:
        yield from range(_MOST_ROUNDS)
        raise AssertionError("the messages did not come in time")


# in a list, where ``instrument()`` does not find it
_PLAIN = [confluent_kafka.Producer]


class Confluent(KafkaTransport):
    """confluent-kafka by its drop-in classes, ``process`` around the handler."""

    batches = True

    def __init__(self, capture: Capture, url: str) -> None:
        super().__init__(capture, url)
        self.producer = self.make_producer({"bootstrap.servers": url})

    def make_producer(self, config: dict[str, Any]) -> Any:
        return traced_confluent.Producer(config, provider=self.capture.provider)

    def make_consumer(self, config: dict[str, Any]) -> Any:
        return traced_confluent.Consumer(config, provider=self.capture.provider)

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        for body in bodies:
            self.producer.produce(destination, value=body, headers=headers)
        assert 0 == self.producer.flush(20)

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        consumer = self.make_consumer(
            {
                "bootstrap.servers": self.url,
                "group.id": f"{group}-{destination}",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([destination])
        left = count
        try:
            for _ in self.rounds():
                found = consumer.consume(count, 1) if together and self.batches else [consumer.poll(1)]
                for message in found:
                    if message is not None and message.error() is None:
                        self.one(consumer, message, handler)
                        left -= 1
                if not left:
                    break
        finally:
            consumer.close()

    def one(self, consumer: Any, message: Any, handler: Handler) -> None:
        try:
            with consumer.process(message):
                handler(_taken(message))
        except RefusedError:
            self.one(consumer, message, handler)

    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        self.producer.dead_letter(destination, taken.raw, error=error)
        self.producer.flush(20)


class ConfluentSerde(Confluent):
    """confluent-kafka by its serializing and deserializing classes."""

    batches = False  # the client has no ``consume`` there

    def make_producer(self, config: dict[str, Any]) -> Any:
        told = config | {"value.serializer": lambda value, _: value}
        return traced_confluent.SerializingProducer(told, provider=self.capture.provider)

    def make_consumer(self, config: dict[str, Any]) -> Any:
        told = config | {"value.deserializer": lambda value, _: value}
        return traced_confluent.DeserializingConsumer(told, provider=self.capture.provider)


class ConfluentInstrumented(Confluent):
    """confluent-kafka as it is, after ``instrument()``: the handling of ``poll`` is opened by itself."""

    def make_producer(self, config: dict[str, Any]) -> Any:
        return confluent_kafka.Producer(config)

    def make_consumer(self, config: dict[str, Any]) -> Any:
        return confluent_kafka.Consumer(config)

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        consumer = self.make_consumer(
            {
                "bootstrap.servers": self.url,
                "group.id": f"{group}-{destination}",
                "auto.offset.reset": "earliest",
            }
        )
        consumer.subscribe([destination])
        left = count
        for _ in self.rounds():
            message = consumer.poll(1)
            if message is not None and message.error() is None:
                try:
                    handler(_taken(message))
                    left -= 1
                except RefusedError:
                    consumer.seek(
                        confluent_kafka.TopicPartition(destination, message.partition(), message.offset())
                    )
            if not left:
                break
        consumer.close()

    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        self.producer.dead_letter(destination, taken.raw, error=error)
        self.producer.flush(20)


def _taken(message: Any) -> Taken:
    return Taken(message.value(), message.headers(), message)


class KafkaPython(KafkaTransport):
    """kafka-python by its drop-in classes: iteration, or ``poll`` for a batch."""

    def __init__(self, capture: Capture, url: str) -> None:
        super().__init__(capture, url)
        self.producer = self.make_producer(bootstrap_servers=[url])

    def make_producer(self, **configs: Any) -> Any:
        return traced_kafka_python.KafkaProducer(provider=self.capture.provider, **configs)

    def make_consumer(self, *topics: str, **configs: Any) -> Any:
        return traced_kafka_python.KafkaConsumer(*topics, provider=self.capture.provider, **configs)

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        # this client sends no null header
        given = None if headers is None else [pair for pair in headers if pair[1] is not None]
        for body in bodies:
            self.producer.send(destination, value=body, headers=given).get(20)

    def consumer(self, destination: str, group: str) -> Any:
        return self.make_consumer(
            destination,
            bootstrap_servers=[self.url],
            group_id=f"{group}-{destination}",
            auto_offset_reset="earliest",
            consumer_timeout_ms=60_000,
        )

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        consumer = self.consumer(destination, group)
        try:
            for record in self.records(consumer, count, together):
                self.one(consumer, record, handler)
        finally:
            consumer.close()

    def records(self, consumer: Any, count: int, together: bool) -> Iterator[Any]:
        if not together:
            for _ in range(count):
                yield next(consumer)
            return
        left = count
        for _ in self.rounds():
            for records in consumer.poll(timeout_ms=1000).values():
                yield from records
                left -= len(records)
            if not left:
                return

    def one(self, consumer: Any, record: Any, handler: Handler) -> None:
        try:
            with consumer.process(record):
                handler(Taken(record.value, record.headers, record))
        except RefusedError:
            self.one(consumer, record, handler)

    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        self.producer.dead_letter(destination, taken.raw, error=error).get(20)

    def close(self) -> None:
        self.producer.close()


class KafkaPythonInstrumented(KafkaPython):
    """kafka-python as it is, after ``instrument()``: the handling of iteration is opened by itself."""

    def make_producer(self, **configs: Any) -> Any:
        return kafka.KafkaProducer(**configs)

    def make_consumer(self, *topics: str, **configs: Any) -> Any:
        return kafka.KafkaConsumer(*topics, **configs)

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        consumer = self.consumer(destination, group)
        left = count
        for record in consumer:
            try:
                handler(Taken(record.value, record.headers, record))
                left -= 1
            except RefusedError:
                consumer.seek(kafka.TopicPartition(record.topic, record.partition), record.offset)
            if not left:
                break
        consumer.close()


class Aiokafka(KafkaTransport):
    """aiokafka by its drop-in classes: ``getone``, or ``getmany`` for a batch."""

    def make_producer(self, **configs: Any) -> Any:
        return traced_aiokafka.AIOKafkaProducer(provider=self.capture.provider, **configs)

    def make_consumer(self, *topics: str, **configs: Any) -> Any:
        return traced_aiokafka.AIOKafkaConsumer(*topics, provider=self.capture.provider, **configs)

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        async def sending() -> None:
            async with self.make_producer(bootstrap_servers=self.url) as producer:
                for body in bodies:
                    # what a consumer gives is a tuple, what the producer takes a list
                    given = None if headers is None else list(headers)
                    await producer.send_and_wait(destination, body, headers=given)

        _run(sending)

    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        async def sending() -> None:
            async with self.make_producer(bootstrap_servers=self.url) as producer:
                await producer.dead_letter(destination, taken.raw, error=error)

        _run(sending)

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        async def handling() -> None:
            consumer = self.make_consumer(
                destination,
                bootstrap_servers=self.url,
                group_id=f"{group}-{destination}",
                auto_offset_reset="earliest",
            )
            async with consumer:
                await self.take(consumer, handler, count, together)

        _run(handling)

    async def take(self, consumer: Any, handler: Handler, count: int, together: bool) -> None:
        left = count
        while left:
            found = await consumer.getmany(timeout_ms=1000) if together else {0: [await consumer.getone()]}
            for records in found.values():
                for record in records:
                    self.one(consumer, record, handler)
                    left -= 1

    def one(self, consumer: Any, record: Any, handler: Handler) -> None:
        try:
            with consumer.process(record):
                handler(Taken(record.value, record.headers, record))
        except RefusedError:
            self.one(consumer, record, handler)


class AiokafkaInstrumented(Aiokafka):
    """aiokafka as it is, after ``instrument()``: the handling of iteration is opened by itself."""

    def make_producer(self, **configs: Any) -> Any:
        return aiokafka.AIOKafkaProducer(**configs)

    def make_consumer(self, *topics: str, **configs: Any) -> Any:
        return aiokafka.AIOKafkaConsumer(*topics, **configs)

    async def take(self, consumer: Any, handler: Handler, count: int, together: bool) -> None:
        left = count
        async for record in consumer:
            try:
                handler(Taken(record.value, record.headers, record))
                left -= 1
            except RefusedError:
                consumer.seek(aiokafka.TopicPartition(record.topic, record.partition), record.offset)
            if not left:
                return


def _run(work: Callable[[], Any]) -> None:
    """Run it on a loop of its own: a handler of the kit is a plain function, also inside a running loop."""
    context = contextvars.copy_context()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(context.run, lambda: asyncio.run(asyncio.wait_for(work(), 120))).result()


@contextmanager
def instrumented(module: Any, capture: Capture) -> Iterator[None]:
    """The integration's ``instrument()`` for one test."""
    module.instrument(provider=capture.provider)
    try:
        yield
    finally:
        module.uninstrument()
