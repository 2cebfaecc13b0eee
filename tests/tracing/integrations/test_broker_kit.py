"""The kit on a real RabbitMQ and a real Redis, for each client in each style."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.redis import Redis
from tests.tracing.integrations import broker_transports as transports
from tests.tracing.kit import Cases, Transport
from tracing.integrations import aio_pika, pika, redis_streams
from tracing.testing import Capture

pytestmark = pytest.mark.server


class TestPika(Cases):
    client: type[transports.Amqp] = transports.Pika

    @pytest.fixture
    def transport(self, capture: Capture, amqp: str) -> Iterator[Transport]:
        pika.instrument(capture.provider)
        made = self.client(capture, amqp)
        yield made
        made.close()
        pika.uninstrument()


class TestPikaLoop(TestPika):
    client = transports.PikaLoop


class TestPikaExplicit(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, amqp: str) -> Iterator[Transport]:
        pika.use(capture.provider)
        made = transports.PikaExplicit(capture, amqp)
        yield made
        made.close()
        pika.use()


class TestAioPika(Cases):
    client: type[transports.AioPika] = transports.AioPika

    @pytest.fixture
    def transport(self, capture: Capture, amqp: str) -> Iterator[Transport]:
        aio_pika.instrument(capture.provider)
        made = self.client(capture, amqp)
        yield made
        made.close()
        aio_pika.uninstrument()


class TestAioPikaLoop(TestAioPika):
    client = transports.AioPikaLoop


class TestAioPikaGet(TestAioPika):
    client = transports.AioPikaGet


class TestRedisStreams(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, redis_server: Redis) -> Iterator[Transport]:
        redis_streams.instrument(capture.provider, keep_fields=True)
        made = transports.Streams(capture, redis_server.url)
        yield made
        made.close()
        redis_streams.uninstrument()


class TestRedisStreamsExplicit(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, redis_server: Redis) -> Iterator[Transport]:
        redis_streams.use(capture.provider)
        made = transports.StreamsExplicit(capture, redis_server.url)
        yield made
        made.close()
        redis_streams.use()
