"""The five services over the broker in this process, with a stand-in receiver."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from examples.matchday.company import LIVE_MATCH, Company
from examples.matchday.story import SERVICES
from tests.tracing.sink import Sink, running
from tracing.guard import losses
from tracing.integrations.confluent_kafka import Producer


@pytest.fixture(scope="module")
def day() -> Iterator[Sink]:
    """What the receiver got of some seconds of work, with one poison message among it."""
    before = losses()
    with running() as sink:
        company = Company(sink.endpoint, rate=10)
        company.start()
        producer = Producer({"bootstrap.servers": company.broker.address})
        producer.produce(
            "bets", b"\x80 no json", headers=[("traceparent", b"\xff\xfe"), ("baggage", b"\x80")]
        )
        producer.flush(20)
        sink.wait(lambda: any(event["type"] == "PlayerNotified" for event in sink.events()), 60)
        company.stop()
        yield sink
    allowed = {"bad traceparent", "bad baggage member"}
    assert {} == {
        reason: n for reason, n in losses().items() if n != before.get(reason) and reason not in allowed
    }


def values(span: Any) -> dict[str, Any]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


def test_all_five_services_send_spans_under_their_own_name(day: Sink) -> None:
    assert set(SERVICES) == {resource["service.name"] for resource, _ in day.spans()}


def test_one_bet_is_one_trace_from_the_request_to_the_payout_and_the_push(day: Sink) -> None:
    told = next(event for event in day.events() if event["type"] == "PlayerNotified")
    trace_id = told["traceparent"].split("-")[1]
    mine = [
        (resource["service.name"], span) for resource, span in day.spans() if span.trace_id.hex() == trace_id
    ]
    assert {
        ("bet-placement", "POST /bets"),
        ("bet-placement", "send bets"),
        ("settlement", "process bets"),
        ("settlement", "settle bet"),
        ("settlement", "send settlements"),
        ("wallet", "process bets"),
        ("wallet", "process settlements"),
        ("wallet", "send wallet.payouts"),
        ("notifications", "process bets"),
        ("notifications", "process wallet.payouts"),
    } <= {(service, span.name) for service, span in mine}
    by_id = {span.span_id: span for _, span in mine}
    for _, span in mine:
        if span.name.startswith("process "):
            sender = by_id[span.parent_span_id]
            assert span.name.replace("process", "send") == sender.name
            assert values(sender)["messaging.kafka.offset"] == values(span)["messaging.kafka.offset"]
    settle = next(span for _, span in mine if span.name == "settle bet")
    follows = {span.span_id for _, span in day.spans() if span.name == "process match.events"}
    assert {link.span_id for link in settle.links} <= follows
    assert 1 == len(settle.links)


def test_the_bet_is_the_subject_and_the_match_came_along(day: Sink) -> None:
    for resource, span in day.spans():
        if span.name == "process settlements":
            found = values(span)
            assert found["throughline.entity.bet"] == found["messaging.kafka.message.key"]
            assert LIVE_MATCH == found["throughline.context.match"]
            assert "wallet" == resource["service.name"]


def test_events_form_a_chain_of_causes(day: Sink) -> None:
    events = {event["id"]: event for event in day.events()}
    told = next(event for event in events.values() if event["type"] == "PlayerNotified")
    chain = [told]
    while cause := chain[-1].get("causationid"):
        chain.append(events[cause])
    assert ["PlayerNotified", "PayoutCompleted", "BetSettled", "BetPlaced"] == [
        event["type"] for event in chain
    ]
    assert {chain[-1]["id"]} == {event["correlationid"] for event in chain[:-1]}


def test_a_poison_message_fails_its_span_goes_to_the_dead_letters_and_stops_nobody(day: Sink) -> None:
    failed = [span for _, span in day.spans() if values(span).get("error.type") == "JSONDecodeError"]
    assert 3 == len(failed)
    assert {"process bets"} == {span.name for span in failed}
    assert 3 == len([span for _, span in day.spans() if span.name == "send live.dlq"])
