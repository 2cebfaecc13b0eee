"""Deliveries of which something is missing, nested, or said twice."""

from __future__ import annotations

from typing import Any

from tests.builders import ref, span_id
from tests.timeline.rebuild.cast import (
    MS,
    cloud,
    link,
    message,
    ms,
    rebuilt,
    recorded,
    sent,
    spanned,
    taken,
)


def place(number: int) -> dict[str, Any]:
    return {"id": f"m{number}", "partition": "0", "offset": number}


def test_a_delivery_whose_producer_was_never_seen_is_still_a_hop() -> None:
    hop = rebuilt(taken(1, 2, 5, 6, parent=1, of=place(1))).hops[0]
    assert (None, "wallet", None, MS, "") == (
        hop.producer,
        hop.consumer_service,
        hop.wait,
        hop.work,
        hop.joined_by,
    )


def test_two_handlings_of_one_unseen_message_are_two_attempts() -> None:
    found = rebuilt(taken(1, 2, 5, 6, of=place(1)), taken(2, 3, 8, 9, of=place(1))).hops
    assert [(1, 2), (2, 2)] == [(hop.attempt, hop.attempts) for hop in found]


def test_a_sender_without_a_send_span_is_named_and_its_moment_is_not_guessed() -> None:
    around = spanned(1, 1, 0, 50, kind="server", name="POST /bets", service="shop")
    hop = rebuilt(around, taken(1, 2, 5, 6, parent=1)).hops[0]
    assert (around.receipt.id, None, None) == (hop.producer, hop.sent, hop.wait)


def test_of_nested_handlers_the_outer_one_is_the_handling() -> None:
    inner = taken(1, 3, 6, 8, parent=2, of=place(1))
    outer = taken(1, 2, 5, 9, parent=1, of=place(1))
    found = rebuilt(sent(1, 1, 0, 1, to=place(1)), outer, inner).hops
    assert [(outer.receipt.id, 1)] == [(hop.consumer, hop.attempts) for hop in found]


def test_inside_a_batch_the_handler_of_one_message_is_the_handling() -> None:
    links = (link(1, 1, messaging__message__id="m1"), link(1, 2, messaging__message__id="m2"))
    batch = taken(2, 5, 10, 30, links=links, of={"batch_count": 2})
    one = taken(2, 6, 11, 20, parent=5, links=(link(1, 1),))
    found = rebuilt(sent(1, 1, 0, 1, to={"id": "m1"}), sent(1, 2, 1, 2, to={"id": "m2"}), batch, one).hops
    assert {("m1", one.receipt.id), ("m2", batch.receipt.id)} == {(hop.event, hop.consumer) for hop in found}


def test_tries_inside_one_handler_are_its_attempts() -> None:
    outer = taken(1, 2, 5, 40, parent=1, of=place(1))
    first = taken(1, 3, 6, 10, parent=2, of=place(1) | {"attempt": 1}, status="error")
    second = taken(1, 4, 20, 30, parent=2, of=place(1) | {"attempt": 2})
    found = rebuilt(sent(1, 1, 0, 1, to=place(1)), outer, first, second).hops
    assert [(first.receipt.id, 1, 2), (second.receipt.id, 2, 2)] == [
        (hop.consumer, hop.attempt, hop.attempts) for hop in found
    ]
    assert {outer.receipt.id} == {hop.receiver for hop in found}


def test_closure_joins_a_hop_and_shows_no_entry() -> None:
    consumer = taken(2, 2, 5, 6, links=(link(1, 1),))
    found = rebuilt(consumer, closure=[sent(1, 1, 0, 1), sent(1, 9, 3, 4, name="unrelated")])
    assert (["process bets"], [4 * MS]) == ([e.what for e in found.entries], [hop.wait for hop in found.hops])


def test_of_a_batch_an_entity_sees_its_own_message_only() -> None:
    links = tuple(link(1, number, messaging__message__id=f"m{number}") for number in (1, 2))
    mine = sent(1, 1, 0, 1, to={"id": "m1"})
    batch = taken(2, 5, 10, 30, links=links, of={"batch_count": 2})
    others = [sent(1, 2, 0, 1, to={"id": "m2"})]
    assert ["m1"] == [hop.event for hop in rebuilt(mine, batch, closure=others, subject="bet:1").hops]
    assert {"m1", "m2"} == {hop.event for hop in rebuilt(mine, batch, closure=others).hops}


def test_a_link_to_the_ambient_span_is_no_message() -> None:
    ambient = spanned(2, 8, 0, 100, service="wallet", name="loop")
    consumer = taken(2, 2, 5, 6, links=(link(1, 1), link(2, 8)), of={"id": "m1"})
    found = rebuilt(sent(1, 1, 0, 1, to={"id": "m1"}), ambient, consumer).hops
    assert ["link"] == [hop.joined_by for hop in found]


def test_an_id_that_says_nothing_joins_by_context_first() -> None:
    facts = [sent(1, number, number, number + 0.5, to={"id": "1"}) for number in (1, 2)]
    facts += [
        taken(1, 10 + number, 10 + number, 11 + number, parent=number, of={"id": "1"}) for number in (1, 2)
    ]
    found = rebuilt(*facts).hops
    assert [(ms(1.5), 1), (ms(2.5), 1)] == sorted((hop.sent, hop.attempts) for hop in found)
    assert ref(1, 1).span_id == span_id(1)


def test_what_a_batch_says_of_itself_holds_for_none_of_its_messages() -> None:
    facts = [sent(1, 1, 0, 1, to={"id": "m1"}), sent(1, 2, 0, 1, to={"id": "m2"})]
    links = (link(1, 1, messaging__message__id="m1"), link(1, 2))
    found = rebuilt(*facts, taken(2, 5, 10, 30, links=links, of={"batch_count": 2, "id": "m1"})).hops
    assert [("m1", "done"), ("m2", "done")] == sorted((str(hop.event), hop.outcome) for hop in found)


def test_one_message_with_a_second_link_is_one_hop() -> None:
    links = (link(8, 1), link(9, 2))
    assert 1 == len(rebuilt(taken(1, 2, 5, 6, links=links, of={"id": "m1"})).hops)


def test_one_message_id_on_two_topics_is_two_messages() -> None:
    facts = [
        sent(1, 1, 4, 5, to={"id": "m"}),
        recorded(0, of={"id": "m", "destination": "audit", "offset": 1, "partition": "0"}),
        taken(2, 3, 9, 10, of={"id": "m"}),
        taken(2, 4, 9, 10, of={"id": "m", "destination": "audit"}),
    ]
    assert {("bets", ms(5)), ("audit", ms(0))} == {
        (hop.destination, hop.sent) for hop in rebuilt(*facts).hops
    }


def test_a_group_named_on_one_span_of_a_service_holds_for_the_others() -> None:
    receive = spanned(
        1, 2, 0.5, 6, kind="client", name="receive", service="wallet", links=(link(1, 1),),
        message=message(operation="receive", group="wallets"),
    )  # fmt: skip
    handled = taken(1, 3, 7, 9, parent=1, of={"group": None})
    found = rebuilt(sent(1, 1, 0, 1), receive, handled).hops
    assert [("wallets", receive.receipt.id, handled.receipt.id)] == [
        (h.group, h.receiver, h.consumer) for h in found
    ]


def test_a_record_of_another_topic_is_not_what_a_span_sent() -> None:
    facts = [
        sent(1, 1, 0, 1, event=cloud()),
        recorded(2, event=cloud(), of={"destination": "audit", "offset": 3}),
    ]
    assert {("bets", None), ("audit", 3)} == {(hop.destination, hop.offset) for hop in rebuilt(*facts).hops}
