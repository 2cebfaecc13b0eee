"""The Kafka clients in the zoo: ours explicitly, after ``instrument()`` and by links alone; and the stock packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from tests.tracing.integrations import kafka_transports as kafka
from tests.tracing.kit.transport import Transport
from tests.zoo import kafka_stock
from tests.zoo.styles import Service, Style
from tracing import Options
from tracing.integrations import aiokafka, confluent_kafka, kafka_python

Opened = Callable[[Service, str], AbstractContextManager[Transport]]


def _explicit(made: type[kafka.KafkaTransport]) -> Opened:
    @contextmanager
    def opened(service: Service, url: str) -> Iterator[Transport]:
        transport = made(service, url)
        try:
            yield transport
        finally:
            transport.close()

    return opened


def _after(module: Any, made: type[kafka.KafkaTransport], options: Options | None = None) -> Opened:
    @contextmanager
    def opened(service: Service, url: str) -> Iterator[Transport]:
        module.instrument(provider=service.provider, options=options)
        try:
            with _explicit(made)(service, url) as transport:
                yield transport
        finally:
            module.uninstrument()

    return opened


class _LinksOnly(kafka.Confluent):
    """By the letter of the conventions: no process span is the child of a message."""

    options = Options(parent=False)

    def make_producer(self, config: dict[str, Any]) -> Any:
        return confluent_kafka.Producer(config, provider=self.capture.provider, options=self.options)

    def make_consumer(self, config: dict[str, Any]) -> Any:
        return confluent_kafka.Consumer(config, provider=self.capture.provider, options=self.options)


STYLES = (
    Style("confluent-kafka", "kafka", _explicit(kafka.Confluent)),
    Style("confluent-kafka by links", "kafka", _explicit(_LinksOnly)),
    Style("confluent-kafka serializing", "kafka", _explicit(kafka.ConfluentSerde)),
    Style("confluent-kafka instrumented", "kafka", _after(confluent_kafka, kafka.ConfluentInstrumented)),
    Style("kafka-python", "kafka", _explicit(kafka.KafkaPython)),
    Style("kafka-python instrumented", "kafka", _after(kafka_python, kafka.KafkaPythonInstrumented)),
    Style("aiokafka", "kafka", _explicit(kafka.Aiokafka)),
    Style("aiokafka instrumented", "kafka", _after(aiokafka, kafka.AiokafkaInstrumented)),
    Style("stock confluent-kafka", "kafka", kafka_stock.confluent, stock=True),
    Style("stock kafka-python", "kafka", kafka_stock.kafka_python, stock=True),
    Style("stock aiokafka", "kafka", kafka_stock.aiokafka, stock=True),
)
