"""One Kafka client sending or handling messages, traced one way; prints its CPU per message.

``python -m benchmarks.tracing_kafka CLIENT WAY URL TOPIC COUNT`` runs in a process of its own, so that nothing
of one way is loaded while another is measured. WAY is ``plain``, ``ours``, ``instrumented`` or ``stock``.
"""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from tracing.entities import EntityProcessor
from tracing.export import Batches
from tracing.otlp import encode

BODY, KEY = b"x" * 200, b"8812"
STOCK = {
    "confluent_kafka": ("opentelemetry.instrumentation.confluent_kafka", "ConfluentKafkaInstrumentor"),
    "kafka_python": ("opentelemetry.instrumentation.kafka", "KafkaInstrumentor"),
    "aiokafka": ("opentelemetry.instrumentation.aiokafka", "AIOKafkaInstrumentor"),
}


class Nowhere(SpanExporter):
    """Encodes every batch as it would be sent, and keeps nothing: the way itself costs all the same."""

    def __init__(self, encode: Callable[[Sequence[ReadableSpan]], Any]) -> None:
        self._encode = encode

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Encode them."""
        self._encode(spans).SerializePartialToString()
        return SpanExportResult.SUCCESS


def main() -> None:
    """One of the Kafka clients."""
    run({"confluent_kafka": confluent_kafka, "kafka_python": kafka_python, "aiokafka": aiokafka}, STOCK)


def run(
    clients: Mapping[str, Callable[..., tuple[float, float, int]]], stock: Mapping[str, tuple[str, str]]
) -> None:
    """Send, then handle, and print microseconds of CPU per message and header bytes added."""
    client, way, url, topic, count = sys.argv[1:]
    provider = TracerProvider()
    if way in ("ours", "instrumented"):
        provider.add_span_processor(EntityProcessor())
        batches: BatchSpanProcessor = Batches(Nowhere(encode), max_queue_size=100_000)
    else:
        batches = BatchSpanProcessor(Nowhere(encode_spans), max_queue_size=100_000)
    provider.add_span_processor(batches)
    trace.set_tracer_provider(provider)
    if way == "stock":
        module, name = stock[client]
        getattr(importlib.import_module(module), name)().instrument()
    if way == "instrumented":
        importlib.import_module(f"tracing.integrations.{client}").instrument()
    sent, handled, added = clients[client](way == "ours", url, topic, int(count))
    print(json.dumps({"send_us": sent, "handle_us": handled, "header_bytes": added}))


def spent(began: float, count: int) -> float:
    """Microseconds of CPU of the whole process per message, until the last span is encoded."""
    provider: Any = trace.get_tracer_provider()
    provider.force_flush()
    return (time.process_time() - began) / count * 1e6


def length(headers: Any) -> int:
    """Bytes of a message's headers."""
    return sum(len(name) + len(value or b"") for name, value in headers or ())


def confluent_kafka(ours: bool, url: str, topic: str, count: int) -> tuple[float, float, int]:
    """Produce and poll."""
    module = importlib.import_module("tracing.integrations.confluent_kafka" if ours else "confluent_kafka")
    producer = module.Producer({"bootstrap.servers": url, "linger.ms": 5})
    producer.list_topics(topic, timeout=20)
    began = time.process_time()
    for _ in range(count):
        producer.produce(topic, BODY, KEY)
        producer.poll(0)
    producer.flush(60)
    sent = spent(began, count)
    consumer = module.Consumer({"bootstrap.servers": url, "group.id": topic, "auto.offset.reset": "earliest"})
    consumer.subscribe([topic])
    first = until(lambda: consumer.poll(1))
    began, left = time.process_time(), count - 1
    while left:
        message = consumer.poll(10)
        if message is not None and message.error() is None:
            if ours:
                with consumer.process(message):
                    left -= 1
            else:
                left -= 1
    handled = spent(began, count - 1)
    consumer.close()
    return sent, handled, length(first.headers())


def kafka_python(ours: bool, url: str, topic: str, count: int) -> tuple[float, float, int]:
    """Send and iterate."""
    module = importlib.import_module("tracing.integrations.kafka_python" if ours else "kafka")
    producer = module.KafkaProducer(bootstrap_servers=[url], linger_ms=5)
    producer.partitions_for(topic)
    began = time.process_time()
    for _ in range(count):
        producer.send(topic, value=BODY, key=KEY)
    producer.flush()
    sent = spent(began, count)
    consumer = module.KafkaConsumer(
        topic, bootstrap_servers=[url], group_id=topic, auto_offset_reset="earliest"
    )
    first = next(consumer)
    began = time.process_time()
    for _ in range(count - 1):
        record = next(consumer)
        if ours:
            with consumer.process(record):
                pass
    handled = spent(began, count - 1)
    consumer.close()
    producer.close()
    return sent, handled, length(first.headers)


def aiokafka(ours: bool, url: str, topic: str, count: int) -> tuple[float, float, int]:
    """Send and iterate."""
    return asyncio.run(_aiokafka(ours, url, topic, count))


async def _aiokafka(ours: bool, url: str, topic: str, count: int) -> tuple[float, float, int]:
    module = importlib.import_module("tracing.integrations.aiokafka" if ours else "aiokafka")
    async with module.AIOKafkaProducer(bootstrap_servers=url, linger_ms=5) as producer:
        await producer.partitions_for(topic)
        began = time.process_time()
        for _ in range(count // 100):
            for answer in [await producer.send(topic, BODY, KEY) for _ in range(100)]:
                await answer
        sent = spent(began, count)
    consumer = module.AIOKafkaConsumer(
        topic, bootstrap_servers=url, group_id=topic, auto_offset_reset="earliest"
    )
    async with consumer:
        first = await consumer.getone()
        began = time.process_time()
        for _ in range(count - 1):
            record = await consumer.getone()
            if ours:
                with consumer.process(record):
                    pass
        handled = spent(began, count - 1)
    return sent, handled, length(first.headers)


def until(take: Any) -> Any:
    """What ``take`` gives once it gives something, within a minute."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if found := take():
            return found
    raise RuntimeError("no message came within a minute")


if __name__ == "__main__":
    main()
