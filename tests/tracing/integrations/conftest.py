"""One real Kafka for the integrations that need one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.kafka import Kafka


@pytest.fixture(scope="package")
def kafka_url() -> Iterator[str]:
    with Kafka() as server:
        yield server.url
