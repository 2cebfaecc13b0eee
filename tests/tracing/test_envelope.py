from __future__ import annotations

from typing import Any

import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary, to_binary
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from hypothesis import given
from opentelemetry.context import Context

from tests.tracing.test_headers import anything
from tracing import envelope
from tracing.envelope import Envelope
from tracing.headers import Headers

PLACED = Envelope(
    type="BetPlaced",
    source="/bet-placement",
    id="e-1",
    subject="bet/8812",
    time="2026-11-21T16:52:18.406000Z",
    schema="bet-placed/4",
    partition_key="8812",
    sequence="000418",
    correlation_id="c-1",
    causation_id="e-0",
    extensions={"score": "2-0"},
)


def headers_of(event: Envelope) -> Headers:
    headers = Headers()
    envelope.write(event, headers)
    return headers


def test_an_event_comes_back_from_its_headers_as_it_was() -> None:
    assert PLACED == envelope.read(headers_of(PLACED).pairs())


def test_the_cloudevents_package_reads_the_headers() -> None:
    carried = {name: value for name, value in headers_of(PLACED).pairs() if value is not None}
    event = from_binary(KafkaMessage(headers=carried, key=b"8812", value=b'{"stake": 20}'), JSONFormat())
    assert ("BetPlaced", "/bet-placement", "e-1") == (event.get_type(), event.get_source(), event.get_id())
    assert "c-1" == event.get_extension("correlationid")
    assert {"stake": 20} == event.get_data()


def test_headers_of_the_cloudevents_package_are_read() -> None:
    made = CloudEvent(
        {"id": "x", "source": "/s", "type": "T", "specversion": "1.0", "causationid": "y"}, data={"a": 1}
    )
    found = envelope.read(to_binary(made, JSONFormat()).headers)
    assert found is not None
    assert ("x", "/s", "T", "y") == (found.id, found.source, found.type, found.causation_id)


def test_what_is_made_while_an_event_is_handled_follows_from_it() -> None:
    root = envelope.new("BetPlaced", "/bet-placement", Context())
    assert ("", "") == (root.causation_id, root.correlation_id)
    child = envelope.new("StakeReserved", "/wallet", envelope.within(root))
    grandchild = envelope.new("Pushed", "/notifications", envelope.within(child))
    assert (root.id, root.id) == (child.causation_id, child.correlation_id)
    assert (child.id, root.id) == (grandchild.causation_id, grandchild.correlation_id)
    assert 3 == len({root.id, child.id, grandchild.id})


def test_fields_that_are_given_win_over_what_would_be_filled_in() -> None:
    made = envelope.new("T", "/s", envelope.within(PLACED), id="mine", correlation_id="flow")
    assert ("mine", "flow", "e-1") == (made.id, made.correlation_id, made.causation_id)


@pytest.mark.parametrize("missing", ["ce_id", "ce_source", "ce_type", "ce_specversion"])
def test_an_event_without_a_required_attribute_is_none(missing: str) -> None:
    headers = headers_of(PLACED)
    headers.remove(missing)
    assert envelope.read(headers) is None


@pytest.mark.parametrize("carrier", [None, {}, [("ce_id", None)], [("ce_id", b"\xff")], {"x": "y"}, 7])
def test_headers_that_carry_no_event_read_as_none(carrier: Any) -> None:
    assert envelope.read(carrier) is None


def test_bytes_that_are_no_text_are_replaced() -> None:
    found = envelope.read(
        [("ce_id", b"\xff"), ("ce_source", "/s"), ("ce_type", "T"), ("ce_specversion", "1.0")]
    )
    assert found is not None
    assert "\ufffd" == found.id


@given(anything)
def test_no_carrier_makes_reading_raise(carrier: Any) -> None:
    envelope.read(carrier)


def test_an_event_travels_over_amqp_under_its_own_prefix_and_replaces_the_one_before() -> None:
    event = envelope.new("OrderPaid", "/shop", subject="order/7")
    headers = Headers({"ce_id": "old", "cloudEvents:subject": "order/1", "x": "1"})
    envelope.write(event, headers, envelope.AMQP_PREFIX)
    found = envelope.read(headers)
    assert found is not None
    assert (event.id, "order/7") == (found.id, found.subject)
    assert {"content-type", "ce_id", "cloudEvents:subject"}.isdisjoint(dict(headers))
    assert found == envelope.read({name.replace("Events_", "Events:"): value for name, value in headers})
