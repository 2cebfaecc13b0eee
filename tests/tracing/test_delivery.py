from __future__ import annotations

from opentelemetry.context import Context

from tracing import envelope
from tracing.dead_letters import mark
from tracing.delivery import Delivery, coordinates, linked
from tracing.headers import Headers


def test_coordinates_are_all_that_tells_a_delivery_from_others() -> None:
    headers = Headers({"a": b"12"})
    mark(headers, reason="no account", source="bets/0/1")
    found: dict[str, object] = {}
    coordinates(
        found,
        "kafka",
        Delivery(
            destination="bets.dlq",
            headers=headers,
            key=b"\xff\xff\xff\xff",
            partition=4,
            offset=0,
            group="wallet",
            tombstone=True,
            more={"messaging.kafka.x": 1},
        ),
    )
    assert {
        "messaging.kafka.message.key": "0xffffffff",
        "throughline.message.key_type": "int32",
        "messaging.kafka.message.tombstone": True,
        "throughline.dead_letter.reason": "no account",
        "throughline.dead_letter.source": "bets/0/1",
        "throughline.message.header_bytes": headers.size,
        "messaging.destination.partition.id": "4",
        "messaging.kafka.offset": 0,
        "messaging.consumer.group.name": "wallet",
        "messaging.kafka.x": 1,
    } == found


def test_a_link_names_the_event_of_its_message_and_never_the_group_all_have() -> None:
    headers, event = Headers(), envelope.new("BetPlaced", "/bet-placement")
    envelope.write(event, headers)
    found = linked("kafka", Delivery(destination="bets", headers=headers, group="g"), Context(), "bets")
    assert event.id == found["messaging.message.id"]
    assert {"messaging.consumer.group.name", "messaging.destination.name"}.isdisjoint(found)


def test_without_headers_a_delivery_has_no_creation() -> None:
    assert Delivery(destination="bets").creation() is None
