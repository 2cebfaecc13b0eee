"""Real brokers, one of each for the run."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from opentelemetry.context import Context

from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tracing import propagation
from tracing.testing import Capture


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
