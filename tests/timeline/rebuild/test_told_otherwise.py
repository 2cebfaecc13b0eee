"""Deliveries as instrumentations tell them that name or nest their spans in ways of their own."""

from __future__ import annotations

from tests.timeline.rebuild.cast import MS, link, rebuilt, sent, spanned, taken
from timeline.domain import Hop, Stored


def told(*facts: Stored, **options: object) -> list[tuple[str, str | None, str, int, str]]:
    return [
        (hop.producer_service, hop.destination, hop.consumer_service, hop.attempt, hop.outcome)
        for hop in rebuilt(*facts, **options).hops
    ]


def only(*facts: Stored) -> Hop:
    (hop,) = rebuilt(*facts).hops
    return hop


def test_two_layers_of_one_client_send_one_message() -> None:
    outer, inner = sent(1, 1, 0, 10), sent(1, 2, 1, 4, parent=1)
    hop = only(outer, inner, taken(1, 3, 20, 30, parent=2))
    assert (inner.receipt.id, 10 * MS) == (hop.producer, hop.wait)
    assert hop.sent == outer.fact.until


def test_a_consumer_may_know_the_outer_layer() -> None:
    hop = only(sent(1, 1, 0, 10), sent(1, 2, 1, 4, parent=1), taken(1, 3, 20, 30, parent=1))
    assert ("shop", "wallet", "done") == (hop.producer_service, hop.consumer_service, hop.outcome)


def test_what_a_send_span_holds_besides_is_a_message_of_its_own() -> None:
    elsewhere = sent(1, 2, 1, 4, parent=1, to={"destination": "audit"})
    assert 2 == len(rebuilt(sent(1, 1, 0, 10), elsewhere).hops)
    two = [sent(1, number, number, number + 1, parent=1) for number in (2, 4)]
    assert 3 == len(rebuilt(sent(1, 1, 0, 10), *two).hops)
    later = sent(1, 2, 11, 12, parent=1)
    assert 2 == len(rebuilt(sent(1, 1, 0, 10), later).hops)
    named = [sent(1, 1, 0, 10, to={"id": "a"}), sent(1, 2, 1, 4, parent=1, to={"id": "b"})]
    assert 2 == len(rebuilt(*named).hops)
    abroad = sent(1, 2, 1, 4, parent=1, service="wallet")
    assert 2 == len(rebuilt(sent(1, 1, 0, 10), abroad).hops)


def test_a_receive_span_around_its_handler_is_the_handling() -> None:
    received = taken(1, 2, 20, 50, parent=1, of={"operation": "receive"})
    hop = only(sent(1, 1, 0, 10), received, spanned(1, 3, 21, 49, parent=2, service="wallet"))
    assert (received.receipt.id, None, 10 * MS, 30 * MS, "done") == (
        hop.consumer, hop.receiver, hop.wait, hop.work, hop.outcome,
    )  # fmt: skip


def test_a_receive_span_that_ended_before_its_handler_says_nothing_of_the_work() -> None:
    received = taken(1, 2, 20, 21, parent=1, of={"operation": "receive"})
    hop = only(sent(1, 1, 0, 10), received, spanned(1, 3, 22, 49, parent=2, service="wallet"))
    assert (None, received.receipt.id, None, "done") == (hop.consumer, hop.receiver, hop.work, hop.outcome)


def test_a_receive_span_around_a_process_span_is_none() -> None:
    received = taken(1, 2, 20, 50, parent=1, of={"operation": "receive"})
    handled = taken(1, 3, 30, 49, parent=2)
    hop = only(sent(1, 1, 0, 10), received, handled)
    assert (handled.receipt.id, received.receipt.id, 19 * MS) == (hop.consumer, hop.receiver, hop.work)


def test_what_a_poll_does_before_it_has_a_message_is_no_handling() -> None:
    loop = spanned(2, 9, 0, 90, service="wallet")
    polled = taken(2, 2, 5, 21, parent=9, links=(link(1, 1),), of={"operation": "receive"})
    request = spanned(2, 3, 6, 20, parent=2, service="wallet", kind="client")
    hop = only(sent(1, 1, 0, 10), loop, polled, request)
    assert (None, polled.receipt.id) == (hop.consumer, hop.receiver)


# the first sender's context stays on a message that is sent on
SENT = sent(1, 1, 0, 1)
HANDLED = taken(2, 2, 10, 20, links=(link(1, 1),), service="mail", of={"id": "bets.4"})
SENT_ON = sent(2, 3, 12, 13, parent=2, service="mail", to={"destination": "late"})
LATE = {"destination": "late", "id": "late.0"}
TAKEN = taken(3, 4, 30, 40, links=(link(1, 1),), service="courier", of=LATE)
CHAIN = [("shop", "bets", "mail", 1, "done"), ("mail", "late", "courier", 1, "done")]


def test_a_message_that_was_sent_on_with_its_old_context_came_from_who_sent_it_on() -> None:
    assert CHAIN == told(SENT, HANDLED, SENT_ON, TAKEN)
    hop = rebuilt(SENT, HANDLED, SENT_ON, TAKEN).hops[1]
    assert (SENT_ON.receipt.id, 17 * MS, "late.0") == (hop.producer, hop.wait, hop.event)


def test_it_did_so_too_where_the_message_has_no_name() -> None:
    handled = taken(2, 2, 10, 20, links=(link(1, 1),), service="mail")
    late = taken(3, 4, 30, 40, links=(link(1, 1),), service="courier", of={"destination": "late"})
    assert CHAIN == told(SENT, handled, SENT_ON, late)


def test_every_group_that_took_it_took_what_was_sent_on() -> None:
    other = taken(3, 5, 30, 40, links=(link(1, 1),), service="archive", of=LATE)
    found = told(SENT, HANDLED, SENT_ON, TAKEN, other)
    assert {*CHAIN, ("mail", "late", "archive", 1, "done")} == set(found)


def test_who_of_two_sent_it_on_is_not_guessed() -> None:
    again = sent(2, 6, 14, 15, parent=2, service="mail", to={"destination": "late"})
    found = told(SENT, HANDLED, SENT_ON, again, TAKEN)
    assert ("shop", "late", "courier", 1, "done") in found
    assert 2 == found.count(("mail", "late", "", 1, "unknown"))


def test_a_send_outside_of_the_handling_is_not_taken_for_it() -> None:
    apart = sent(2, 3, 12, 13, service="mail", to={"destination": "late"})
    assert ("shop", "late", "courier", 1, "done") in told(SENT, HANDLED, apart, TAKEN)


def test_no_group_of_the_first_destination_is_said_to_miss_what_was_sent_on() -> None:
    groups = {"bets": frozenset(["mail"]), "late": frozenset(["courier"])}
    found = told(SENT, HANDLED, TAKEN, groups=groups)
    assert [("shop", "bets", "mail", 1, "done"), ("shop", "late", "courier", 1, "done")] == found
