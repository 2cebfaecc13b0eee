"""The waterfall: rows, errors, waits and bars."""

from __future__ import annotations

from tests.builders import HOUR
from tests.timeline.rebuild.cast import MS, link, rebuilt, sent, spanned, taken
from timeline.domain import Stored
from timeline.rebuild.scale import WIDTH
from timeline.rebuild.tree import WaterfallRow, rows, waterfall


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
    return [row for row in found.rows if row.row.entry.what == name][number]


def test_rows_stand_depth_first_with_their_counts() -> None:
    found = rows(rebuilt(*story()), story())
    assert [
        ("POST", 0, 2, 5), ("check", 1, 0, 0), ("send bets", 1, 2, 3),
        ("process bets", 2, 0, 0), ("process bets", 2, 1, 1), ("query", 3, 0, 0),
    ] == [(row.entry.what, row.depth, row.children, row.descendants) for row in found]  # fmt: skip


def test_an_own_error_and_one_below_are_told_apart() -> None:
    found = rows(rebuilt(*story()), story())
    assert [("POST", False, True), ("send bets", False, True), ("process bets", True, False)] == [
        (row.entry.what, row.own_error, row.inherited_error)
        for row in found
        if row.own_error or row.inherited_error
    ]


def test_a_collapsed_branch_says_how_much_it_hides() -> None:
    found = rebuilt(*story())
    send = next(entry.fact for entry in found.entries if entry.what == "send bets")
    listed = rows(found, story(), collapsed=frozenset({send}))
    assert [("POST", 0), ("check", 0), ("send bets", 3)] == [(row.entry.what, row.hidden) for row in listed]
    assert listed[-1].inherited_error


def test_a_row_carries_the_fact_it_shows() -> None:
    assert [fact.fact.name for fact in story() if fact.fact.name == "query"] == [
        row.stored.fact.name
        for row in rows(rebuilt(*story()), story())
        if row.stored and row.entry.what == "query"
    ]


def test_the_wait_of_a_first_attempt_begins_with_sending_and_of_another_with_the_failure() -> None:
    first, second = drawn("process bets").row.waits[0], drawn("process bets", 1).row.waits[0]
    assert (100 * MS, False) == ((first.end or 0) - first.start, first.again)
    assert (40 * MS, True) == ((second.end or 0) - second.start, second.again)


def test_waits_end_where_their_bar_begins() -> None:
    row = drawn("process bets")
    assert row.x is not None
    assert abs(row.waits[0].x + row.waits[0].width - row.x) < 0.02


def test_a_batch_has_one_wait_that_counts_its_messages() -> None:
    facts = [sent(1, number, number, number + 1) for number in (1, 2, 3)]
    batch = taken(2, 9, 50, 60, links=tuple(link(1, number) for number in (1, 2, 3)), of={"batch_count": 3})
    wait = rows(rebuilt(*facts, batch), [*facts, batch])[-1].waits[0]
    assert (3, 48 * MS) == (wait.messages, (wait.end or 0) - wait.start)


def test_a_message_nobody_took_leaves_an_open_wait_behind_its_sender() -> None:
    one = sent(1, 1, 0, 10)
    found = waterfall(rebuilt(one, groups={"bets": frozenset({"g"})}), [one])
    assert [(True, "not taken yet")] == [(wait.wait.open, wait.label) for wait in found.rows[0].waits]


def test_totals_count_the_wait_of_first_attempts_and_all_work() -> None:
    found = waterfall(rebuilt(*story()), story())
    assert (6, 4, 100 * MS, 14 * MS) == (found.total, found.depth, found.waiting, found.work)


def test_the_label_stands_where_there_is_more_room() -> None:
    assert ("right", "left") == (drawn("check").side, drawn("query").side)


def test_idle_time_folds_and_waiting_folds_unless_asked_not_to() -> None:
    facts = [sent(1, 1, 0, 2000), taken(1, 2, 2000 + 9 * HOUR / MS, 5000 + 9 * HOUR / MS, parent=1)]
    found = rebuilt(*facts)
    folded, open_ = waterfall(found, facts), waterfall(found, facts, fold_waits=False)
    assert (1, 0) == (len(folded.scale.breaks), len(open_.scale.breaks))
    assert [None, 0] == [row.break_before for row in folded.rows]
    assert all(row.width > WIDTH / 5 for row in folded.rows)


def test_a_fact_without_a_time_has_a_row_and_no_place() -> None:
    facts = [spanned(1, 1, 0, 9), spanned(1, 2, None, None, parent=1)]
    assert [None] == [row.x for row in waterfall(rebuilt(*facts), facts).rows][1:]


def test_a_deep_chain_needs_no_recursion() -> None:
    facts = [spanned(1, 1 + n, n, n + 1, parent=n or None) for n in range(5000)]
    assert (5000, 5000) == (
        len(waterfall(rebuilt(*facts), facts).rows),
        waterfall(rebuilt(*facts), facts).depth,
    )
