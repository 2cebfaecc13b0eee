"""A trace as a sequence: lifelines, lines in causal order, boxes; and the same as Mermaid text."""

from __future__ import annotations

from tests.timeline.rebuild.cast import cloud, link, posted, rebuilt, sent, spanned, taken
from timeline.domain import Stored
from timeline.export.mermaid import mermaid
from timeline.rebuild.facts import leaders
from timeline.rebuild.linked import linked_traces
from timeline.rebuild.sequence import Sequence, sequence
from timeline.rebuild.waterfall import waterfall


def told(*facts: Stored, closure: tuple[Stored, ...] = (), **options: object) -> Sequence:
    story = rebuilt(*facts, closure=closure, **options)
    axis = waterfall(story, facts, fold_waits=False).scale
    trace = facts[0].fact.ref.trace_id if facts[0].fact.ref else ""
    return sequence(story, leaders(facts), axis, linked_traces(trace, facts, closure, story.hops))


def said(found: Sequence) -> list[tuple[str, str | None, str | None, str]]:
    names = [line.name for line in found.lifelines]
    return [
        (step.kind, None if step.source is None else names[step.source], None if step.target is None else names[step.target], step.name)
        for step in found.steps
    ]  # fmt: skip


def text(*facts: Stored, **options: object) -> str:
    return mermaid(told(*facts, **options), rebuilt(*facts, **options))


def story() -> list[Stored]:
    return [
        spanned(1, 1, 0, 40, name="POST", service="shop"),
        sent(1, 2, 5, 6, parent=1),
        taken(1, 3, 26, 36, parent=2, status="error"),
        taken(1, 4, 46, 56, parent=2),
        spanned(1, 5, 47, 50, parent=4, name="query", service="wallet"),
        spanned(1, 6, 2, 3, parent=1, name="ask", service="odds", kind="server"),
    ]


def test_calls_messages_and_further_attempts_each_have_a_line() -> None:
    found = told(*story())
    assert [
        ("start", None, "shop", "POST"), ("call", "shop", "odds", "ask"), ("message", "shop", "wallet", "bets"),
        ("again", None, "wallet", "process bets"),
    ] == said(found)  # fmt: skip
    assert (2, 4) == (found.folded, len(found.handlings))


def test_boxes_of_attempts_follow_each_other_and_say_how_they_ended() -> None:
    boxes = [
        (one.attempt, one.attempts, one.failed, one.before, one.inside) for one in told(*story()).handlings
    ]
    assert [(1, 2, True, None, 0), (2, 2, False, 2, 1)] == boxes[-2:]


def test_the_box_of_a_sender_covers_what_it_sent() -> None:
    shop = told(*story()).handlings[0]
    assert (0, 2) == (shop.first, shop.last)


def test_only_failures_inside_a_handling_have_a_line() -> None:
    facts = [spanned(1, 1, 0, 9), spanned(1, 2, 1, 2, parent=1, name="fine"), spanned(1, 3, 3, 4, parent=1, name="bad", status="error")]  # fmt: skip
    assert [("start", "work"), ("failed inside", "bad")] == [
        (step.kind, step.name) for step in told(*facts).steps
    ]


def test_an_event_that_an_arrow_tells_of_is_not_told_twice_and_names_the_arrow() -> None:
    told_by = {"event": cloud()}
    facts = [sent(1, 2, 5, 6, **told_by), posted(1, 5, service="shop", event=cloud()), taken(1, 3, 26, 36, parent=2, **told_by)]  # fmt: skip
    assert ["BetPlaced"] == [step.name for step in told(*facts).steps if step.kind == "message"]
    assert not [step for step in told(*facts).steps if step.kind == "event"]


def test_a_message_that_nobody_took_ends_in_nothing() -> None:
    assert [("start", None), ("open", None)] == [
        (step.kind, step.target if step.kind == "open" else None)
        for step in told(sent(1, 1, 0, 10), groups={"bets": frozenset({"g"})}).steps
    ]


def test_folded_time_has_a_line_before_what_comes_after_it() -> None:
    facts = [spanned(1, 1, 0, 10), spanned(1, 2, 900_000, 900_010, parent=1, name="later")]
    assert ["start", "idle", "later"] == [step.kind for step in told(*facts).steps]


def test_what_another_trace_led_to_has_an_arrow_from_there() -> None:
    goal = spanned(2, 5, 40, 41, name="goal", service="feed")
    facts = [spanned(1, 1, 0, 90), spanned(1, 2, 50, 60, parent=1, name="settle", links=(link(2, 5),))]
    assert ("linked", "feed", "orders", "goal") in said(told(*facts, closure=(goal,)))


def test_mermaid_text_has_the_same_arrows_in_the_same_order() -> None:
    lines = text(*story()).splitlines()
    assert [
        "sequenceDiagram",
        "  participant p0 as shop",
        "  participant p1 as odds",
        "  participant p2 as wallet",
        "  participant out as outside",
        "  out->>p0: POST (40 ms)",
        "  p0->>p1: ask (1 ms)",
        "  p0-)p2: bets, waited 20 ms (10 ms, attempt 1 of 2, failed)",
        "  p2->>p2: process bets again after 10 ms (10 ms, attempt 2 of 2)",
    ] == lines


def test_foreign_names_cannot_break_out_of_a_line_of_mermaid() -> None:
    evil = "a;b\nend\nNote over p0: x #lt; <script> \u202ereversed"
    lines = text(spanned(1, 1, 0, 9, name=evil, service=evil)).splitlines()
    assert 4 == len(lines)
    for sign in (";\n", "<", ">script", "\u202e", "end\n"):
        assert sign not in "\n".join(lines[1:]).replace("->>", "")
    assert "#59;" in lines[1]
    assert "#35;lt" in lines[1]
