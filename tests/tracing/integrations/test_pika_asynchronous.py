"""pika's asynchronous channels: callbacks of an event loop on a real RabbitMQ."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pika
import pytest
from pika.adapters.asyncio_connection import AsyncioConnection
from pika.channel import Channel

from tracing.integrations import pika as traced
from tracing.testing import Capture

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _instrumented(capture: Capture) -> Iterator[None]:
    traced.instrument(capture.provider)
    yield
    traced.uninstrument()


async def called(start: Callable[[Callable[..., None]], Any]) -> Any:
    """What the client gives to the callback."""
    done = asyncio.get_running_loop().create_future()
    start(lambda *given: done.done() or done.set_result(given[-1] if given else None))
    return await asyncio.wait_for(done, 30)


def run(amqp: str, story: Callable[[Channel, str], Awaitable[None]]) -> str:
    """Tell a story on an open channel with a fresh queue; gives its name."""
    queue = f"orders-{uuid.uuid4().hex[:8]}"

    async def main() -> None:
        connection = await called(
            lambda done: AsyncioConnection(pika.URLParameters(amqp), on_open_callback=lambda c: done(c))
        )
        channel = await called(lambda done: connection.channel(on_open_callback=done))
        await called(lambda done: channel.queue_declare(queue, callback=done))
        await story(channel, queue)
        await called(lambda done: (connection.add_on_close_callback(lambda *_: done()), connection.close()))

    asyncio.run(main())
    return queue


def test_a_send_span_of_a_confirming_channel_ends_when_the_broker_confirms(
    capture: Capture, amqp: str
) -> None:
    async def story(channel: Channel, queue: str) -> None:
        answers: asyncio.Queue[Any] = asyncio.Queue()
        await called(lambda done: channel.confirm_delivery(answers.put_nowait, done))
        for _ in range(20):
            channel.basic_publish("", queue, b"{}")
        assert [] == capture.spans()
        while len(capture.spans(f"send {queue}")) < 20:
            await asyncio.wait_for(answers.get(), 30)

    run(amqp, story)


def test_a_message_that_nobody_takes_has_failed(capture: Capture, amqp: str) -> None:
    async def story(channel: Channel, queue: str) -> None:
        answers: asyncio.Queue[Any] = asyncio.Queue()
        await called(lambda done: channel.confirm_delivery(answers.put_nowait, done))
        returned: list[Any] = []
        channel.add_on_return_callback(lambda *given: returned.append(given))
        channel.basic_publish("", "nowhere", b"{}", mandatory=True)
        channel.basic_publish("", queue, b"{}", mandatory=True)
        while len(capture.spans()) < 2:
            await asyncio.wait_for(answers.get(), 30)
        assert 1 == len(returned)

    queue = run(amqp, story)
    assert "UnroutableError" == capture.attributes("send nowhere")["error.type"]
    assert "error.type" not in capture.attributes(f"send {queue}")


def test_a_connection_that_goes_ends_what_was_not_confirmed(capture: Capture, amqp: str) -> None:
    async def story(channel: Channel, queue: str) -> None:
        await called(lambda done: channel.confirm_delivery(lambda _: None, done))
        channel.basic_publish("", queue, b"{}")
        channel.close()

    queue = run(amqp, story)
    assert capture.span(f"send {queue}")


def test_callbacks_and_gets_run_inside_their_messages_spans(capture: Capture, amqp: str) -> None:
    async def story(channel: Channel, queue: str) -> None:
        def work(done: Callable[..., None]) -> Callable[..., None]:
            def callback(given: Channel, method: Any, *_: Any) -> None:
                (given.basic_ack if method.redelivered else given.basic_nack)(method.delivery_tag)
                done(method)

            return callback

        channel.basic_publish("", queue, b"{}")
        await called(lambda done: channel.basic_consume(queue, work(done), consumer_tag="first"))
        await called(lambda done: channel.basic_cancel("first", callback=done))
        await called(lambda done: channel.basic_get(queue, work(done)))

    queue = run(amqp, story)
    capture.assert_linked(f"nack {queue}", to=f"send {queue}")
    first, second, *_ = capture.spans(f"process {queue}")
    (send,) = capture.spans(f"send {queue}")
    assert [1, 2] == [(one.attributes or {})["throughline.message.attempt"] for one in (first, second)]
    assert {send.context.span_id} == {one.parent.span_id for one in (first, second) if one.parent}
