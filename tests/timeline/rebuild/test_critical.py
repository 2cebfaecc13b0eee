"""The critical path: what the end of a trace had to wait for."""

from __future__ import annotations

from tests.timeline.rebuild.cast import ms, rebuilt, sent, spanned, taken
from timeline.domain import Entry, Stored
from timeline.rebuild.critical import critical_path
from timeline.rebuild.tree import tree


def path(*facts: Stored) -> dict[str, list[tuple[float, float]]]:
    """Parts in ms after ``NOW`` by the name of their row, earliest first."""
    kin = tree(rebuilt(*facts))
    named: dict[str, list[tuple[float, float]]] = {}
    for place, parts in critical_path(kin).items():
        node = kin.nodes[place]
        assert isinstance(node, Entry)
        named[node.what] = sorted(((low - ms(0)) / 1e6, (high - ms(0)) / 1e6) for low, high in parts)
    return named


def test_a_parent_waits_for_the_child_that_ends_last() -> None:
    found = path(
        spanned(1, 1, 0, 100, name="root"),
        spanned(1, 2, 10, 40, parent=1, name="short"),
        spanned(1, 3, 10, 80, parent=1, name="long"),
    )
    assert {"root": [(0, 10), (80, 100)], "long": [(10, 80)]} == found


def test_children_one_after_the_other_are_all_on_the_path() -> None:
    found = path(
        spanned(1, 1, 0, 100, name="root"),
        spanned(1, 2, 0, 40, parent=1, name="first"),
        spanned(1, 3, 50, 100, parent=1, name="second"),
    )
    assert {"root": [(40, 50)], "first": [(0, 40)], "second": [(50, 100)]} == found


def test_time_in_the_broker_lies_on_the_row_of_the_handling_and_the_path_goes_on_in_the_sender() -> None:
    found = path(
        spanned(1, 1, 0, 20, name="root"),
        sent(1, 2, 5, 6, parent=1),
        taken(1, 3, 106, 110, parent=2),
    )
    assert {"root": [(0, 5)], "send bets": [(5, 6)], "process bets": [(6, 106), (106, 110)]} == found


def test_another_attempt_waited_for_the_one_before() -> None:
    facts = [
        sent(1, 2, 5, 6),
        taken(1, 3, 10, 20, parent=2, status="error", name="bets"),
        taken(1, 4, 30, 40, parent=2, name="bets"),
    ]
    kin = tree(rebuilt(*facts))
    parts = {
        node.badges[-1]: len(critical_path(kin).get(place, ()))
        for place, node in enumerate(kin.nodes)
        if isinstance(node, Entry) and node.what == "bets"
    }
    assert {"attempt 1 of 2": 2, "attempt 2 of 2": 2} == parts


def test_another_group_that_was_done_before_held_nothing_up() -> None:
    found = path(
        sent(1, 2, 5, 6),
        taken(1, 3, 10, 20, parent=2, name="other", service="other"),
        taken(1, 4, 30, 40, parent=2, name="last", service="last"),
    )
    assert "other" not in found


def test_a_child_that_outlives_the_end_is_followed_and_one_without_an_end_is_passed_over() -> None:
    found = path(
        spanned(1, 1, 0, 10, name="root"),
        spanned(1, 2, 5, 30, parent=1, name="late"),
        spanned(1, 3, 2, None, parent=1, name="open"),
    )
    assert {"root": [(0, 5)], "late": [(5, 30)]} == found


def test_nothing_with_a_time_gives_no_path() -> None:
    assert {} == path(spanned(1, 1, None, None))
