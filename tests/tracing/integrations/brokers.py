"""Real brokers, one of each for the run."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry.context import Context

from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tracing import propagation
from tracing.testing import Capture

# headers that only a client of RabbitMQ can send: typed, nested, and the broker's own names misused
AMQP_POISON: list[dict[str, Any]] = [
    {"traceparent": b"\xff\xfe", "baggage": b"\x80=\x80"},
    {"traceparent": 7, "tracestate": 2**40, "baggage": True},
    {"traceparent": None, "tracestate": None},
    {"traceparent": "00-zz", "Traceparent": "00-yy", "TRACEPARENT": "x"},
    {"traceparent": {"deep": [1, None]}, "tracestate": ["a", {"b": 1}]},
    {"blob": "x" * 90_000, "traceparent": "y" * 20_000},
    {"x-death": "nonsense", "x-delivery-count": "many", "x-first-death-queue": 3},
]


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQ]:
    with RabbitMQ() as server:
        yield server


@pytest.fixture(scope="session")
def amqp(rabbitmq: RabbitMQ) -> str:
    """Where RabbitMQ answers, with the default virtual host spelt out for clients that need it."""
    return rabbitmq.url.removesuffix("//") + "/%2F"


@pytest.fixture(scope="session")
def redis_server() -> Iterator[Redis]:
    with Redis() as server:
        yield server


@pytest.fixture
def capture() -> Iterator[Capture]:
    with propagation.attached(Context()):
        yield Capture()
