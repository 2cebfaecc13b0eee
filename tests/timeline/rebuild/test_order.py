"""Causes before effects; time only where causality is silent."""

from __future__ import annotations

import random

import pytest

from tests.builders import ref
from tests.timeline.rebuild.cast import (
    badges,
    link,
    ms,
    posted,
    rebuilt,
    recorded,
    sent,
    spanned,
    taken,
    whats,
)
from timeline.domain import EventInfo
from timeline.rebuild.order import cuts


def test_without_causes_time_decides() -> None:
    found = rebuilt(
        spanned(1, 2, 5, 6, name="b"), spanned(1, 1, 0, 1, name="a"), spanned(1, 3, 9, 10, name="c")
    )
    assert ["a", "b", "c"] == whats(found)


def test_a_parent_comes_before_a_child_that_claims_to_be_earlier() -> None:
    found = rebuilt(spanned(1, 2, 0, 1, parent=1, name="child"), spanned(1, 1, 5, 6, name="parent"))
    assert ["parent", "child"] == whats(found)
    assert [ms(5), ms(0)] == [entry.at for entry in found.entries]


def test_the_target_of_a_link_comes_before_the_one_that_links() -> None:
    found = rebuilt(spanned(1, 1, 0, 1, name="later", links=(link(2, 2),)), spanned(2, 2, 5, 6, name="first"))
    assert ["first", "later"] == whats(found)


def test_sending_comes_before_handling_though_clocks_disagree() -> None:
    found = rebuilt(taken(2, 2, 0, 1, of={"id": "m"}), sent(1, 1, 5, 6, to={"id": "m"}))
    assert ["send bets", "process bets"] == whats(found)


def test_an_event_comes_after_the_event_it_names_as_its_cause() -> None:
    cause = posted(1, 9, name="cause", event=EventInfo(source="s", id="c1", type="cause"))
    effect = posted(2, 3, event=EventInfo(source="s", id="c2", type="effect", causation_id="c1"))
    assert ["cause", "effect"] == whats(rebuilt(effect, cause))


def test_a_source_s_own_numbers_are_believed_before_its_clock() -> None:
    facts = [
        posted(n, 20 - n, event=EventInfo(source="/feed", id=f"e{n}", type=f"e{n}", sequence=str(n)))
        for n in (8, 9, 10, 11)
    ]
    found = rebuilt(*facts)
    assert ["e8", "e9", "e10", "e11"] == whats(found)
    assert {"e8": (), "e9": ("out of order",), "e10": ("out of order",), "e11": ("out of order",)} == badges(
        found
    )


def test_numbers_of_different_sources_say_nothing_about_each_other() -> None:
    facts = [
        posted(n, at, event=EventInfo(source=source, id=source, type=source, sequence=str(n)))
        for n, at, source in ((2, 0, "/a"), (1, 5, "/b"))
    ]
    assert ["/a", "/b"] == whats(rebuilt(*facts))


def test_the_broker_s_offsets_order_the_records_of_one_partition() -> None:
    def record(at: int, partition: str, offset: int) -> object:
        return recorded(at, of={"partition": partition, "offset": offset, "key": f"{partition}/{offset}"})

    facts = [record(9, "0", 1), record(3, "0", 2), record(5, "1", 1)]
    found = rebuilt(*facts)  # type: ignore[arg-type]
    assert ["bets/1/1", "bets/0/1", "bets/0/2"] == [entry.detail for entry in found.entries]


def test_sends_that_overlap_keep_their_own_start() -> None:
    one = sent(1, 1, 5, 20, name="second", to={"partition": "0", "offset": 1})
    two = sent(2, 2, 0, 10, name="first", to={"partition": "0", "offset": 2})
    assert ["first", "second"] == whats(rebuilt(one, two))


def test_sends_that_do_not_overlap_go_by_offset() -> None:
    one = sent(1, 1, 50, 60, name="first", to={"partition": "0", "offset": 1})
    two = sent(2, 2, 0, 10, name="second", to={"partition": "0", "offset": 2})
    assert ["first", "second"] == whats(rebuilt(one, two))


def test_a_fact_without_a_time_comes_right_after_its_cause() -> None:
    found = rebuilt(
        spanned(1, 1, 0, 9, name="a"),
        spanned(1, 2, None, None, parent=1, name="x"),
        spanned(1, 3, None, None, parent=2, name="y"),
        spanned(1, 4, 5, 6, name="b"),
    )
    assert ["a", "x", "y", "b"] == whats(found)
    assert ("no time",) == badges(found)["x"]


def test_a_cause_without_a_time_comes_right_before_its_effect() -> None:
    found = rebuilt(
        spanned(1, 1, 0, 1, name="a"),
        spanned(1, 3, None, None, name="x"),
        spanned(1, 2, 5, 6, parent=3, name="b"),
    )
    assert ["a", "x", "b"] == whats(found)


def test_a_fact_without_time_or_cause_comes_last() -> None:
    assert ["a", "x"] == whats(rebuilt(spanned(1, 9, None, None, name="x"), spanned(1, 1, 0, 1, name="a")))


def test_a_circle_of_links_is_cut_where_it_leaves_its_latest_fact() -> None:
    found = rebuilt(
        spanned(1, 1, 0, 1, name="a", links=(link(1, 3),)),
        spanned(1, 2, 2, 3, name="b", links=(link(1, 1),)),
        spanned(1, 3, 4, 5, name="c", links=(link(1, 2),)),
    )
    assert ["a", "b", "c"] == whats(found)
    assert [("cycle", 2)] == [(finding.rule, len(finding.evidence)) for finding in found.findings]


def test_parents_in_a_circle_end_as_a_root_and_its_child() -> None:
    found = rebuilt(spanned(1, 1, 0, 1, parent=2, name="a"), spanned(1, 2, 2, 3, parent=1, name="b"))
    assert [("a", None, 0), ("b", found.entries[0].fact, 1)] == [
        (entry.what, entry.parent, entry.depth) for entry in found.entries
    ]


def test_a_span_that_is_its_own_parent_is_a_root_and_said_so() -> None:
    found = rebuilt(spanned(1, 1, 0, 1, parent=1, links=(link(1, 1),)))
    assert (None, ["cycle"], ()) == (found.entries[0].parent, [f.rule for f in found.findings], found.missing)


@pytest.mark.parametrize("seed", range(5))
def test_cutting_ends_and_leaves_no_cycle_in_any_tangle(seed: int) -> None:
    dice = random.Random(seed)
    size = 60
    edges = {(dice.randrange(size), dice.randrange(size)) for _ in range(400)}
    edges = {pair for pair in edges if pair[0] != pair[1]}
    cut = set(cuts(size, edges))
    assert cut < edges
    assert [] == cuts(size, edges - cut)


def test_a_long_circle_with_shortcuts_is_cut_without_recursion() -> None:
    size = 20_000
    edges = [(index, (index + 1) % size) for index in range(size)]
    edges += [(index, index - 7) for index in range(7, size, 3)]
    cut = cuts(size, edges)
    assert (size - 1, 0) in cut
    assert [] == cuts(size, set(edges) - set(cut))


def test_halves_of_one_call_that_share_a_span_id_are_parent_and_child() -> None:
    client = spanned(1, 1, 0, 9, kind="client", service="a", name="call")
    server = spanned(1, 1, 2, 7, kind="server", service="b", name="serve")
    inner = spanned(1, 2, 3, 5, parent=1, service="b", name="query")
    found = rebuilt(inner, server, client)
    assert [("call", 0), ("serve", 1), ("query", 2)] == [(entry.what, entry.depth) for entry in found.entries]
    assert ref(1, 1) == server.fact.ref


def test_a_knot_loses_only_the_edges_that_leave_its_latest_fact() -> None:
    ring = {(0, 3), (3, 1), (1, 2), (2, 0)}  # 3 is the latest; 2 before 0 is a clock that runs ahead
    assert [(3, 1)] == cuts(4, ring)


def test_a_record_comes_after_the_span_that_sent_it() -> None:
    place = {"partition": "0", "offset": 1, "id": "m"}
    assert ["send bets", "bets"] == whats(rebuilt(recorded(0, of=place), sent(1, 1, 5, 6, to=place)))
