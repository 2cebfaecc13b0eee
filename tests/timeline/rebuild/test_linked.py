"""Other traces that one is tied to, and what ties them."""

from __future__ import annotations

from tests.builders import ref
from tests.timeline.rebuild.cast import link, rebuilt, sent, spanned, taken
from timeline.domain import Link, Stored
from timeline.rebuild.linked import LinkedTrace, linked_traces

ONE, OTHER = ref(1, 1).trace_id, ref(2, 1).trace_id


def tied(trace: str, facts: list[Stored], closure: list[Stored]) -> list[tuple[str, str, str, str]]:
    story = rebuilt(*facts, closure=closure)
    return [
        (one.trace_id, one.toward, one.why, one.name)
        for one in linked_traces(trace, facts, closure, story.hops)
    ]


def test_a_message_ties_the_trace_that_sent_it_with_the_one_that_handled_it_seen_from_either_end() -> None:
    out, back = sent(1, 1, 0, 1), taken(2, 2, 9, 10, links=(link(1, 1),))
    assert [(ONE, "before", "sent a message of bets that was handled here", "send bets")] == tied(
        OTHER, [back], [out]
    )
    assert [(OTHER, "after", "handled a message of bets that was sent here", "process bets")] == tied(
        ONE, [out], [back]
    )


def test_a_link_says_what_its_sender_said_of_it() -> None:
    goal = Link(ref=ref(2, 5), attributes={"link.kind": "caused by"})
    here, there = spanned(1, 1, 5, 6, links=(goal,)), spanned(2, 5, 0, 1, name="goal")
    assert [(OTHER, "before", "span link, caused by", "goal")] == tied(ONE, [here], [there])
    assert [(ONE, "after", "span link, caused by", here.fact.name)] == tied(OTHER, [there], [here])


def test_a_linked_trace_that_was_never_received_is_named_all_the_same() -> None:
    here = spanned(1, 1, 5, 6, links=(link(2, 5),))
    found = linked_traces(ONE, [here], [], ())
    assert [
        LinkedTrace(trace_id=OTHER, toward="before", why="a span links to it", here=here.receipt.id)
    ] == list(found)


def test_several_ties_are_told_once_and_counted() -> None:
    facts = [spanned(1, number, 5, 6, links=(link(2, 5),)) for number in (1, 2, 3)]
    assert [3] == [one.ties for one in linked_traces(ONE, facts, [], ())]


def test_links_within_the_trace_tie_nothing() -> None:
    assert () == linked_traces(ONE, [spanned(1, 1, 5, 6, links=(link(1, 2),)), spanned(1, 2, 0, 1)], [], ())
