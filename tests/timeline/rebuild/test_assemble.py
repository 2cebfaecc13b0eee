"""Entries: their marks, their place in the tree, and what is missing."""

from __future__ import annotations

import pytest

from tests.builders import NOW, SECOND, entities, event, ref, stored, trace_id
from tests.timeline.rebuild.cast import MS, badges, link, message, ms, posted, rebuilt, sent, spanned, taken
from timeline.domain import Event, SpanRef, Timeline


def test_nothing_is_an_empty_and_complete_story() -> None:
    assert Timeline(subject="bet:1", window=(1, 2)) == rebuilt(subject="bet:1", window=(1, 2))


@pytest.mark.parametrize(("delay", "expected"), [(60_000, ()), (60_001, ("late",))])
def test_late_is_over_a_minute_after_its_end(delay: int, expected: tuple[str, ...]) -> None:
    one = spanned(1, 1, 0, 10, receipt={"received": ms(10 + delay)})
    assert expected == rebuilt(one).entries[0].badges


def test_imported_history_is_not_late() -> None:
    assert (
        ()
        == rebuilt(posted(1, 0, kind="import", receipt={"received": NOW + 9000 * SECOND})).entries[0].badges
    )


def test_a_late_fact_stands_at_its_own_time() -> None:
    late = spanned(1, 2, 5, 6, name="late one", receipt={"received": NOW + 9000 * SECOND})
    found = rebuilt(spanned(1, 3, 10, 11, name="c"), late, spanned(1, 1, 0, 1, name="a"))
    assert ["a", "late one", "c"] == [entry.what for entry in found.entries]


def test_a_parent_that_never_came_is_named_and_the_story_is_not_complete() -> None:
    found = rebuilt(spanned(1, 2, 0, 1, parent=9, name="child"), spanned(1, 3, 0, 1, parent=9, name="other"))
    assert ((SpanRef(trace_id=trace_id(1), span_id=ref(1, 9).span_id),), False) == (
        found.missing,
        found.complete,
    )
    assert {"child": ("orphan",), "other": ("orphan",)} == badges(found)


def test_a_parent_in_the_closure_is_not_missing() -> None:
    found = rebuilt(spanned(1, 2, 0, 1, parent=9), closure=[spanned(1, 9, 0, 2)])
    assert ((), True, ()) == (found.missing, found.complete, found.entries[0].badges)


def test_a_missing_parent_of_the_closure_is_not_this_story_s_loss() -> None:
    assert rebuilt(spanned(1, 1, 0, 1), closure=[spanned(2, 2, 0, 1, parent=9)]).complete


def test_a_truncated_story_is_not_complete() -> None:
    found = rebuilt(spanned(1, 1, 0, 1), truncated=7)
    assert (False, 7) == (found.complete, found.truncated)


def test_another_content_is_marked() -> None:
    one = spanned(1, 1, 0, 1)
    other = spanned(1, 1, 0, 1, name="other", receipt={"variant": True, "id": "v" * 20})
    assert [("variant",)] == [entry.badges for entry in rebuilt(one, other).entries]


def test_a_fact_that_only_brought_the_subject_along_is_context() -> None:
    along = spanned(1, 1, 0, 1, name="along", context=entities("match:1"), entities=entities("bet:1"))
    about = spanned(1, 2, 2, 3, name="about", context=entities("match:1"), entities=entities("match:1"))
    assert {"along": ("context",), "about": ()} == badges(rebuilt(along, about, subject="match:1"))
    assert {"along": (), "about": ()} == badges(rebuilt(along, about))


def test_failures_are_marked_on_spans_and_on_events_logged_as_errors() -> None:
    failed = spanned(1, 1, 0, 1, name="pay", status="error", status_message="no\nfunds")
    log = stored(Event(kind="log", name="", at=ms(2), severity="ERROR", severity_number=17, body="it broke"))
    found = rebuilt(failed, log)
    assert [("pay", "no funds", "error", ("error",)), ("log", "it broke", "error", ("error",))] == [
        (entry.what, entry.detail, entry.status, entry.badges) for entry in found.entries
    ]


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [(2, 9, ()), (2, 11, ("outlives parent",)), (11, 20, ()), (-1, 5, ("out of order", "before parent"))],
)
def test_a_child_that_leaves_its_parent_s_time_is_marked(
    start: int, end: int, expected: tuple[str, ...]
) -> None:
    found = rebuilt(spanned(1, 1, 0, 10, name="parent"), spanned(1, 2, start, end, parent=1, name="child"))
    assert expected == badges(found)["child"]


def test_handling_a_message_after_its_sender_is_done_is_no_oddity() -> None:
    assert () == badges(rebuilt(sent(1, 1, 0, 5), taken(1, 2, 4, 50, parent=1)))["process bets"]


def test_a_partly_indexed_fact_is_marked() -> None:
    assert ("partial",) == rebuilt(spanned(1, 1, 0, 1, receipt={"partial": True})).entries[0].badges


def test_a_linked_handler_hangs_below_its_sender_as_a_child_would() -> None:
    linked = rebuilt(sent(1, 1, 0, 1), taken(1, 2, 5, 6, links=(link(1, 1),)))
    nested = rebuilt(sent(1, 1, 0, 1), taken(1, 2, 5, 6, parent=1))
    assert [(e.parent, e.depth) for e in nested.entries] == [(e.parent, e.depth) for e in linked.entries]


def test_below_an_ancestor_that_is_not_shown_the_next_one_counts() -> None:
    facts = [spanned(1, 1, 0, 9, name="a"), spanned(1, 3, 2, 3, parent=2, name="c")]
    found = rebuilt(*facts, closure=[spanned(1, 2, 1, 8, parent=1)])
    assert [("a", None), ("c", found.entries[0].fact)] == [(e.what, e.parent) for e in found.entries]


def test_an_event_hangs_below_the_span_it_was_made_in() -> None:
    found = rebuilt(spanned(1, 1, 0, 9, name="work"), posted(1, 4, ref=ref(1, 1)))
    assert [0, 1] == [entry.depth for entry in found.entries]


def test_linked_traces_are_named_in_both_directions() -> None:
    mine = spanned(1, 1, 5, 9, links=(link(2, 7),))
    found = rebuilt(mine, closure=[spanned(3, 8, 10, 12, links=(link(1, 1),)), spanned(4, 9, 0, 1)])
    assert (trace_id(2), trace_id(3)) == found.linked


def test_services_stand_in_the_order_they_were_first_seen() -> None:
    found = rebuilt(taken(1, 2, 5, 6, parent=1), sent(1, 1, 0, 1), spanned(1, 3, 2, 3, service=""))
    assert ("shop", "wallet") == found.services


def test_an_end_before_its_start_is_kept_as_it_is() -> None:
    found = rebuilt(spanned(1, 1, 5, 0))
    assert [(ms(5), ms(0))] == [(entry.at, entry.until) for entry in found.entries]


@pytest.mark.parametrize("at", [0, -1, 2**63 - 1])
def test_times_of_other_centuries_are_kept(at: int) -> None:
    found = rebuilt(stored(event(1, at=at)), spanned(1, 1, 0, 1))
    assert at in [entry.at for entry in found.entries]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"stake": 20.5, "won": True, "lines": [1], "id": "b", "more": 1}, "stake 20.5, won true, id b"),
        ("x" * 500, "x" * 199 + "…"),
        ([1, 2], "bets/3"),
        (None, "bets/3"),
        (b"\x00", "bets/3"),
    ],
)
def test_the_detail_of_an_event_is_its_body_in_short(body: object, detail: str) -> None:
    one = posted(1, 0, body=body, message=message(partition="3"))
    assert detail == rebuilt(one).entries[0].detail


def test_the_window_is_carried_along() -> None:
    assert (5 * MS, None) == rebuilt(window=(5 * MS, None)).window


def test_a_story_sent_in_afterwards_says_so_once_and_one_late_line_still_stands_out() -> None:
    late = [spanned(1, n, n, n + 1, receipt={"received": NOW + 9000 * SECOND}) for n in (1, 2, 3)]
    story = rebuilt(*late)
    assert [()] * 3 == [entry.badges for entry in story.entries]
    assert ["sent afterwards"] == [finding.rule for finding in story.findings]
    mixed = rebuilt(*late, spanned(1, 4, 4, 5))
    assert [("late",)] * 3 + [()] == [entry.badges for entry in mixed.entries]
