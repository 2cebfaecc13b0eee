"""The Kafka clients in the zoo: ours explicitly, after ``instrument()`` and by links alone; and the stock packages."""

from __future__ import annotations

from typing import Any

from tests.tracing.integrations import kafka_transports as kafka
from tests.zoo.styles import Opened, SentOnAsIs, Style, stock, using
from tracing import Options
from tracing.integrations import aiokafka, confluent_kafka, kafka_python


class _LinksOnly(kafka.Confluent):
    """By the letter of the conventions: no process span is the child of a message."""

    options = Options(parent=False)

    def make_producer(self, config: dict[str, Any]) -> Any:
        return confluent_kafka.Producer(config, provider=self.capture.provider, options=self.options)

    def make_consumer(self, config: dict[str, Any]) -> Any:
        return confluent_kafka.Consumer(config, provider=self.capture.provider, options=self.options)


class _StockConfluent(SentOnAsIs, kafka.ConfluentInstrumented):
    pass


class _StockKafkaPython(SentOnAsIs, kafka.KafkaPythonInstrumented):
    pass


class _StockAiokafka(SentOnAsIs, kafka.AiokafkaInstrumented):
    pass


def _after(module: Any, made: type[kafka.KafkaTransport]) -> Opened:
    return using(made, lambda provider: module.instrument(provider=provider), module.uninstrument)


STYLES = (
    Style("confluent-kafka", "kafka", using(kafka.Confluent)),
    Style("confluent-kafka by links", "kafka", using(_LinksOnly)),
    Style("confluent-kafka serializing", "kafka", using(kafka.ConfluentSerde)),
    Style("confluent-kafka instrumented", "kafka", _after(confluent_kafka, kafka.ConfluentInstrumented)),
    Style("kafka-python", "kafka", using(kafka.KafkaPython)),
    Style("kafka-python instrumented", "kafka", _after(kafka_python, kafka.KafkaPythonInstrumented)),
    Style("aiokafka", "kafka", using(kafka.Aiokafka)),
    Style("aiokafka instrumented", "kafka", _after(aiokafka, kafka.AiokafkaInstrumented)),
    Style(
        "stock confluent-kafka",  # by replacing the client's classes: its proxies break ``seek``, which a retry needs
        "kafka",
        stock("confluent_kafka:ConfluentKafkaInstrumentor", _StockConfluent),
        stock=True,
    ),
    Style("stock kafka-python", "kafka", stock("kafka:KafkaInstrumentor", _StockKafkaPython), stock=True),
    Style("stock aiokafka", "kafka", stock("aiokafka:AIOKafkaInstrumentor", _StockAiokafka), stock=True),
)
