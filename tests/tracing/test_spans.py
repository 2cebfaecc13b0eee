from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import SpanKind, StatusCode

from tracing import envelope, propagation
from tracing.entities import entity, named
from tracing.guard import losses
from tracing.headers import Headers
from tracing.options import Options
from tracing.spans import MOST_SAID, Delivery, Messaging, key_text, key_type
from tracing.testing import Capture


@pytest.fixture(autouse=True)
def _nothing_lost() -> Iterator[None]:
    before = losses()
    with propagation.attached(Context()):
        yield
    assert before == losses(), "the library swallowed an error of its own"


@pytest.fixture
def capture() -> Capture:
    return Capture()


@pytest.fixture
def kafka(capture: Capture) -> Messaging:
    return Messaging(
        "kafka", provider=capture.provider, client_id="wallet", server_address="kafka-1", server_port=9092
    )


def sent(kafka: Messaging, **more: Any) -> Delivery:
    headers = Headers()
    kafka.send("bets", headers, key="8812", body_size=2, **more).end(partition=4, offset=88_213)
    return Delivery(
        destination="bets",
        headers=headers,
        key=b"8812",
        partition=4,
        offset=88_213,
        group="wallet",
        body_size=2,
    )


def test_a_send_span_carries_the_current_names_and_where_the_message_went(
    capture: Capture, kafka: Messaging
) -> None:
    event = envelope.new("BetPlaced", "/bet-placement", subject="bet/8812")
    sent(kafka, event=event)
    span = capture.span("send bets")
    found = dict(span.attributes or {})
    header_bytes = found.pop("throughline.message.header_bytes")
    assert isinstance(header_bytes, int)
    assert header_bytes > 100
    assert SpanKind.PRODUCER is span.kind
    assert {
        "messaging.system": "kafka",
        "messaging.operation.name": "send",
        "messaging.operation.type": "send",
        "messaging.destination.name": "bets",
        "messaging.destination.partition.id": "4",
        "messaging.kafka.offset": 88_213,
        "messaging.kafka.message.key": "8812",
        "messaging.message.body.size": 2,
        "messaging.message.id": event.id,
        "messaging.client.id": "wallet",
        "server.address": "kafka-1",
        "server.port": 9092,
        "cloudevents.event_id": event.id,
        "cloudevents.event_source": "/bet-placement",
        "cloudevents.event_subject": "bet/8812",
        "cloudevents.event_type": "BetPlaced",
        "throughline.event.time": event.time,
    } == found


def test_a_send_span_is_open_until_the_broker_answers_and_carries_its_error(
    capture: Capture, kafka: Messaging
) -> None:
    sending = kafka.send("bets", Headers(), body_size=0)
    assert [] == capture.spans()
    sending.end(error=TimeoutError("no answer"))
    span = capture.span("send bets")
    assert (StatusCode.ERROR, "no answer") == (span.status.status_code, span.status.description)
    assert "TimeoutError" == (span.attributes or {})["error.type"]


def test_a_process_span_is_the_child_of_the_send_span_and_links_its_poll(
    capture: Capture, kafka: Messaging
) -> None:
    delivery = sent(kafka)
    received = kafka.receive([delivery])
    with kafka.process(delivery, attempt=2, received=received) as current:
        assert trace.get_current_span() is current
        assert [] == capture.spans("process bets")
    send, poll, process = capture.span("send bets"), capture.span("poll bets"), capture.span("process bets")
    assert SpanKind.CONSUMER is process.kind
    assert process.parent is not None
    assert send.context.span_id == process.parent.span_id
    assert send.context.trace_id == process.context.trace_id
    assert [send.context.span_id, poll.context.span_id] == [link.context.span_id for link in process.links]
    assert 2 == (process.attributes or {})["throughline.message.attempt"]
    assert "wallet" == (process.attributes or {})["messaging.consumer.group.name"]


def test_inside_another_span_the_message_is_linked_and_that_span_is_the_parent(
    capture: Capture, kafka: Messaging
) -> None:
    delivery = sent(kafka)
    with capture.provider.get_tracer("t").start_as_current_span("job") as job:
        with kafka.process(delivery):
            pass
        assert trace.get_current_span() is job
    process = capture.span("process bets")
    capture.assert_child("process bets", of="job")
    assert [capture.span("send bets").context.span_id] == [link.context.span_id for link in process.links]


def test_by_the_letter_of_the_conventions_a_message_is_linked_and_never_the_parent(capture: Capture) -> None:
    kafka = Messaging("kafka", provider=capture.provider, options=Options(parent=False))
    with entity("bet", "1"):
        delivery = sent(kafka)
    with kafka.process(delivery):
        assert "1" == named().attributes()["throughline.context.bet"]
    assert capture.span("process bets").parent is None
    capture.assert_linked("process bets", to="send bets")


def test_an_event_the_application_put_into_the_headers_itself_is_named_on_the_span(
    capture: Capture, kafka: Messaging
) -> None:
    headers = Headers()
    event = envelope.new("BetPlaced", "/bet-placement", schema="bet-placed/4")
    envelope.write(event, headers)
    kafka.send("bets", headers).end()
    found = capture.attributes("send bets")
    assert (event.id, "bet-placed/4") == (found["messaging.message.id"], found["throughline.message.schema"])


def test_bodies_stay_off_the_span_unless_they_are_asked_for(capture: Capture, kafka: Messaging) -> None:
    kafka.send("bets", Headers(), body=b"{}").end()
    assert "throughline.message.body" not in capture.attributes("send bets")
    asked = Messaging("kafka", provider=capture.provider, options=Options(body=20))
    asked.send("stakes", Headers(), body=b'{"pin":"1234","stake":20}').end()
    assert '{"pin":"[redacted]",' == capture.attributes("send stakes")["throughline.message.body"]


def test_other_systems_have_no_kafka_names_on_their_spans(capture: Capture) -> None:
    rabbit = Messaging("rabbitmq", provider=capture.provider)
    rabbit.send("bets", Headers(), key="8812", body_size=1, more={"messaging.rabbitmq.x": 1}).end()
    found = capture.attributes("send bets")
    assert not [key for key in found if "kafka" in key]
    assert ("8812", 1) == (found["throughline.message.key"], found["messaging.rabbitmq.x"])


def test_the_broker_counts_attempts_unless_the_application_does(capture: Capture, kafka: Messaging) -> None:
    for told in (None, 7):
        with kafka.process(Delivery(destination="bets", attempt=4), attempt=told):
            pass
    assert [4, 7] == [(one.attributes or {})["throughline.message.attempt"] for one in capture.spans()]


def test_the_handlers_exception_is_recorded_and_goes_on(capture: Capture, kafka: Messaging) -> None:
    with pytest.raises(LookupError, match="no account"), kafka.process(sent(kafka)):
        raise LookupError("no account")
    span = capture.span("process bets")
    assert StatusCode.ERROR is span.status.status_code
    assert "LookupError" == (span.attributes or {})["error.type"]
    assert ["exception"] == [event.name for event in span.events]


def test_events_made_by_the_handler_follow_from_the_one_it_handles(kafka: Messaging) -> None:
    event = envelope.new("BetPlaced", "/bet-placement")
    with kafka.process(sent(kafka, event=event)):
        assert event.id == envelope.new("StakeReserved", "/wallet").causation_id
    assert "" == envelope.new("Other", "/wallet").causation_id


def test_entities_arrive_as_context_until_the_handler_names_them(capture: Capture, kafka: Messaging) -> None:
    with entity("bet", "8812", match="4711"):
        delivery = sent(kafka)
    tracer = capture.provider.get_tracer("t")
    with kafka.process(delivery), entity("bet", "8812"), tracer.start_as_current_span("UPDATE balances"):
        pass
    inner = capture.span("UPDATE balances").attributes or {}
    assert {"throughline.entity.bet": "8812", "throughline.context.match": "4711"} == dict(inner)
    assert "4711" == (capture.span("process bets").attributes or {})["throughline.context.match"]


def test_a_poll_links_every_message_with_what_tells_it_apart(capture: Capture, kafka: Messaging) -> None:
    with entity("bet", "1"):
        first = sent(kafka)
    with entity("bet", "2"):
        second = sent(kafka)
    kafka.receive([first, second])
    poll = capture.span("poll bets")
    assert SpanKind.CLIENT is poll.kind
    assert poll.parent is None
    assert 2 == (poll.attributes or {})["messaging.batch.message_count"]
    sends = [span.context.span_id for span in capture.spans("send bets")]
    assert sends == [link.context.span_id for link in poll.links]
    assert ["1", "2"] == [(link.attributes or {})["throughline.context.bet"] for link in poll.links]


def test_a_batch_of_two_destinations_names_them_on_the_links(capture: Capture, kafka: Messaging) -> None:
    one = sent(kafka)
    other = Delivery(destination="settlements", headers=one.headers, body_size=1)
    kafka.receive([one, other])
    poll = capture.span("poll")
    assert "messaging.destination.name" not in (poll.attributes or {})
    assert ["bets", "settlements"] == [
        (link.attributes or {})["messaging.destination.name"] for link in poll.links
    ]


def test_an_empty_poll_leaves_no_span(capture: Capture, kafka: Messaging) -> None:
    assert kafka.receive([]) is None
    assert [] == capture.spans()


def test_a_settle_span_links_what_it_settles(capture: Capture, kafka: Messaging) -> None:
    delivery = sent(kafka)
    kafka.settle(delivery, error=OSError("broker away"))
    settle = capture.span("commit bets")
    assert ("settle", "commit") == tuple(
        (settle.attributes or {})[f"messaging.operation.{part}"] for part in ("type", "name")
    )
    assert [capture.span("send bets").context.span_id] == [link.context.span_id for link in settle.links]
    assert StatusCode.ERROR is settle.status.status_code


@pytest.mark.parametrize(
    ("key", "shown", "kind"),
    [
        ("8812", "8812", "string"),
        (b"8812", "8812", "string"),
        ((8127).to_bytes(8, "big"), "0x0000000000001fbf", "int64"),
        ((8127).to_bytes(4, "big"), "0x00001fbf", "int32"),
        (b"\xff", "0xff", "bytes"),
        (b"x" * 300, "x" * 256, "string"),
        ("0x12", "0x12", "string"),
    ],
)
def test_a_key_is_shown_as_text_or_hex_with_its_type(key: Any, shown: str, kind: str) -> None:
    assert (shown, kind) == (key_text(key), key_type(key))


def test_a_message_without_a_body_is_a_tombstone(capture: Capture, kafka: Messaging) -> None:
    kafka.send("bets", Headers(), key="1", tombstone=True).end()
    assert True is (capture.span("send bets").attributes or {})["messaging.kafka.message.tombstone"]


def test_several_messages_settled_in_one_call_are_linked_each_with_its_offset(
    capture: Capture, kafka: Messaging
) -> None:
    one = sent(kafka)
    kafka.settle(one, Delivery(destination="bets", headers=one.headers, offset=88_214))
    settle = capture.span("commit bets")
    assert [88_213, 88_214] == [(link.attributes or {})["messaging.kafka.offset"] for link in settle.links]
    kafka.settle()
    assert 1 == len(capture.spans("commit bets"))


def test_what_the_client_learns_only_from_the_broker_is_on_the_send_span(
    capture: Capture, kafka: Messaging
) -> None:
    kafka.send("bets", Headers()).end(partition=-1, offset=-1, body_size=7)
    found = capture.attributes("send bets")
    assert 7 == found["messaging.message.body.size"]
    assert "messaging.kafka.offset" not in found


def test_attributes_of_the_system_at_hand_go_on_a_settle_span(capture: Capture, kafka: Messaging) -> None:
    kafka.settle(Delivery(destination="bets"), name="ack", more={"x": 1})
    assert 1 == capture.attributes("ack bets")["x"]


def test_destinations_without_end_are_not_kept_in_mind(capture: Capture, kafka: Messaging) -> None:
    for number in range(MOST_SAID + 10):
        kafka.settle(Delivery(destination=f"reply-{number}"))
    assert MOST_SAID == len(kafka._said)
    assert (
        f"reply-{MOST_SAID + 9}"
        == capture.attributes(f"commit reply-{MOST_SAID + 9}")["messaging.destination.name"]
    )
