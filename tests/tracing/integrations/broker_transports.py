"""The kit's adapters for RabbitMQ's clients and Redis streams."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

import aio_pika
import kombu
import pika
import redis

from tests.tracing.kit import RefusedError, Taken, Transport
from tests.tracing.kit.transport import Handler, Pairs
from tracing import dead_letters
from tracing.headers import Headers
from tracing.integrations import pika as traced_pika
from tracing.integrations import redis_streams as traced_redis
from tracing.testing import Capture


class Amqp(Transport):
    """What all clients of RabbitMQ do alike: a destination is an exchange, and each group has a queue there.

    Quorum queues, as those count deliveries.
    """

    groups: Mapping[str, tuple[str, ...]] = {}  # who takes from which destination, by its last part

    headers_repeat = False
    headers_typed = True
    longest_header = 64 * 1024  # all headers go into one frame of 128 KiB

    def __init__(self, capture: Capture, url: str) -> None:
        super().__init__(capture)
        self.url = url
        self.connection = pika.BlockingConnection(pika.URLParameters(url))
        self.channel = self.connection.channel()
        self.channel.confirm_delivery()

    def declare(self, destination: str) -> None:
        self.channel.exchange_declare(destination, "fanout")
        for group in self.groups.get(destination.rpartition(".")[2], ("kit",)):
            queue = f"{destination}.{group}"
            self.channel.queue_declare(queue, durable=True, arguments={"x-queue-type": "quorum"})
            self.channel.queue_bind(queue, destination)

    def put(self, destination: str, body: bytes, headers: Pairs) -> None:
        with kombu.Connection(self.url) as plain:
            kind = {"content_type": "application/octet-stream", "content_encoding": "binary"}
            plain.Producer().publish(body, exchange=destination, headers=dict(headers), **kind)

    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        headers = Headers(taken.headers)
        dead_letters.mark(headers, reason=str(error), source=taken.raw)
        self.send(destination, taken.body, headers=headers.onto(taken.headers))

    def close(self) -> None:
        self.connection.close()


class Pika(Amqp):
    """Blocking channels: callbacks, and single gets where messages are taken together."""

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        for body in bodies:
            properties = pika.BasicProperties(headers=headers) if headers else None
            self.channel.basic_publish(destination, "", body, properties)

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        left = [count]

        def callback(channel: Any, method: Any, properties: Any, body: bytes) -> None:
            try:
                handler(Taken(body, properties.headers, destination))
            except RefusedError:
                channel.basic_nack(method.delivery_tag)
                raise
            channel.basic_ack(method.delivery_tag)
            left[0] -= 1
            if not left[0]:
                channel.stop_consuming()

        tag = self.channel.basic_consume(f"{destination}.{group}", callback)
        while left[0]:
            with suppress(RefusedError):
                self.channel.start_consuming()
        if tag in self.channel.consumer_tags:
            self.channel.basic_cancel(tag)


class PikaLoop(Pika):
    """The generator; ``process`` tells what the body of a loop cannot: that it failed."""

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        while count:
            try:
                for method, properties, body in self.channel.consume(f"{destination}.{group}"):
                    assert method is not None
                    try:
                        with traced_pika.process(self.channel, method, properties, body):
                            handler(Taken(body or b"", properties.headers, destination))  # type: ignore[union-attr]
                    except RefusedError:
                        self.channel.basic_nack(method.delivery_tag)
                        raise
                    self.channel.basic_ack(method.delivery_tag)
                    count -= 1
                    if not count:
                        break
            except RefusedError:
                continue
        self.channel.cancel()


class PikaExplicit(Pika):
    """No ``instrument``: ``publish`` and ``process`` of ours around single gets."""

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        for body in bodies:
            properties = pika.BasicProperties(headers=headers) if headers else None
            traced_pika.publish(self.channel, destination, "", body, properties)

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        while count:
            method, properties, body = self.channel.basic_get(f"{destination}.{group}")
            if method is None:
                continue
            try:
                with traced_pika.process(
                    self.channel, method, properties, body, queue=f"{destination}.{group}"
                ):
                    handler(Taken(body or b"", properties.headers, destination))  # type: ignore[union-attr]
            except RefusedError:
                self.channel.basic_nack(method.delivery_tag)
                continue
            self.channel.basic_ack(method.delivery_tag)
            count -= 1


class AioPika(Amqp):
    """Callbacks of aio-pika."""

    def run(self, work: Callable[[Any], Awaitable[Any]]) -> None:
        async def main() -> None:
            async with await aio_pika.connect_robust(self.url) as connection:
                await work(await connection.channel())

        if asyncio._get_running_loop() is None:
            asyncio.run(main())
        else:  # a handler sends: its loop is busy with it
            self._inner.append(work)

    def __init__(self, capture: Capture, url: str) -> None:
        super().__init__(capture, url)
        self._inner: list[Callable[[Any], Awaitable[Any]]] = []

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        async def work(channel: Any) -> None:
            for body in bodies:
                message = aio_pika.Message(body, headers=headers)
                exchange = await channel.get_exchange(destination, ensure=False)
                await exchange.publish(message, "")

        self.run(work)

    async def _handled(self, message: Any, handler: Handler, channel: Any, destination: str) -> None:
        handler(Taken(message.body, message.headers, destination))
        while self._inner:
            await self._inner.pop()(channel)

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        async def work(channel: Any) -> None:
            done = asyncio.Semaphore(0)

            async def callback(message: Any) -> None:
                try:
                    await self._handled(message, handler, channel, destination)
                except RefusedError:
                    await message.nack()
                    raise
                await message.ack()
                done.release()

            queue = await channel.get_queue(f"{destination}.{group}", ensure=False)
            tag = await queue.consume(callback)
            for _ in range(count):
                await asyncio.wait_for(done.acquire(), 30)
            await queue.cancel(tag)

        self.run(work)


class AioPikaLoop(AioPika):
    """``async for`` over the queue's iterator, whose body deals with what its handler raises."""

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        async def work(channel: Any) -> None:
            queue, left = await channel.get_queue(f"{destination}.{group}", ensure=False), count
            async with queue.iterator() as messages:
                async for message in messages:
                    with suppress(RefusedError):
                        async with message.process(requeue=True):
                            await self._handled(message, handler, channel, destination)
                        left -= 1
                    if not left:
                        break

        self.run(work)


class AioPikaGet(AioPika):
    """Single gets, each handled inside its ``process()``."""

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        async def work(channel: Any) -> None:
            queue, left = await channel.get_queue(f"{destination}.{group}", ensure=False), count
            while left:
                message = await queue.get(fail=False)
                if message is not None:
                    with suppress(RefusedError):
                        async with message.process(requeue=True):
                            await self._handled(message, handler, channel, destination)
                        left -= 1

        self.run(work)


class Streams(Transport):
    """Redis streams, read by a group; a refused entry is claimed again."""

    headers_repeat = False
    headers_null = False

    def __init__(self, capture: Capture, url: str) -> None:
        super().__init__(capture)
        self.client = redis.Redis.from_url(url)

    def declare(self, destination: str) -> None:
        self.client.delete(destination)

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        for body in bodies:
            self.client.xadd(destination, {**(headers or {}), b"body": body})

    def put(self, destination: str, body: bytes, headers: Pairs) -> None:
        flat = [part for pair in headers for part in pair]
        self.client.execute_command("XADD", destination, "*", *flat, "body", body)

    def handle(
        self,
        destination: str,
        handler: Handler,
        *,
        count: int = 1,
        together: bool = False,
        group: str = "kit",
    ) -> None:
        with suppress(redis.ResponseError):
            self.client.xgroup_create(destination, group, id="0", mkstream=True)
        while count:
            (reply,) = self.client.xreadgroup(
                group, "me", {destination: ">"}, count=count if together else 1, block=30_000
            )
            for entry in reply[1]:
                self._handle(destination, group, entry, handler)
                count -= 1

    def _handle(self, destination: str, group: str, entry: Any, handler: Handler) -> None:
        while True:
            try:
                with traced_redis.process(self.client, destination, entry, group=group):
                    fields = dict(entry[1])
                    handler(Taken(fields.pop(b"body"), fields, (destination, entry)))
            except RefusedError:
                entry = self.client.xautoclaim(destination, group, "me", 0, entry[0], 1)[1][0]
            else:
                self.client.xack(destination, group, entry[0])
                return

    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        stream, entry = taken.raw
        traced_redis.dead_letter(self.client, stream, entry, destination, reason=str(error))

    def close(self) -> None:
        self.client.close()


class StreamsExplicit(Streams):
    """No ``instrument``: ``add`` and ``process`` of ours."""

    attempts_counted = False  # that takes an instrumented claim

    def send(self, destination: str, *bodies: bytes, headers: Any = None) -> None:
        for body in bodies:
            traced_redis.add(self.client, destination, {**(headers or {}), b"body": body})
