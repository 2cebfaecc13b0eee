"""The kit on a real Kafka, for each client in each style."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.tracing.integrations.kafka_transports import (
    Aiokafka,
    AiokafkaInstrumented,
    Confluent,
    ConfluentInstrumented,
    ConfluentSerde,
    KafkaPython,
    KafkaPythonInstrumented,
    instrumented,
)
from tests.tracing.kit import Cases, Transport
from tracing.integrations import aiokafka, confluent_kafka, kafka_python
from tracing.testing import Capture

pytestmark = pytest.mark.server


class TestConfluentKafka(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, kafka_url: str) -> Transport:
        return Confluent(capture, kafka_url)


class TestConfluentKafkaSerializing(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, kafka_url: str) -> Transport:
        return ConfluentSerde(capture, kafka_url)


class TestConfluentKafkaInstrumented(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, kafka_url: str) -> Iterator[Transport]:
        with instrumented(confluent_kafka, capture):
            yield ConfluentInstrumented(capture, kafka_url)


class TestKafkaPython(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, kafka_url: str) -> Iterator[Transport]:
        made = KafkaPython(capture, kafka_url)
        yield made
        made.close()


class TestKafkaPythonInstrumented(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, kafka_url: str) -> Iterator[Transport]:
        with instrumented(kafka_python, capture):
            made = KafkaPythonInstrumented(capture, kafka_url)
            yield made
            made.close()


class TestAiokafka(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, kafka_url: str) -> Transport:
        return Aiokafka(capture, kafka_url)


class TestAiokafkaInstrumented(Cases):
    @pytest.fixture
    def transport(self, capture: Capture, kafka_url: str) -> Iterator[Transport]:
        with instrumented(aiokafka, capture):
            yield AiokafkaInstrumented(capture, kafka_url)
