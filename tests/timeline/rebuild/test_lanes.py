"""Service lanes: what is drawn, where, and how hops join it."""

from __future__ import annotations

import itertools

from tests.builders import HOUR, entities, ref
from tests.timeline.rebuild.cast import MS, link, message, posted, rebuilt, sent, spanned, taken
from timeline.domain import EventInfo, Stored
from timeline.rebuild.lanes import MOST_ROWS, Lanes, lanes
from timeline.rebuild.scale import WIDTH


def drawn(*facts: Stored, subject: str = "bet:1", **options: object) -> Lanes:
    return lanes(rebuilt(*facts, subject=subject), facts, **options)  # type: ignore[arg-type]


def story() -> list[Stored]:
    return [
        spanned(1, 1, 0, 20, name="POST", service="shop"),
        sent(1, 2, 5, 6, parent=1),
        posted(1, 5, ref=ref(1, 1), service="shop", event=EventInfo(source="s", id="e1", type="BetPlaced")),
        taken(1, 3, 30, 40, parent=2, status="error"),
        taken(1, 4, 60, 80, parent=2),
        spanned(1, 5, 61, 62, parent=4, name="query", service="wallet", status="error"),
    ]


def test_a_lane_per_service_in_first_seen_order_with_its_counts() -> None:
    found = drawn(*story())
    assert [("shop", 1, 2, 0), ("wallet", 0, 3, 2)] == [
        (lane.service, lane.events, lane.spans, lane.handlings) for lane in found.lanes
    ]


def test_spans_inside_another_of_their_lane_are_counted_and_not_drawn() -> None:
    shop, wallet = drawn(*story()).lanes
    assert [("POST", 1, False)] == [(bar.what, bar.inner, bar.inner_error) for bar in shop.bars]
    assert [("process bets", 0, False), ("process bets", 1, True)] == [
        (bar.what, bar.inner, bar.inner_error) for bar in wallet.bars
    ]


def test_what_begins_after_its_parent_ended_is_a_bar_of_its_own() -> None:
    facts = [spanned(1, 1, 0, 10, name="a"), spanned(1, 2, 500, 510, parent=1, name="b")]
    assert ["a", "b"] == [bar.what for bar in drawn(*facts).lanes[0].bars]


def test_an_event_sits_on_the_bar_it_happened_in() -> None:
    shop = drawn(*story()).lanes[0]
    assert [(shop.bars[0].fact, shop.bars[0].row)] == [(mark.on, mark.row) for mark in shop.marks]


def test_waiting_is_drawn_in_the_consumer_s_lane_before_its_bar() -> None:
    first, second = drawn(*story()).lanes[1].bars
    assert [(24 * MS, False), (20 * MS, True)] == [
        ((bar.waits[0].wait.end or 0) - bar.waits[0].wait.start, bar.waits[0].wait.again)
        for bar in (first, second)
    ]
    assert abs(first.waits[0].x + first.waits[0].width - first.x) < 0.02


def test_arcs_run_from_sending_to_handling_and_from_try_to_try() -> None:
    assert [("hop", 0, 1), ("again", 1, 1)] == [
        (arc.kind, arc.from_lane, arc.to_lane) for arc in drawn(*story()).arcs
    ]


def test_a_direct_cause_of_another_service_is_an_arc() -> None:
    goal = posted(1, 0, service="feed", event=EventInfo(source="s", id="g", type="Goal"))
    bet = posted(2, 9, service="bets", event=EventInfo(source="s", id="b", type="Settled", causation_id="g"))
    work = spanned(1, 1, 20, 30, service="bets", links=(link(2, 2),))
    told = spanned(2, 2, 0, 1, service="feed", name="tell")
    arcs = drawn(goal, bet, work, told).arcs
    assert {("cause", goal.receipt.id, bet.receipt.id), ("cause", told.receipt.id, work.receipt.id)} == {
        (arc.kind, arc.source, arc.target) for arc in arcs
    }


def test_bars_that_overlap_take_rows_of_their_own_and_free_them_again() -> None:
    facts = [
        spanned(n, n, start, end) for n, start, end in ((1, 0, 50), (2, 10, 60), (3, 55, 90), (4, 80, 99))
    ]
    lane = drawn(*facts).lanes[0]
    assert (2, [0, 1, 0, 1]) == (lane.rows, [bar.row for bar in lane.bars])


def test_no_two_things_of_one_row_overlap() -> None:
    facts = [spanned(n, n, n * 3, n * 3 + 20) for n in range(1, 60)]
    lane = drawn(*facts).lanes[0]
    for row in range(lane.rows):
        ends = [(bar.x, bar.x + bar.width) for bar in lane.bars if bar.row == row]
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(ends))


def test_a_crowd_is_counted_and_shares_the_last_row() -> None:
    facts = [spanned(n, n, 0, 100) for n in range(1, MOST_ROWS + 11)]
    lane = drawn(*facts).lanes[0]
    assert (MOST_ROWS, 10) == (lane.rows, lane.crowded)


def test_the_second_of_two_effects_is_a_duplicate() -> None:
    facts = [sent(1, 1, 0, 1, to={"id": "m"}), taken(1, 2, 5, 9, parent=1), taken(1, 3, 20, 29, parent=1)]
    facts += [
        posted(
            n, at, ref=ref(1, n), service="wallet", event=EventInfo(source="s", id=f"e{n}", type="Credited")
        )
        for n, at in ((2, 6), (3, 22))
    ]
    wallet = drawn(*facts).lanes[1]
    assert [False, True] == [mark.duplicate for mark in wallet.marks]
    assert [False, True] == [bar.duplicate for bar in wallet.bars]


def test_a_lane_of_context_alone_says_so() -> None:
    about = {"entities": entities("match:4"), "context": entities("bet:1")}
    found = drawn(posted(1, 0, service="feed", **about), spanned(1, 1, 5, 6, service="shop"))
    assert [("feed", True), ("shop", False)] == [(lane.service, lane.context_only) for lane in found.lanes]


def test_facts_without_a_time_are_counted_in_their_lane() -> None:
    lane = drawn(spanned(1, 1, 0, 9), spanned(1, 2, None, None, parent=1)).lanes[0]
    assert (1, 2, 1) == (lane.untimed, lane.spans, len(lane.bars))


def test_nothing_makes_an_empty_picture() -> None:
    assert ((), (), 0) == (drawn().lanes, drawn().arcs, drawn().marks)


def test_a_job_nine_hours_of_waiting_and_a_job_show_both_jobs() -> None:
    facts = [sent(1, 1, 0, 2000), taken(1, 2, 2000 + 9 * HOUR / MS, 5000 + 9 * HOUR / MS, parent=1)]
    bars = [bar for lane in drawn(*facts).lanes for bar in lane.bars]
    assert [True, True] == [bar.width > WIDTH / 5 for bar in bars]
    assert 1 == len(drawn(*facts).scale.breaks)
    assert 0 == len(drawn(*facts, fold_waits=False).scale.breaks)


def test_a_poll_that_only_handed_over_is_not_drawn() -> None:
    poll = spanned(
        2, 9, 2, 25, kind="client", name="poll", service="wallet", links=(link(1, 2),),
        message=message(operation="receive", group="wallet"),
    )  # fmt: skip
    handled = taken(1, 3, 26, 40, parent=2, links=(link(2, 9),))
    found = drawn(sent(1, 2, 5, 6), poll, handled)
    assert ["process bets"] == [bar.what for bar in found.lanes[1].bars]
    assert found.lanes[1].bars[0].waits[0].split is not None
