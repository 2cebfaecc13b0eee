"""A channel of pika on a real RabbitMQ, instrumented, for its tests."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pika
import pytest
from pika.adapters.blocking_connection import BlockingChannel

from tracing.guard import losses
from tracing.integrations import pika as traced
from tracing.testing import Capture


@pytest.fixture
def instrumented(capture: Capture) -> Iterator[None]:
    before = losses()
    traced.instrument(capture.provider)
    yield
    traced.uninstrument()
    odd = {key: count for key, count in losses().items() if count != before.get(key)}
    assert odd.keys() <= {
        "no room for the context in the headers",
        "bad traceparent",
        "duplicate traceparent",
        "bad baggage member",
    }


@pytest.fixture
def channel(amqp: str) -> Iterator[BlockingChannel]:
    with pika.BlockingConnection(pika.URLParameters(amqp)) as connection:
        made = connection.channel()
        made.confirm_delivery()
        yield made


@pytest.fixture
def queue(channel: BlockingChannel) -> str:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    channel.queue_declare(name)
    return name


def handle(channel: BlockingChannel, queue: str, work: Callable[..., None], count: int = 1) -> None:
    """Let ``work`` handle this many messages as a callback."""
    left = [count]

    def callback(*given: Any) -> None:
        left[0] -= 1
        try:
            work(*given)
        finally:
            if not left[0]:
                channel.stop_consuming()

    channel.basic_consume(queue, callback)
    channel.start_consuming()


def ack(channel: BlockingChannel, method: Any, *_: Any) -> None:
    channel.basic_ack(method.delivery_tag)


def settled(attributes: Mapping[str, Any]) -> tuple[str, bool]:
    """By which call, and whether just now."""
    at = datetime.fromisoformat(attributes["throughline.message.settled_at"])
    return attributes["throughline.message.settled"], timedelta() <= datetime.now(UTC) - at < timedelta(
        minutes=5
    )
