"""What the kit does not ask of kafka-python: commits, refused messages, and the client put back as it was."""

from __future__ import annotations

from itertools import count

import kafka
import pytest
from kafka.errors import KafkaError
from kafka.structs import OffsetAndMetadata
from opentelemetry.trace import StatusCode

from tracing import Options, envelope
from tracing.integrations import kafka_python
from tracing.integrations.kafka_python import KafkaConsumer, KafkaProducer
from tracing.testing import Capture

pytestmark = pytest.mark.server
_number = count(1)


@pytest.fixture
def capture() -> Capture:
    return Capture()


@pytest.fixture
def topic() -> str:
    return f"kafka-python-{next(_number)}"


def sent(capture: Capture, url: str, topic: str, *bodies: bytes | None, **more: object) -> None:
    producer = KafkaProducer(bootstrap_servers=[url], provider=capture.provider)
    for body in bodies:
        producer.send(topic, value=body, key=b"8812", **more).get(20)
    producer.close()


def consumer(capture: Capture, url: str, topic: str, **more: object) -> KafkaConsumer:
    return KafkaConsumer(
        topic,
        bootstrap_servers=[url],
        group_id=topic,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        provider=capture.provider,
        **more,
    )


def test_the_send_span_says_where_the_message_went_and_what_it_was(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    event = envelope.new("BetPlaced", "/bet-placement", schema="bet-placed/4")
    sent(capture, kafka_url, topic, b"{}", event=event)
    found = capture.attributes(f"send {topic}")
    assert ("0", 0, 2, "8812") == tuple(
        found[name]
        for name in (
            "messaging.destination.partition.id",
            "messaging.kafka.offset",
            "messaging.message.body.size",
            "messaging.kafka.message.key",
        )
    )
    assert (event.id, "bet-placed/4") == (found["messaging.message.id"], found["throughline.message.schema"])
    assert ("127.0.0.1", int(kafka_url.rpartition(":")[2])) == (found["server.address"], found["server.port"])


def test_commits_leave_settle_spans_linked_to_what_they_settle(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    sent(capture, kafka_url, topic, b"1", b"2", b"3", None)
    taking = consumer(capture, kafka_url, topic, max_poll_records=10)
    got = []
    while len(got) < 4:
        got += [record for records in taking.poll(1000).values() for record in records]
    place = kafka.TopicPartition(topic, 0)
    taking.commit({place: OffsetAndMetadata(1, "", -1)})
    future = taking.commit_async({place: OffsetAndMetadata(3, "", -1)})
    while not future.is_done:
        taking.poll(100)
    taking.commit()
    taking.close()
    sends = [span.context.span_id for span in capture.spans(f"send {topic}")]
    settles = [[link.context.span_id for link in span.links] for span in capture.spans(f"commit {topic}")]
    assert [sends[:1], sends[1:3], sends[3:]] == settles
    assert True is (capture.spans(f"send {topic}")[3].attributes or {})["messaging.kafka.message.tombstone"]


def test_a_commit_that_fails_is_raised_and_its_span_has_the_error(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    sent(capture, kafka_url, topic, b"1")
    taking = consumer(capture, kafka_url, topic)
    with taking.process(next(taking)):
        pass
    taking.close()
    with pytest.raises((KafkaError, AssertionError, RuntimeError)):
        taking.commit()
    assert StatusCode.ERROR is capture.span(f"commit {topic}").status.status_code


def test_what_the_client_refuses_is_raised_and_its_span_has_the_error(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    producer = KafkaProducer(bootstrap_servers=[kafka_url], provider=capture.provider, max_request_size=1000)
    for wrong in ({"value": 5}, {"value": b"x", "headers": "no"}, {"value": b"x", "headers": [("a", None)]}):
        with pytest.raises(TypeError):
            producer.send(topic, **wrong)
    with pytest.raises(KafkaError):
        producer.send(topic, value=b"x" * 2000).get(20)
    producer.close()
    assert {StatusCode.ERROR} == {span.status.status_code for span in capture.spans(f"send {topic}")}
    assert 4 == len(capture.spans(f"send {topic}"))


def test_bodies_are_captured_where_that_is_asked_for(capture: Capture, kafka_url: str, topic: str) -> None:
    producer = KafkaProducer(
        bootstrap_servers=[kafka_url], provider=capture.provider, options=Options(body=100)
    )
    producer.send(topic, value=b'{"token":"t","stake":20}').get(20)
    producer.close()
    taking = consumer(capture, kafka_url, topic, options=Options(body=100))
    with taking.process(next(taking)):
        pass
    taking.close()
    for name in (f"send {topic}", f"process {topic}"):
        assert '{"token":"[redacted]","stake":20}' == capture.attributes(name)["throughline.message.body"]


def test_instrument_covers_what_was_imported_earlier_and_uninstrument_puts_it_back(capture: Capture) -> None:
    before = kafka.KafkaProducer, kafka.KafkaConsumer
    kafka_python.instrument(provider=capture.provider)
    kafka_python.instrument(provider=capture.provider)
    assert issubclass(kafka.KafkaConsumer, KafkaConsumer)
    assert kafka.consumer.KafkaConsumer is kafka.KafkaConsumer
    kafka_python.uninstrument()
    assert before == (kafka.KafkaProducer, kafka.KafkaConsumer)


def test_process_is_there_for_consumers_that_nobody_traces(
    capture: Capture, kafka_url: str, topic: str
) -> None:
    sent(capture, kafka_url, topic, b"1")
    plain = kafka.KafkaConsumer(topic, bootstrap_servers=[kafka_url], auto_offset_reset="earliest")
    with kafka_python.process(plain, next(plain)) as span:
        assert not span.is_recording()
    plain.close()
    taking = consumer(capture, kafka_url, topic)
    with kafka_python.process(taking, next(taking), attempt=3):
        pass
    taking.close()
    assert 3 == capture.attributes(f"process {topic}")["throughline.message.attempt"]
