"""Every generation of attribute names leads to the same promoted facts."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from tests.timeline.ingest.promotion import message, promoted
from timeline.domain import EventInfo, Message
from timeline.ingest.normalise import number, origin, rfc3339, samples, text
from tracing import semconv

CURRENT = {
    "messaging.system": "kafka",
    "messaging.operation.type": "process",
    "messaging.destination.name": "bets",
    "messaging.destination.partition.id": "3",
    "messaging.kafka.offset": 42,
    "messaging.consumer.group.name": "wallet",
    "messaging.kafka.message.key": "bet-1",
    "messaging.message.id": "m-1",
    "messaging.message.conversation_id": "c-1",
    "messaging.message.body.size": 512,
    "messaging.batch.message_count": 2,
    "messaging.kafka.cluster.id": "lkc",
}


PROMOTED = Message(
    system="kafka",
    operation="process",
    destination="bets",
    partition="3",
    offset=42,
    group="wallet",
    key="bet-1",
    id="m-1",
    conversation_id="c-1",
    body_size=512,
    batch_count=2,
    cluster="lkc",
)


def test_the_current_names_are_promoted_and_left_as_they_are() -> None:
    attributes = dict(CURRENT)
    assert promoted(attributes) == (PROMOTED, None)
    assert attributes == CURRENT


@pytest.mark.parametrize(("old", "new"), sorted(semconv.ALIASES.items()))
def test_every_old_name_gives_what_its_current_name_gives(old: str, new: str) -> None:
    value: Any = {
        "messaging.operation.type": "process",
        "messaging.kafka.offset": 42,
        "messaging.message.body.size": 512,
    }.get(new, "x")
    with_old = {"messaging.system": "kafka", old: value}
    with_new = {"messaging.system": "kafka", new: value}
    assert promoted(with_new) == promoted(with_old)
    unread = {"server.address", "server.port", "messaging.client.id", "messaging.kafka.message.tombstone"}
    assert (message(with_new) == Message(system="kafka")) == (new in unread)


@pytest.mark.parametrize(("old", "new"), sorted(semconv.ALIASES.items()))
def test_a_current_name_wins_over_every_older_one(old: str, new: str) -> None:
    if new in CURRENT:
        assert message({old: "other"} | CURRENT) == PROMOTED


@pytest.mark.parametrize(
    "attributes",
    [
        {  # 1.17, as kafka-python instrumentation still writes it
            "messaging.system": "kafka",
            "messaging.destination": "bets",
            "messaging.operation": "receive",
            "messaging.kafka.partition": 3,
            "messaging.message_id": "m-1",
            "messaging.kafka.consumer_group": "wallet",
            "messaging.kafka.message_key": "bet-1",
            "messaging.message_payload_size_bytes": 512,
        },
        {  # 1.21
            "messaging.system": "kafka",
            "messaging.destination.name": "bets",
            "messaging.operation": "receive",
            "messaging.kafka.destination.partition": 3,
            "messaging.message.id": "m-1",
            "messaging.kafka.consumer.group": "wallet",
            "messaging.kafka.message.key": "bet-1",
            "messaging.message.payload_size_bytes": 512,
        },
        {  # 1.44
            "messaging.system": "kafka",
            "messaging.destination.name": "bets",
            "messaging.operation.name": "poll",
            "messaging.operation.type": "receive",
            "messaging.destination.partition.id": "3",
            "messaging.message.id": "m-1",
            "messaging.consumer.group.name": "wallet",
            "messaging.kafka.message.key": "bet-1",
            "messaging.message.body.size": "512",
        },
    ],
)
def test_one_delivery_reads_the_same_in_every_generation(attributes: dict[str, Any]) -> None:
    expected = Message(
        system="kafka",
        operation="receive",
        destination="bets",
        partition="3",
        id="m-1",
        group="wallet",
        key="bet-1",
        body_size=512,
    )
    assert expected == message(attributes, "consumer")


@pytest.mark.parametrize(
    ("attributes", "kind", "operation"),
    [
        ({"messaging.operation": "publish"}, "producer", "send"),
        ({"messaging.operation": "deliver"}, "consumer", "process"),
        ({"messaging.operation.type": "PROCESS"}, "consumer", "process"),
        ({"messaging.operation.type": "settle"}, "client", "settle"),
        ({"messaging.operation.type": "create"}, "producer", "create"),
        ({"messaging.operation.name": "ack"}, "client", "settle"),
        ({"messaging.operation.name": "poll"}, "client", "receive"),
        ({"messaging.operation.name": "publish"}, "client", "send"),
        ({"messaging.operation.name": "ack", "messaging.operation.type": "receive"}, "client", "receive"),
        ({"messaging.operation.name": "unheard of"}, "producer", "send"),
        ({"messaging.operation": "unheard of"}, "consumer", "process"),
        ({}, "producer", "send"),
        ({}, "consumer", "process"),
        ({}, "client", None),
        ({"messaging.operation": "unheard of"}, "server", None),
    ],
)
def test_operations_use_the_five_words_of_today(
    attributes: dict[str, Any], kind: str, operation: str | None
) -> None:
    assert operation == message({"messaging.system": "kafka"} | attributes, kind).operation


def test_a_consumer_span_that_is_called_receive_received() -> None:
    topic = {"messaging.system": "kafka", "messaging.destination": "bets"}
    assert "receive" == message(topic, "consumer", "bets receive").operation
    assert "process" == message(topic, "consumer", "bets process").operation
    assert "send" == message(topic, "producer", "bets receive").operation
    said = topic | {"messaging.operation": "process"}
    assert "process" == message(said, "consumer", "bets receive").operation


def test_events_on_spans_are_promoted() -> None:
    attributes = {
        "cloudevents.event_id": "e-1",
        "cloudevents.event_source": "/shop",
        "cloudevents.event_type": "OrderPlaced",
        "cloudevents.event_subject": "orders/1",
        "throughline.event.time": "1970-01-01T00:00:01.5Z",
        "throughline.event.correlation_id": "c",
        "throughline.event.causation_id": "e-0",
        "throughline.event.sequence": 7,
    }
    expected = EventInfo(
        source="/shop",
        id="e-1",
        type="OrderPlaced",
        subject="orders/1",
        time=1_500_000_000,
        correlation_id="c",
        causation_id="e-0",
        sequence="7",
    )
    assert (None, expected) == promoted(attributes)
    assert promoted({"throughline.event.time": 5, "cloudevents.event_id": ""}) == (None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", "x"),
        ("", None),
        (0, "0"),
        (2.0, "2"),
        (2.5, None),
        (True, None),
        (b"\xff", "\ufffd"),
        (["a"], "a"),
    ],
)
def test_text_of_a_value(value: Any, expected: str | None) -> None:
    assert expected == text(value)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, 0),
        ("007", 7),
        (3.0, 3),
        (True, None),
        ("²", None),
        (-1, None),
        (2**63 - 1, 2**63 - 1),
        ("9" * 30, None),
    ],
)
def test_number_of_a_value(value: Any, expected: int | None) -> None:
    assert expected == number(value)


@pytest.mark.parametrize(
    ("written", "ns"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("1970-01-01 00:00:00Z", 0),
        ("1970-01-01T00:00:00.123456789Z", 123_456_789),
        ("1970-01-01T00:00:00.1234567899Z", 123_456_789),
        ("1970-01-01T02:00:00.5+02:00", 500_000_000),
        ("1969-12-31T23:59:59Z", -1_000_000_000),
        ("2016-12-31T23:59:60Z", 1_483_228_800_000_000_000),
        ("2026-09-21T14:13:20-00:00", int(datetime(2026, 9, 21, 14, 13, 20, tzinfo=UTC).timestamp()) * 10**9),
    ],
)
def test_rfc_3339_times_keep_every_digit(written: str, ns: int) -> None:
    assert ns == rfc3339(written)


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Z",
        "1970-01-01",
        "1970-01-01T00:00:00",
        "1970-01-01T00:00:00.Z",
        "1970-01-01T00:00:00.1x3Z",
        "1970-01-01T00:00:00,5Z",
        "1970-13-01T00:00:00Z",
        "1970-01-01X00:00:00Z",
        "1970-01-01T24:30:00Z",
        "1970-01-01T00:00:00+0200",
        "1970-W01-1T00:00:00Z",
        "١٩٧٠-01-01T00:00:00Z",
        "1970-01-01T00:00:00.²Z",
        "0000-01-01T00:00:00Z",
        "yesterday",
    ],
)
def test_anything_else_is_no_time(written: str) -> None:
    assert rfc3339(written) is None


def test_the_resource_says_who_sent_it_in_old_and_new_names() -> None:
    old = {"service.name": "wallet", "service.version": "1", "deployment.environment": "prod"}
    new = {"service.name": "wallet", "service.instance.id": 7, "deployment.environment.name": "prod"}
    assert origin(old) == ("wallet", "", "1", "prod")
    assert origin(new) == ("wallet", "7", "", "prod")
    assert origin({"deployment.environment.name": "stage", "deployment.environment": "prod"}) == (
        "",
        "",
        "",
        "stage",
    )


@pytest.mark.parametrize(
    ("state", "expected"),
    [
        ("ot=th:8", True),
        ("vendor=x, ot=rv:1;th:c", True),
        ("ot=p:3;r:10", True),
        ("ot=th:0", False),
        ("ot=th:", False),
        ("ot=rv:abc", False),
        ("rot=th:8", False),
        ("vendor=ot=th:8", False),
        ("", False),
    ],
)
def test_only_a_threshold_above_zero_proves_sampling(state: str, expected: bool) -> None:
    assert expected == samples(state)


def test_semconv_aliases_lead_to_current_names_only() -> None:
    assert not semconv.ALIASES.keys() & set(semconv.ALIASES.values())
    assert set(semconv.OPERATION_TYPES.values()) == {"create", "send", "receive", "process", "settle"}
