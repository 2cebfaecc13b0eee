"""Against librdkafka's mock cluster: the real protocol on loopback, inside this process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import confluent_kafka
import pytest
from confluent_kafka import KafkaException
from opentelemetry.context import Context
from opentelemetry.trace import StatusCode

from tracing import entity, envelope, propagation
from tracing.guard import losses
from tracing.integrations import confluent_kafka as traced
from tracing.integrations.confluent_kafka import Consumer, Producer
from tracing.testing import Capture


@pytest.fixture(scope="module")
def broker() -> Iterator[str]:
    owner = Producer({"test.mock.num.brokers": 1, "log_level": 3})
    found = owner.list_topics(timeout=10).brokers.values()
    yield ",".join(f"{one.host}:{one.port}" for one in found)
    owner.flush(1)  # the cluster lives as long as its owner


@pytest.fixture
def capture() -> Iterator[Capture]:
    with propagation.attached(Context()):
        yield Capture()


@pytest.fixture
def producer(broker: str, capture: Capture) -> Producer:
    return Producer({"bootstrap.servers": broker, "client.id": "bet-placement"}, provider=capture.provider)


@pytest.fixture
def topic(request: pytest.FixtureRequest, producer: Producer) -> str:
    name = f"t{abs(hash(request.node.name)) % 10**9}"
    producer.list_topics(name, timeout=10)
    return name


@pytest.fixture
def consumer(broker: str, capture: Capture, topic: str) -> Iterator[Consumer]:
    config = {"bootstrap.servers": broker, "group.id": f"wallet-{topic}", "auto.offset.reset": "earliest"}
    made = Consumer(config, provider=capture.provider)
    made.subscribe([topic])
    yield made
    made.close()


def until(take: Callable[[], Any], seconds: float = 30) -> Any:
    """What ``take`` gives once it gives something."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if found := take():
            return found
    raise AssertionError("nothing came in time")


def test_the_consumers_span_is_a_child_of_the_producers_across_the_broker(
    capture: Capture, producer: Producer, consumer: Consumer, topic: str
) -> None:
    before, reports = losses(), []
    event = envelope.new("BetPlaced", "/bet-placement", subject="bet/8812")
    with entity("bet", "8812", match="4711"):
        producer.produce(
            topic, b"{}", key="8812", event=event, on_delivery=lambda *report: reports.append(report)
        )
    assert [] == capture.spans()
    assert 0 == producer.flush(20)
    message = until(lambda: consumer.poll(1))
    with consumer.process(message), entity("bet", "8812"):
        assert event.id == envelope.new("StakeReserved", "/wallet").causation_id
    send, process = capture.span(f"send {topic}"), capture.span(f"process {topic}")
    assert process.parent is not None
    assert (send.context.trace_id, send.context.span_id) == (process.context.trace_id, process.parent.span_id)
    assert [(None, 0)] == [(error, report.offset()) for error, report in reports]
    for span in (send, process):
        assert str(message.partition()) == (span.attributes or {})["messaging.destination.partition.id"]
        assert message.offset() == (span.attributes or {})["messaging.kafka.offset"]
        assert event.id == (span.attributes or {})["messaging.message.id"]
    assert "4711" == (process.attributes or {})["throughline.context.match"]
    assert "8812" == (process.attributes or {})["throughline.entity.bet"]
    assert before == losses()


@pytest.mark.parametrize(
    "headers",
    [
        [("traceparent", b"\xff\xfe"), ("tracestate", None), ("baggage", b"\x80=\x80"), ("ce_id", b"\xff")],
        (("traceparent", "00-zz"),),
        {"traceparent": None, "baggage": "=,=;"},
    ],
)
def test_poison_headers_neither_stop_the_consumer_nor_survive_a_republish(
    capture: Capture, broker: str, producer: Producer, consumer: Consumer, topic: str, headers: Any
) -> None:
    plain = confluent_kafka.Producer({"bootstrap.servers": broker})
    plain.produce(topic, b"x", headers=headers if isinstance(headers, dict) else list(headers))
    plain.flush(20)
    message = until(lambda: consumer.poll(1))
    with consumer.process(message):
        producer.produce(topic, message.value(), headers=message.headers())
    producer.flush(20)
    again = until(lambda: consumer.poll(1))
    parents = [value for name, value in again.headers() if name == "traceparent"]
    send = capture.span(f"send {topic}")
    assert [
        f"00-{send.context.trace_id:032x}-{send.context.span_id:016x}-0{int(send.context.trace_flags)}"
    ] == [value.decode() for value in parents]
    assert send.parent is not None
    assert capture.span(f"process {topic}").context.span_id == send.parent.span_id


def test_a_batch_is_one_receive_span_linked_to_every_message_and_from_every_handler(
    capture: Capture, producer: Producer, consumer: Consumer, topic: str
) -> None:
    for number in range(3):
        producer.produce(topic, b"{}", key=str(number), partition=0)
    producer.flush(20)
    got: list[Any] = []
    while len(got) < 3:
        got += until(lambda: consumer.consume(3, 1))
    for message in got:
        with consumer.process(message):
            pass
    polls = capture.spans(f"poll {topic}")
    linked = [link.context.span_id for poll in polls for link in poll.links]
    assert [span.context.span_id for span in capture.spans(f"send {topic}")] == linked
    assert 3 == sum(int(str((poll.attributes or {})["messaging.batch.message_count"])) for poll in polls)
    batches = {poll.context.span_id for poll in polls}
    for process in capture.spans(f"process {topic}"):
        message, poll = (link.context.span_id for link in process.links)
        assert process.parent is not None
        assert process.parent.span_id == message
        assert poll in batches


def test_handling_the_same_offset_again_is_the_next_attempt(
    capture: Capture, producer: Producer, consumer: Consumer, topic: str
) -> None:
    producer.produce(topic, b"{}")
    producer.flush(20)
    message = until(lambda: consumer.poll(1))
    with pytest.raises(TimeoutError), consumer.process(message):
        raise TimeoutError("10 s")
    with consumer.process(message):
        pass
    with consumer.process(message, attempt=7):
        pass
    tries = capture.spans(f"process {topic}")
    assert [1, 2, 7] == [(span.attributes or {})["throughline.message.attempt"] for span in tries]
    assert [StatusCode.ERROR, StatusCode.UNSET, StatusCode.UNSET] == [
        span.status.status_code for span in tries
    ]


def test_committing_a_message_leaves_a_settle_span(
    capture: Capture, producer: Producer, consumer: Consumer, topic: str
) -> None:
    producer.produce(topic, b"{}")
    producer.flush(20)
    message = until(lambda: consumer.poll(1))
    consumer.commit(message=message, asynchronous=False)
    settle = capture.span(f"commit {topic}")
    assert [capture.span(f"send {topic}").context.span_id] == [link.context.span_id for link in settle.links]
    consumer.commit(asynchronous=True)


def test_a_message_the_broker_never_took_ends_its_span_with_the_error(capture: Capture) -> None:
    lonely = Producer(
        {"bootstrap.servers": "127.0.0.1:1", "message.timeout.ms": 300, "log_level": 0},
        provider=capture.provider,
    )
    lonely.produce("bets", "text", key=b"\x00" * 8)
    lonely.flush(20)
    span = capture.span("send bets")
    assert StatusCode.ERROR is span.status.status_code
    assert "_MSG_TIMED_OUT" == (span.attributes or {})["error.type"]
    assert "int64" == (span.attributes or {})["throughline.message.key_type"]


def test_what_the_client_refuses_is_raised_and_its_span_ended(
    capture: Capture, producer: Producer, topic: str
) -> None:
    with pytest.raises(TypeError):
        producer.produce(topic, 5)
    assert StatusCode.ERROR is capture.span(f"send {topic}").status.status_code
    closed = Consumer(
        {"bootstrap.servers": "127.0.0.1:1", "group.id": "g", "log_level": 0}, provider=capture.provider
    )
    with pytest.raises(KafkaException):
        closed.commit(asynchronous=False)
    closed.close()


def test_the_clients_own_settings_of_reports_keep_their_meaning(
    capture: Capture, broker: str, topic: str
) -> None:
    seen: list[Any] = []
    config = {"bootstrap.servers": broker, "on_delivery": lambda error, message: seen.append(error)}
    asked = Producer(config, provider=capture.provider)
    asked.produce(topic, b"1")
    asked.flush(20)
    assert [None] == seen
    silent = Producer(config | {"delivery.report.only.error": True}, provider=capture.provider)
    silent.produce(topic, b"2")
    silent.flush(20)
    assert [None] == seen
    assert 2 == len(capture.spans(f"send {topic}")), "spans end though the application is not told"


def test_commits_of_offsets_or_of_everything_settle_what_came_before(
    capture: Capture, broker: str, producer: Producer, topic: str
) -> None:
    for number in range(3):
        producer.produce(topic, str(number), partition=0)
    producer.flush(20)
    config = {
        "bootstrap.servers": broker,
        "group.id": topic,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    with Consumer(config, provider=capture.provider) as taking:
        taking.subscribe([topic])
        got: list[Any] = []
        while len(got) < 3:
            got += until(lambda: taking.consume(3, 1))
        taking.commit(offsets=[confluent_kafka.TopicPartition(topic, 0, 1)], asynchronous=False)
        taking.commit(asynchronous=False)
        taking.commit(asynchronous=True)
    sends = [span.context.span_id for span in capture.spans(f"send {topic}")]
    settles = [[link.context.span_id for link in span.links] for span in capture.spans(f"commit {topic}")]
    assert [sends[:1], sends[1:]] == settles


def test_instrument_covers_what_was_imported_earlier_and_uninstrument_puts_it_back(capture: Capture) -> None:
    before = confluent_kafka.Producer, confluent_kafka.DeserializingConsumer
    traced.instrument(provider=capture.provider)
    traced.instrument(provider=capture.provider)
    assert issubclass(confluent_kafka.Producer, Producer)
    assert confluent_kafka.cimpl.Producer is confluent_kafka.Producer
    traced.uninstrument()
    assert before == (confluent_kafka.Producer, confluent_kafka.DeserializingConsumer)


def test_a_message_that_cannot_be_deserialized_has_a_handling_that_failed(
    capture: Capture, broker: str, producer: Producer, topic: str
) -> None:
    producer.produce(topic, b"\xff")
    producer.flush(20)

    def broken(value: bytes, _: Any) -> Any:
        raise ValueError("not a bet")

    traced.instrument(provider=capture.provider)
    try:
        taking = confluent_kafka.DeserializingConsumer(
            {
                "bootstrap.servers": broker,
                "group.id": topic,
                "auto.offset.reset": "earliest",
                "value.deserializer": broken,
            }
        )
        taking.subscribe([topic])
        with pytest.raises(confluent_kafka.error.ValueDeserializationError):
            until(lambda: taking.poll(1))
        taking.close()
    finally:
        traced.uninstrument()
    assert "ValueDeserializationError" == capture.attributes(f"process {topic}")["error.type"]


def test_process_is_there_for_consumers_that_nobody_traces(
    broker: str, producer: Producer, topic: str
) -> None:
    producer.produce(topic, b"1")
    producer.flush(20)
    plain = confluent_kafka.Consumer(
        {"bootstrap.servers": broker, "group.id": f"{topic}-plain", "auto.offset.reset": "earliest"}
    )
    plain.subscribe([topic])
    message = until(lambda: plain.poll(1))
    with traced.process(plain, message) as span:
        assert not span.is_recording()
    plain.close()
