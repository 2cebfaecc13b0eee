"""The tree of a trace and its waterfall: rows, errors, waits, bars, batches."""

from __future__ import annotations

from tests.builders import HOUR
from tests.timeline.rebuild.cast import MS, link, ms, rebuilt, sent, spanned, taken
from timeline.domain import Entry, Stored
from timeline.rebuild.scale import WIDTH
from timeline.rebuild.tree import Batch, BatchMessage, tree
from timeline.rebuild.waterfall import Waterfall, WaterfallRow, waterfall


def story() -> list[Stored]:
    return [
        spanned(1, 1, 0, 20, name="POST", service="shop"),
        sent(1, 2, 5, 6, parent=1),
        taken(1, 3, 106, 110, parent=2, status="error"),
        taken(1, 4, 150, 160, parent=2),
        spanned(1, 5, 151, 152, parent=4, name="query", service="wallet"),
        spanned(1, 6, 2, 3, parent=1, name="check", service="shop"),
    ]


def drawn(name: str, number: int = 0) -> WaterfallRow:
    found = waterfall(rebuilt(*story()), story())
    return [row for row in found.rows() if what(row) == name][number]


def what(row: WaterfallRow) -> str:
    return row.node.what if isinstance(row.node, Entry) else ""


def names(found: Waterfall, places: list[int]) -> list[str]:
    return [what(found.row(place)) for place in places]


def test_rows_stand_depth_first_with_their_counts() -> None:
    found = waterfall(rebuilt(*story()), story()).rows()
    assert [
        ("POST", 0, 2, 5), ("check", 1, 0, 0), ("send bets", 1, 2, 3),
        ("process bets", 2, 0, 0), ("process bets", 2, 1, 1), ("query", 3, 0, 0),
    ] == [(what(row), row.depth, row.children, row.below) for row in found]  # fmt: skip


def test_an_own_error_and_one_below_are_told_apart() -> None:
    found = waterfall(rebuilt(*story()), story()).rows()
    assert [("POST", False, True), ("send bets", False, True), ("process bets", True, False)] == [
        (what(row), row.own_error, row.inherited_error)
        for row in found
        if row.own_error or row.inherited_error
    ]


def test_below_a_closed_place_nothing_is_listed_and_it_still_says_how_much_and_what_failed() -> None:
    found = waterfall(rebuilt(*story()), story())
    send = names(found, list(range(6))).index("send bets")
    shown = found.tree.shown({send})
    assert ["POST", "check", "send bets"] == names(found, shown)
    assert (3, True) == (found.row(send).below, found.row(send).inherited_error)


def test_the_rows_of_a_service_can_be_left_out() -> None:
    found = waterfall(rebuilt(*story()), story())
    assert ["POST", "check", "send bets"] == names(found, found.tree.shown((), {"wallet"}))


def test_a_row_carries_the_fact_it_shows() -> None:
    stored = drawn("query").stored
    assert stored is not None
    assert "query" == stored.fact.name


def test_the_wait_of_a_first_attempt_begins_with_sending_and_of_another_with_the_failure() -> None:
    first, second = drawn("process bets").waits[0].wait, drawn("process bets", 1).waits[0].wait
    assert (100 * MS, False) == ((first.end or 0) - first.start, first.again)
    assert (40 * MS, True) == ((second.end or 0) - second.start, second.again)


def test_waits_end_where_their_bar_begins() -> None:
    row = drawn("process bets")
    assert row.x is not None
    assert abs(row.waits[0].x + row.waits[0].width - row.x) < 0.02


def test_a_batch_has_one_wait_that_counts_its_messages() -> None:
    facts = [sent(1, number, number, number + 1) for number in (1, 2, 3)]
    batch = taken(2, 9, 50, 60, links=tuple(link(1, number) for number in (1, 2, 3)), of={"batch_count": 3})
    found = waterfall(rebuilt(*facts, batch), [*facts, batch])
    wait = next(row for row in found.rows() if row.waits).waits[0].wait
    assert (3, 48 * MS) == (wait.messages, (wait.end or 0) - wait.start)


def test_a_message_nobody_took_leaves_an_open_wait_behind_its_sender() -> None:
    one = sent(1, 1, 0, 10)
    found = waterfall(rebuilt(one, groups={"bets": frozenset({"g"})}), [one])
    assert [(True, "not taken yet")] == [(wait.wait.open, wait.label) for wait in found.row(0).waits]


def test_totals_count_the_wait_of_first_attempts_and_all_work() -> None:
    found = waterfall(rebuilt(*story()), story())
    assert (6, 4, 100 * MS, 14 * MS) == (len(found.tree.nodes), found.tree.deepest, found.waiting, found.work)


def test_the_label_stands_where_there_is_more_room() -> None:
    assert ("right", "left") == (drawn("check").side, drawn("query").side)


def test_idle_time_folds_and_waiting_folds_unless_asked_not_to() -> None:
    facts = [sent(1, 1, 0, 2000), taken(1, 2, 2000 + 9 * HOUR / MS, 5000 + 9 * HOUR / MS, parent=1)]
    found = rebuilt(*facts)
    folded, open_ = waterfall(found, facts), waterfall(found, facts, fold_waits=False)
    assert (1, 0) == (len(folded.scale.breaks), len(open_.scale.breaks))
    assert [None, 0] == [folded.breaks.get(place) for place in range(2)]
    assert all(row.width > WIDTH / 5 for row in folded.rows())


def test_a_fact_without_a_time_has_a_row_and_no_place() -> None:
    facts = [spanned(1, 1, 0, 9), spanned(1, 2, None, None, parent=1)]
    assert [None] == [row.x for row in waterfall(rebuilt(*facts), facts).rows()][1:]


def test_a_deep_chain_needs_no_recursion() -> None:
    facts = [spanned(1, 1 + n, n, n + 1, parent=n or None) for n in range(5000)]
    found = waterfall(rebuilt(*facts), facts)
    assert (5000, 5000) == (len(found.tree.nodes), found.tree.deepest)


def batch() -> list[Stored]:
    facts = [sent(1, number, number, number + 1) for number in (1, 2, 3)]
    links = tuple(link(1, number) for number in (1, 2, 3))
    return [*facts, taken(2, 9, 50, 60, links=links, of={"batch_count": 3})]


def test_a_batch_has_a_folded_row_that_opens_into_its_messages() -> None:
    found = tree(rebuilt(*batch()))
    row = next(place for place, node in enumerate(found.nodes) if isinstance(node, Batch))
    messages = [node for node in found.nodes if isinstance(node, BatchMessage)]
    assert [(1, 3), (2, 3), (3, 3)] == [(one.number, one.total) for one in messages]
    assert frozenset({row}) == found.folded
    assert (3, 0) == (found.children[row], found.below[row])
    assert isinstance(found.nodes[found.parents[row]], Entry)


def test_a_message_of_a_batch_is_drawn_as_the_time_it_waited() -> None:
    found = waterfall(rebuilt(*batch()), batch())
    labels = [row.label for row in found.rows() if isinstance(row.node, BatchMessage)]
    assert ["48 ms", "47 ms", "46 ms"] == labels


def test_a_span_that_took_one_message_is_no_batch() -> None:
    assert not tree(rebuilt(*story())).folded


def test_children_that_outlive_their_parent_or_begin_before_it_reach_beyond_its_bar() -> None:
    facts = [
        spanned(1, 1, 10, 20, name="outer"),
        spanned(1, 2, 5, 12, parent=1, name="early"),
        spanned(1, 3, 15, 40, parent=1, name="late"),
    ]
    found = tree(rebuilt(*facts))
    outer = next(n for n, node in enumerate(found.nodes) if isinstance(node, Entry) and node.what == "outer")
    assert {outer: ms(5)} == found.early
    assert {outer: ms(40)} == found.late
    row = waterfall(rebuilt(*facts), facts).row(outer)
    assert row.early is not None
    assert row.late is not None
    assert row.x is not None
    assert row.early < row.x
    assert row.x + row.width < row.late
