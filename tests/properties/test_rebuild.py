"""Rebuilding is a function of the set of facts: not of how, how often or in which order they came."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.builders import NOW, entities, event, identity_of, ref, span, span_id, stored
from timeline.domain import Entry, EventInfo, Fact, Link, Message, Stored
from timeline.rebuild.assemble import timeline
from timeline.rebuild.causes import causes
from timeline.rebuild.facts import gather, references
from timeline.rebuild.family import family
from timeline.rebuild.hops import deliveries
from timeline.rebuild.lanes import lanes
from timeline.rebuild.order import ordered
from timeline.rebuild.tree import Tree
from timeline.rebuild.waterfall import waterfall

GROUPS = {"a": frozenset({"g", "h"})}
_few = st.integers(0, 7)
_times = st.one_of(
    st.none(), st.integers(NOW - 50, NOW + 50), st.sampled_from([0, 2**63 - 1, NOW - 10**13, NOW + 10**13])
)
_texts = st.one_of(st.none(), st.sampled_from(["1", "2", "x"]))
_links = st.lists(
    st.builds(
        lambda trace, number, named: Link(
            ref=ref(trace, number), attributes={"messaging.message.id": named} if named else {}
        ),
        st.integers(1, 2),
        _few,
        _texts,
    ),
    max_size=3,
).map(tuple)
_messages = st.one_of(
    st.none(),
    st.builds(
        Message,
        operation=st.sampled_from(["create", "send", "receive", "process", "settle", None]),
        destination=st.sampled_from(["a", "b", None]),
        id=_texts,
        key=_texts,
        partition=_texts,
        offset=st.one_of(st.none(), st.integers(0, 2)),
        group=st.sampled_from(["g", None]),
        attempt=st.one_of(st.none(), st.integers(0, 3)),
        batch_count=st.one_of(st.none(), st.integers(0, 3)),
    ),
)
_events = st.one_of(
    st.none(),
    st.builds(
        EventInfo, source=st.sampled_from(["s", "t", None]), id=_texts, causation_id=_texts, sequence=_texts
    ),
)
_shared = {
    "service": st.sampled_from(["p", "q", "r", ""]),
    "message": _messages,
    "event": _events,
    "entities": st.sampled_from([(), entities("bet:1")]),
    "context": st.sampled_from([(), entities("bet:1")]),
}


@st.composite
def spans(draw: st.DrawFn) -> Fact:
    """A span with any parent, links, times and part in messaging, wrong ones included."""
    fields: dict[str, Any] = {name: draw(strategy) for name, strategy in _shared.items()}
    parent = draw(st.one_of(st.none(), _few))
    return span(
        draw(st.integers(1, 2)),
        draw(_few),
        parent=None if parent is None else span_id(parent),
        kind=draw(st.sampled_from(["client", "server", "producer", "consumer", "internal"])),
        start=draw(_times),
        end=draw(_times),
        links=draw(_links),
        status=draw(st.sampled_from(["unset", "error"])),
        **fields,
    )


@st.composite
def events(draw: st.DrawFn) -> Fact:
    """An event of any kind, inside a span or on its own."""
    fields: dict[str, Any] = {name: draw(strategy) for name, strategy in _shared.items()}
    return event(
        kind=draw(st.sampled_from(["cloudevent", "record", "log", "import"])),
        name=draw(st.sampled_from(["n", "m"])),
        ref=draw(st.one_of(st.none(), st.builds(ref, st.integers(1, 2), _few))),
        at=draw(_times),
        **fields,
    )


@st.composite
def corpora(draw: st.DrawFn) -> list[Stored]:
    """Facts as a store gives them: one receipt per (identity, content), variants under ids of their own."""
    found: dict[tuple[str, str], Stored] = {}
    for number, fact in enumerate(draw(st.lists(st.one_of(spans(), events()), max_size=14))):
        identity = identity_of(fact)
        made = stored(fact, identity=identity, received=NOW + number, tie=number)
        if any(other.receipt.id == made.receipt.id for other in found.values()):
            receipt = msgspec.structs.replace(
                made.receipt, id=f"{made.receipt.id[:8]}{number:012}", variant=True
            )
            made = Stored(fact=fact, receipt=receipt)
        found.setdefault((identity, made.receipt.content), made)
    return list(found.values())


_relaxed = settings(max_examples=150)


@_relaxed
@given(corpora(), st.integers(0, 2**32), st.integers(0, 14))
def test_arrival_order_and_repetition_change_nothing(corpus: list[Stored], seed: int, cut: int) -> None:
    dice = random.Random(seed)
    shown, closure = corpus[:cut], corpus[cut:]
    first = timeline("bet:1", shown, closure=closure, groups=GROUPS, now=NOW + 10**12)
    shuffled, around = shown + dice.choices(shown, k=len(shown)) if shown else [], closure + shown
    dice.shuffle(shuffled)
    dice.shuffle(around)
    again = timeline("bet:1", shuffled, closure=around, groups=GROUPS, now=NOW + 10**12)
    assert first == again
    assert waterfall(first, shown) == waterfall(again, shuffled)
    assert lanes(first, shown) == lanes(again, shuffled)


@_relaxed
@given(corpora())
def test_the_order_extends_causality_and_every_cycle_ends(corpus: list[Stored]) -> None:
    known = gather(corpus)
    by_ref = references(known)
    kin = family(known, by_ref)
    reasons = causes(known, kin, by_ref, deliveries(known, kin, by_ref, GROUPS, True))
    order = ordered(known, reasons.edges)
    assert sorted(order.sequence) == list(range(len(known)))
    place = {index: position for position, index in enumerate(order.sequence)}
    kept = set(reasons.edges) - set(order.cut)
    assert all(place[cause] < place[effect] for cause, effect in kept)


@_relaxed
@given(corpora())
def test_every_fact_stands_once_at_its_own_time_below_an_entry_that_came_before(corpus: list[Stored]) -> None:
    found = timeline("trace:1", corpus, groups=GROUPS)
    known = {one.id: one for one in gather(corpus)}
    assert sorted(known) == sorted(entry.fact for entry in found.entries)
    before: dict[str, int] = {}
    for entry in found.entries:
        assert (known[entry.fact].at, known[entry.fact].until) == (entry.at, entry.until)
        assert entry.parent is None or before[entry.parent] == entry.depth - 1
        before[entry.fact] = entry.depth
    _whole(waterfall(found, corpus).tree, len(found.entries))


def _whole(kin: Tree, entries: int) -> None:
    """Every entry once, what is below a place contiguous, and the counts those of the rows."""
    assert entries == sum(isinstance(node, Entry) for node in kin.nodes)
    for place, parent in enumerate(kin.parents):
        assert kin.children[place] == len(list(kin.direct(place)))
        assert kin.below[place] == sum(isinstance(kin.nodes[each], Entry) for each in kin.inside(place))
        assert parent < place < kin.ends[place] <= len(kin.nodes)
        assert parent < 0 or place in kin.inside(parent)


@_relaxed
@given(corpora())
def test_the_critical_path_covers_no_moment_twice_and_ends_with_the_last_fact(corpus: list[Stored]) -> None:
    found = waterfall(timeline("trace:1", corpus, groups=GROUPS), corpus)
    parts = sorted(part for rows in found.critical.values() for part in rows)
    assert all(low < high for low, high in parts)
    assert all(before[1] <= after[0] for before, after in pairwise(parts))
    ends = [
        node.at if node.until is None else node.until
        for node in found.tree.nodes
        if isinstance(node, Entry) and node.at is not None
    ]
    assert not parts or max(ends) >= parts[-1][1]


@_relaxed
@given(corpora())
def test_a_hop_names_only_facts_that_exist_and_numbers_attempts_from_one(corpus: list[Stored]) -> None:
    found = timeline("trace:1", corpus, groups=GROUPS)
    ids = {one.id for one in gather(corpus)}
    for hop in found.hops:
        assert {hop.producer, hop.receiver, hop.consumer, hop.settled} - {None} <= ids
        assert 1 <= hop.attempt <= hop.attempts
    for finding in found.findings:
        assert finding.evidence
        assert set(finding.evidence) <= ids
