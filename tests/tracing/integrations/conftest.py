"""One real Kafka for the integrations that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.kafka import Kafka
from tests.tracing.integrations.brokers import amqp, capture, rabbitmq, redis_server

__all__ = ["amqp", "capture", "kafka_url", "rabbitmq", "redis_server"]


@pytest.fixture(scope="package")
def kafka_url() -> Iterator[str]:
    with Kafka() as server:
        yield server.url
