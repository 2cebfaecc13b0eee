"""OpenTelemetry's own Kafka packages, used as their pages say. Only ``emit.py`` in their environment runs this."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.tracing.integrations import kafka_transports as kafka
from tests.tracing.kit.transport import Taken, Transport
from tests.zoo.styles import Service


class _Confluent(kafka.ConfluentInstrumented):
    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        self.send(destination, taken.body, headers=taken.headers)


class _KafkaPython(kafka.KafkaPythonInstrumented):
    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        self.send(destination, taken.body, headers=taken.headers)


class _Aiokafka(kafka.AiokafkaInstrumented):
    def dead_letter(self, taken: Taken, destination: str, error: Exception) -> None:
        self.send(destination, taken.body, headers=taken.headers)


@contextmanager
def confluent(service: Service, url: str) -> Iterator[Transport]:
    """By replacing the client's classes: its proxies break ``seek``, which a retry needs."""
    from opentelemetry.instrumentation.confluent_kafka import ConfluentKafkaInstrumentor

    yield from _wrapped(ConfluentKafkaInstrumentor(), _Confluent, service, url)


@contextmanager
def kafka_python(service: Service, url: str) -> Iterator[Transport]:
    """By wrapping the client's classes."""
    from opentelemetry.instrumentation.kafka import KafkaInstrumentor

    yield from _wrapped(KafkaInstrumentor(), _KafkaPython, service, url)


@contextmanager
def aiokafka(service: Service, url: str) -> Iterator[Transport]:
    """By wrapping the client's classes."""
    from opentelemetry.instrumentation.aiokafka import AIOKafkaInstrumentor

    yield from _wrapped(AIOKafkaInstrumentor(), _Aiokafka, service, url)


def _wrapped(
    instrumentor: Any, made: type[kafka.KafkaTransport], service: Service, url: str
) -> Iterator[Transport]:
    instrumentor.instrument(tracer_provider=service.provider)
    try:
        transport = made(service, url)
        yield transport
        transport.close()
    finally:
        instrumentor.uninstrument()
