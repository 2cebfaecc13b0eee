"""A receiver that is off, slow, failing or resetting: the application does not notice, and losses are counted."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import confluent_kafka
import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import Decision, StaticSampler

from tests.receiving import wait_for
from tests.tracing.sink import running
from tracing import configure, losses
from tracing.export import NOT_SENT, QUEUE_FULL, Batches, Sender
from tracing.integrations import confluent_kafka as traced


@contextmanager
def off() -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    yield f"http://127.0.0.1:{port}"


@contextmanager
def failing() -> Iterator[str]:
    with running() as sink:
        sink.answers.extend([(500, {})] * 1000)
        yield sink.endpoint


def _listening(welcome: Callable[[socket.socket], Any]) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[Any] = []

        def accept() -> None:
            while True:
                try:
                    kept.append(welcome(server.accept()[0]))
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.getsockname()[1]}"
        server.shutdown(socket.SHUT_RDWR)
        thread.join(10)


@contextmanager
def slow() -> Iterator[str]:
    yield from _listening(lambda connection: connection)


@contextmanager
def resetting() -> Iterator[str]:
    def reset(connection: socket.socket) -> None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.close()

    yield from _listening(reset)


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    owner = confluent_kafka.Producer({"test.mock.num.brokers": 1, "log_level": 3})
    found = owner.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in found)
    owner.flush(1)


def application(module: Any, broker: str, topic: str, **more: Any) -> list[Any]:
    """What an application sees of its broker, its own errors and the client's included."""
    seen: list[Any] = []
    producer = module.Producer({"bootstrap.servers": broker}, **more)
    producer.list_topics(topic, timeout=10)
    for number in range(5):
        producer.produce(
            topic, str(number), partition=0, on_delivery=lambda error, one: seen.append((error, one.offset()))
        )
    for wrong in ({"value": 5}, {"value": b"x", "headers": [("a", 5)]}, {"value": b"x", "headers": "no"}):
        try:
            producer.produce(topic, **wrong)
        except Exception as error:  # noqa: BLE001  whatever the client raises is what is compared
            seen.append(repr(error))
    producer.flush(20)
    consumer = module.Consumer(
        {"bootstrap.servers": broker, "group.id": topic, "auto.offset.reset": "earliest"}, **more
    )
    consumer.subscribe([topic])
    for _ in range(5):
        message = wait_for(lambda: consumer.poll(1), "a message", 60)
        try:
            if hasattr(consumer, "process"):
                with consumer.process(message):
                    handle(message)
            else:
                handle(message)
        except ZeroDivisionError as error:
            seen.append(repr(error))
        seen.append((message.offset(), message.value()))
    consumer.close()
    return sorted(map(str, seen))


def handle(message: Any) -> float:
    return 1 / (message.offset() % 2)


@pytest.mark.parametrize("receiver", [off, slow, failing, resetting])
def test_the_applications_results_and_errors_are_what_they_are_without_tracing(
    receiver: Callable[[], Any],
    broker: str,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    plain = application(confluent_kafka, broker, f"{receiver.__name__}-plain")
    before = losses()
    with receiver() as endpoint:
        provider = configure("orders", endpoint=endpoint, set_global=False, on_sigterm=False)
        assert plain == application(traced, broker, f"{receiver.__name__}-traced", provider=provider)
        provider.force_flush()
        for _ in range(3):
            provider.get_tracer("t").start_span("later").end()
            provider.force_flush()
        provider.shutdown()
    # 5 sent, 3 refused by the client, 5 processed, 3 later
    assert 16 == losses()[NOT_SENT] - before.get(NOT_SENT, 0)
    assert 1 == caplog.text.count("could not be sent")
    assert "Failed to export" not in "".join(record.name for record in caplog.records)


def test_it_is_said_again_only_after_it_has_worked(caplog: pytest.LogCaptureFixture) -> None:
    with running() as sink:
        provider = configure("orders", endpoint=sink.endpoint, set_global=False, on_sigterm=False)
        for status in (500, 500, 200, 500, 500):
            sink.answers.append((status, {}))
            provider.get_tracer("t").start_span("work").end()
            provider.force_flush()
        provider.shutdown()
    assert 2 == caplog.text.count("could not be sent")
    assert "500" in caplog.text


def test_spans_that_a_full_queue_costs_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    gate, entered = threading.Event(), threading.Event()

    class Held(Sender):
        def export(self, spans: Any) -> Any:
            entered.set()
            gate.wait(30)
            return super().export(spans)

    with running() as sink:
        sender = Held(f"{sink.endpoint}/v1/traces", None)
        processor = Batches(sender, max_queue_size=8, max_export_batch_size=4)
        provider = TracerProvider(shutdown_on_exit=False)
        unsampled = TracerProvider(sampler=StaticSampler(Decision.RECORD_ONLY), shutdown_on_exit=False)
        for one in (provider, unsampled):
            one.add_span_processor(processor)
        tracer, before = provider.get_tracer("t"), losses().get(QUEUE_FULL, 0)
        for _ in range(4):
            tracer.start_span("first").end()
        assert entered.wait(30)
        for _ in range(8 + 3):
            tracer.start_span("more").end()
        unsampled.get_tracer("t").start_span("recorded, to be sent by nobody").end()
        gate.set()
        provider.shutdown()
        assert 3 == losses()[QUEUE_FULL] - before
        assert 12 == len(sink.spans())


def test_spans_that_end_after_the_shutdown_are_counted() -> None:
    with running() as sink:
        provider = configure("orders", endpoint=sink.endpoint, set_global=False, on_sigterm=False)
        late, before = provider.get_tracer("t").start_span("late"), losses().get(NOT_SENT, 0)
        provider.shutdown()
        late.end()
        assert 1 == losses().get(NOT_SENT, 0) - before
        assert [] == sink.spans()
