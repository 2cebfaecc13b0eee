"""Clocks: ranges that causality proves, shown and never applied."""

from __future__ import annotations

from tests.builders import HOUR, SECOND
from tests.timeline.rebuild.cast import MS, badges, link, message, ms, rebuilt, sent, spanned, taken


def test_a_call_bounds_the_clocks_from_both_sides() -> None:
    call = spanned(1, 1, 0, 100, kind="client", service="a")
    serve = spanned(1, 2, 30, 90, parent=1, kind="server", service="b")
    skew = rebuilt(call, serve).skew
    assert [("b", "a", -10 * MS, 30 * MS)] == [(one.service, one.against, one.low, one.high) for one in skew]


def test_a_server_that_is_three_seconds_ahead_is_off_by_a_range() -> None:
    call = spanned(1, 1, 0, 100, kind="client", service="a", name="call")
    serve = spanned(1, 2, 3030, 3090, parent=1, kind="server", service="b", name="serve")
    found = rebuilt(call, serve)
    assert [(2990 * MS, 3030 * MS)] == [(one.low, one.high) for one in found.skew]
    assert [None, (-3030 * MS, -2990 * MS)] == [entry.uncertainty for entry in found.entries]
    assert [ms(0), ms(3030)] == [entry.at for entry in found.entries]


def test_a_consumer_two_hours_behind_is_named_with_its_proof() -> None:
    producer, consumer = sent(1, 1, 0, 1), taken(1, 2, -2 * HOUR / MS, -2 * HOUR / MS + 5, parent=1)
    found = rebuilt(producer, consumer)
    skew = found.skew[0]
    assert ("wallet", "shop", None, -2 * HOUR) == (skew.service, skew.against, skew.low, skew.high)
    assert {producer.receipt.id, consumer.receipt.id} == set(skew.evidence)
    assert {"send bets": (), "process bets": ("late", "clock", "before parent")} == badges(found)


def test_clocks_that_agree_with_causality_are_not_called_off() -> None:
    assert () == rebuilt(sent(1, 1, 0, 1), taken(1, 2, 90_000, 90_001, parent=1)).skew


def test_a_caller_that_gave_up_proves_nothing_about_the_end() -> None:
    call = spanned(1, 1, 0, 100, kind="client", service="a", status="error")
    serve = spanned(1, 2, 10, 110, parent=1, kind="server", service="b")
    longer = spanned(1, 3, 10, 500, parent=1, kind="server", service="c")
    assert () == rebuilt(call, serve, longer).skew


def test_a_poll_that_was_waiting_before_the_message_was_sent_is_in_order() -> None:
    poll = spanned(
        2, 2, -500, 10, kind="client", name="poll", service="wallet", links=(link(1, 1),),
        message=message(operation="receive", group="wallet"),
    )  # fmt: skip
    found = rebuilt(sent(1, 1, 0, 1), poll)
    assert (["send bets", "poll"], (), ()) == (
        [entry.what for entry in found.entries], found.entries[1].badges, found.skew,
    )  # fmt: skip


def test_a_service_s_own_disorder_is_not_a_matter_of_clocks() -> None:
    found = rebuilt(spanned(1, 1, 5, 9, name="a"), spanned(1, 2, 0, 3, parent=1, name="b"))
    assert ((), ("out of order", "before parent")) == (found.skew, badges(found)["b"])


def test_clocks_that_drift_give_a_range_and_not_a_contradiction() -> None:
    facts = [
        spanned(1, 1, 0, 10, kind="client", service="a"),
        spanned(1, 2, 1, 9, parent=1, kind="server", service="b"),
        spanned(1, 3, 100, 110, kind="client", service="a"),
        spanned(1, 4, 3000, 3008, parent=3, kind="server", service="b"),
    ]
    skew = rebuilt(*facts).skew[0]
    assert skew.low is not None
    assert skew.high is not None
    assert skew.low <= skew.high
    assert 3 * SECOND > skew.high
