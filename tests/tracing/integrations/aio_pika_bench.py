"""An open channel of aio-pika with a fresh queue, and what stories do with it."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractExchange, AbstractQueue


class Bench(NamedTuple):
    channel: AbstractChannel
    queue: AbstractQueue

    @property
    def exchange(self) -> AbstractExchange:
        return self.channel.default_exchange

    async def send(self, body: bytes = b"{}", **more: Any) -> None:
        await self.exchange.publish(aio_pika.Message(body, **more), self.queue.name)

    async def handle(
        self, work: Callable[[Any], Awaitable[None]], count: int = 1, queue: AbstractQueue | None = None
    ) -> None:
        """Let ``work`` handle this many messages as a callback."""
        done = asyncio.Semaphore(0)

        async def callback(message: Any) -> None:
            try:
                await work(message)
            finally:
                done.release()

        at = queue or self.queue
        tag = await at.consume(callback)
        for _ in range(count):
            await asyncio.wait_for(done.acquire(), 30)
        await at.cancel(tag)


async def ack(message: Any) -> None:
    await message.ack()


def run(amqp: str, story: Callable[[Bench], Awaitable[None]], *, robust: bool = True, **options: Any) -> str:
    """Tell a story on an open channel with a fresh queue; gives the queue's name."""
    name = f"orders-{uuid.uuid4().hex[:8]}"

    async def main() -> None:
        connection = await (aio_pika.connect_robust if robust else aio_pika.connect)(amqp)
        async with connection:
            channel = await connection.channel(**options)
            await story(Bench(channel, await channel.declare_queue(name)))

    asyncio.run(main())
    return name
