"""Deliveries, however they were instrumented."""

from __future__ import annotations

from typing import Any

import pytest

from tests.builders import SECOND
from tests.timeline.rebuild.cast import (
    MS,
    cloud,
    link,
    message,
    ms,
    posted,
    rebuilt,
    recorded,
    sent,
    spanned,
    taken,
)
from timeline.domain import Hop, Stored

COUNT = 50
GRAPH = {
    (f"m{number}", "bets", "shop", "wallet", "wallet", "0", number, 1, 1, "done") for number in range(COUNT)
}


def edges(hops: tuple[Hop, ...]) -> set[tuple[Any, ...]]:
    """The graph without what may differ between styles: times, fact ids, and what joined it."""
    return {
        (
            hop.event, hop.destination, hop.producer_service, hop.consumer_service, hop.group,
            hop.partition, hop.offset, hop.attempt, hop.attempts, hop.outcome,
        )
        for hop in hops
    }  # fmt: skip


def place(number: int) -> dict[str, Any]:
    return {"id": f"m{number}", "partition": "0", "offset": number}


def sends(trace: int = 1) -> list[Stored]:
    return [sent(trace, 100 + number, number, number + 0.5, to=place(number)) for number in range(COUNT)]


def by_parent() -> list[Stored]:
    return sends() + [
        taken(1, 1000 + number, 200 + number, 201 + number, parent=100 + number, of=place(number))
        for number in range(COUNT)
    ]


def by_link() -> list[Stored]:
    return sends() + [
        taken(2, 1000 + number, 200 + number, 201 + number, links=(link(1, 100 + number),))
        for number in range(COUNT)
    ]


def by_batch() -> list[Stored]:
    links = tuple(
        link(1, 100 + number, messaging__message__id=f"m{number}", messaging__kafka__offset=number)
        for number in range(COUNT)
    )
    return [*sends(), taken(2, 1, 200, 300, links=links, of={"batch_count": COUNT, "partition": "0"})]


def by_batch_with_receive() -> list[Stored]:
    links = tuple(link(1, 100 + number) for number in range(COUNT))
    polled = message(operation="receive", group="wallet", batch_count=COUNT)
    poll = spanned(2, 1, 150, 200, kind="client", name="poll", service="wallet", message=polled, links=links)
    handled = [
        taken(1, 1000 + number, 201 + number, 202 + number, parent=100 + number, links=(link(2, 1),))
        for number in range(COUNT)
    ]
    return [*sends(), poll, *handled]


def by_create_and_batch_send() -> list[Stored]:
    creates = [
        spanned(
            1, 100 + number, number, number, kind="producer", service="shop", name="create",
            message=message(operation="create", **place(number)),
        )
        for number in range(COUNT)
    ]  # fmt: skip
    links = tuple(link(1, 100 + number) for number in range(COUNT))
    whole = sent(1, 99, 60, 70, links=links, to={"batch_count": COUNT})
    return [*creates, whole, *by_link()[COUNT:]]


def by_message_id() -> list[Stored]:
    return sends() + [
        taken(2, 1000 + number, 200 + number, 201 + number, of={"id": f"m{number}"})
        for number in range(COUNT)
    ]


def by_offset() -> list[Stored]:
    return sends() + [
        taken(2, 1000 + number, 200 + number, 201 + number, of={"partition": "0", "offset": number})
        for number in range(COUNT)
    ]


def by_one_send_for_all() -> list[Stored]:
    """A batch send without create spans: only its consumers tell the messages apart."""
    whole = sent(1, 99, 60, 70, to={"batch_count": COUNT})
    links = tuple(
        link(
            1, 99, messaging__message__id=f"m{number}", messaging__kafka__offset=number,
            messaging__destination__partition__id="0",
        )
        for number in range(COUNT)
    )  # fmt: skip
    return [whole, taken(2, 1, 200, 300, links=links, of={"batch_count": COUNT})]


STYLES = {
    "parent": (by_parent, "parent"),
    "link": (by_link, "link"),
    "batch": (by_batch, "batch link"),
    "poll and process": (by_batch_with_receive, "parent"),
    "create spans": (by_create_and_batch_send, "link"),
    "message id": (by_message_id, "message id"),
    "offset": (by_offset, "offset"),
    "one send for all": (by_one_send_for_all, "batch link"),
}


@pytest.mark.parametrize("style", STYLES)
def test_every_style_of_instrumentation_gives_the_same_graph(style: str) -> None:
    make, joined_by = STYLES[style]
    found = rebuilt(*make()).hops
    assert edges(found) == GRAPH
    assert len(found) == COUNT
    assert {joined_by} == {hop.joined_by for hop in found}


def test_an_event_identity_joins_what_has_no_common_trace() -> None:
    found = rebuilt(sent(1, 1, 0, 1, event=cloud()), taken(2, 2, 5, 6, event=cloud())).hops
    assert [("event-1", "event id", 4 * MS)] == [(hop.event, hop.joined_by, hop.wait) for hop in found]


def test_the_same_event_id_of_another_source_is_another_event() -> None:
    other = cloud(source="/elsewhere")
    found = rebuilt(sent(1, 1, 0, 1, event=cloud()), taken(2, 2, 5, 6, event=other)).hops
    assert {("shop", ""), ("", "wallet")} == {(hop.producer_service, hop.consumer_service) for hop in found}


def test_ninety_seconds_in_the_broker_are_wait_and_not_work() -> None:
    hop = rebuilt(sent(1, 1, 0, 5, to=place(1)), taken(1, 2, 90_005, 90_009, parent=1)).hops[0]
    assert (90 * SECOND, 4 * MS) == (hop.wait, hop.work)


def test_a_message_taken_before_the_sender_had_its_acknowledgement_did_not_wait() -> None:
    hop = rebuilt(sent(1, 1, 0, 10), taken(1, 2, 4, 6, parent=1)).hops[0]
    assert hop.wait == 0


def test_a_consumer_whose_clock_runs_behind_keeps_its_negative_wait() -> None:
    hop = rebuilt(sent(1, 1, 100, 110), taken(1, 2, 50, 60, parent=1)).hops[0]
    assert hop.wait == -60 * MS


def test_each_group_that_takes_a_message_is_a_hop_of_its_own() -> None:
    found = rebuilt(
        sent(1, 1, 0, 1, to=place(1)),
        taken(1, 2, 5, 6, parent=1),
        taken(1, 3, 5, 7, parent=1, service="settlement"),
    ).hops
    assert {("wallet", 1, 1), ("settlement", 1, 1)} == {
        (hop.group, hop.attempt, hop.attempts) for hop in found
    }


def test_handling_again_is_another_attempt_of_the_same_delivery() -> None:
    found = rebuilt(
        sent(1, 1, 0, 1, to=place(1)),
        taken(1, 2, 5, 6, parent=1, status="error"),
        taken(1, 3, 20, 21, parent=1),
    )
    assert [(1, 2, "failed"), (2, 2, "done")] == [
        (hop.attempt, hop.attempts, hop.outcome) for hop in found.hops
    ]
    assert ["attempt 1 of 2", "attempt 2 of 2"] == [
        badge for entry in found.entries for badge in entry.badges if badge.startswith("attempt")
    ]


def test_the_broker_s_own_count_of_attempts_is_believed() -> None:
    hop = rebuilt(sent(1, 1, 0, 1), taken(1, 2, 5, 6, parent=1, of={"attempt": 3})).hops[0]
    assert (3, 3) == (hop.attempt, hop.attempts)


def test_receive_process_and_settle_of_one_delivery_are_one_hop() -> None:
    receive = spanned(
        1, 2, 0.5, 6, parent=1, kind="client", name="receive", service="wallet",
        message=message(operation="receive", group="wallet", **place(1)),
    )  # fmt: skip
    settle = spanned(
        1,
        4,
        9,
        10,
        parent=3,
        kind="client",
        name="ack",
        service="wallet",
        message=message(operation="settle"),
    )
    found = rebuilt(sent(1, 1, 0, 1, to=place(1)), receive, taken(1, 3, 7, 9, parent=2), settle).hops
    assert [(receive.receipt.id, settle.receipt.id, ms(6), ms(7), "done")] == [
        (hop.receiver, hop.settled, hop.received, hop.started, hop.outcome) for hop in found
    ]


def test_a_process_span_that_says_it_was_settled_tells_of_that_too() -> None:
    said = taken(1, 2, 5, 6, parent=1, attributes={"throughline.message.settled": "ack"})
    hops = rebuilt(sent(1, 1, 0, 1), said, taken(1, 3, 8, 9, parent=1)).hops
    assert [(said.receipt.id, "done"), (None, "done")] == [(hop.settled, hop.outcome) for hop in hops]


def test_a_rejected_message_failed_though_its_handler_did_not() -> None:
    settle = spanned(
        1,
        3,
        6,
        7,
        parent=2,
        kind="client",
        name="nack bets",
        service="wallet",
        message=message(operation="settle"),
    )
    found = rebuilt(sent(1, 1, 0, 1), taken(1, 2, 5, 6, parent=1), settle).hops
    assert ["failed"] == [hop.outcome for hop in found]


def test_a_message_received_and_never_processed_is_in_flight() -> None:
    receive = spanned(
        1, 2, 0, 6, kind="client", name="poll", service="wallet", links=(link(1, 1),),
        message=message(operation="receive", group="wallet"),
    )  # fmt: skip
    assert ["in flight"] == [hop.outcome for hop in rebuilt(sent(1, 1, 0, 1), receive).hops]


def test_a_handler_that_has_no_end_is_in_flight() -> None:
    assert ["in flight"] == [
        hop.outcome for hop in rebuilt(sent(1, 1, 0, 1), taken(1, 2, 5, None, parent=1)).hops
    ]


@pytest.mark.parametrize(("covered", "outcome"), [(True, "unconsumed"), (False, "unknown")])
def test_a_group_that_reads_the_topic_and_has_not_taken_the_message_is_named(
    covered: bool, outcome: str
) -> None:
    found = rebuilt(
        sent(1, 1, 0, 1),
        taken(1, 2, 5, 6, parent=1),
        groups={"bets": frozenset({"wallet", "audit"})},
        covered=covered,
    ).hops
    assert {("wallet", "done"), ("audit", outcome)} == {(hop.group, hop.outcome) for hop in found}


def test_a_message_that_nobody_is_known_to_read_is_open_and_nothing_is_claimed() -> None:
    assert [(None, "unknown")] == [(hop.group, hop.outcome) for hop in rebuilt(sent(1, 1, 0, 1)).hops]


def test_a_consumer_that_does_not_say_its_group_leaves_no_group_accused() -> None:
    found = rebuilt(
        sent(1, 1, 0, 1), taken(1, 2, 5, 6, parent=1, of={"group": None}), groups={"bets": frozenset({"g"})}
    ).hops
    assert ["done"] == [hop.outcome for hop in found]


def test_one_event_published_to_two_topics_is_two_hops() -> None:
    found = rebuilt(
        sent(1, 1, 0, 1, event=cloud()),
        sent(1, 2, 1, 2, event=cloud(), to={"destination": "audit"}),
        taken(2, 3, 5, 6, event=cloud()),
        taken(2, 4, 7, 8, event=cloud(), of={"destination": "audit"}),
    ).hops
    assert {("bets", ms(1), 1), ("audit", ms(2), 1)} == {
        (hop.destination, hop.sent, hop.attempts) for hop in found
    }


def test_a_dead_letter_queue_is_a_delivery_of_its_own() -> None:
    found = rebuilt(
        sent(1, 1, 0, 1, to={"id": "m1"}),
        taken(1, 2, 5, 6, parent=1, status="error"),
        taken(1, 3, 9, 10, parent=1, service="mortuary", of={"destination": "bets.dlq", "id": "m1"}),
    ).hops
    assert {("bets", "failed", 1), ("bets.dlq", "done", 1)} == {
        (hop.destination, hop.outcome, hop.attempts) for hop in found
    }


def test_a_broker_record_can_be_the_producing_side() -> None:
    record = recorded(3, of=place(7))
    found = rebuilt(record, taken(2, 2, 5, 6, of={"partition": "0", "offset": 7})).hops
    assert [(record.receipt.id, 2 * MS, "offset")] == [
        (hop.producer, hop.wait, hop.joined_by) for hop in found
    ]


def test_a_record_and_its_send_span_are_one_message() -> None:
    found = rebuilt(sent(1, 1, 0, 1, to=place(7)), recorded(0.5, of=place(7)), taken(1, 2, 5, 6, parent=1))
    assert 1 == len(found.hops)
    assert ["send bets", "bets", "process bets"] == [entry.what for entry in found.entries]


def test_a_posted_event_can_be_the_producing_side() -> None:
    told = posted(1, 2, event=cloud())
    found = rebuilt(told, taken(2, 2, 5, 6, event=cloud())).hops
    assert [(told.receipt.id, 3 * MS)] == [(hop.producer, hop.wait) for hop in found]


def test_a_posted_event_without_a_consumer_is_no_open_hop() -> None:
    assert () == rebuilt(posted(1, 2)).hops
