"""The same message handled more than once by one group, and whether that had consequences.

A consequence is what a later handling did that an earlier one had done as well: it published the same
kind of event again, or made the same writing call again; and anything new it did after a success. A
retry after a failure that had done nothing is no duplicate.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TypeAlias

from timeline.domain import Entity, Finding, Span
from timeline.rebuild.badges import name_of
from timeline.rebuild.facts import Known
from timeline.rebuild.findings.story import Story, short
from timeline.rebuild.hops import Delivery
from timeline.search.times import format_span

_WRITES = frozenset(("INSERT", "UPDATE", "DELETE", "MERGE", "UPSERT", "REPLACE", "POST", "PUT", "PATCH"))
_METHOD_KEYS = ("db.operation.name", "db.operation", "http.request.method", "http.method")
_Effect: TypeAlias = tuple[bool, str]  # published (else a writing call), what
_DEPTH = 10_000  # facts looked at below one handling


def find(story: Story) -> Iterator[Finding]:
    """One finding per message (or CloudEvent) and consumer that handled it again."""
    handled: dict[tuple[str, ...], list[Delivery]] = {}
    for one in story.deliveries:
        if one.consumer is not None:
            handled.setdefault(_what(one), []).append(one)
    children: list[list[int]] | None = None
    busy: Counter[int] = Counter(one.consumer for one in story.deliveries if one.consumer is not None)
    for _, rows in sorted(handled.items()):
        spans = {one.consumer: one for one in rows if one.consumer is not None}
        if len(spans) < 2:
            continue
        children = story.family.children() if children is None else children
        ordered = sorted(spans.values(), key=lambda one: story.place[one.consumer or 0])
        finding = _judge(story, ordered, [_effects(story, children, one, busy) for one in ordered])
        if finding is not None:
            yield finding


def _what(one: Delivery) -> tuple[str, ...]:
    told = one.publication
    if told.event is not None:
        return ("event", told.source or "", told.event, one.consumer_key)
    return ("message", str(told.number), one.hop.destination or "", one.consumer_key)


def _effect(one: Known) -> _Effect | None:
    if one.role in ("send", "record", "event", "create"):
        message = one.fact.message
        event = one.fact.event.type if one.fact.event else None
        where = message.destination if message else None
        return (True, event or where or name_of(one))
    if isinstance(one.fact, Span) and one.fact.kind == "client":
        for key in _METHOD_KEYS:
            method = one.fact.attributes.get(key)
            if isinstance(method, str) and method.upper() in _WRITES:
                return (False, one.fact.name)
    return None


def _effects(
    story: Story, children: list[list[int]], handling: Delivery, busy: Counter[int]
) -> dict[_Effect, list[int]]:
    """What one handling did, by kind. Of a batch: what names the message as cause or shares its subject."""
    assert handling.consumer is not None  # noqa: S101 - find() keeps handlings only
    shared = busy[handling.consumer] > 1
    producer = story.known[handling.producer].fact if handling.producer is not None else None
    subjects: set[Entity] = set(producer.entities) if producer is not None else set()
    found: dict[_Effect, list[int]] = {}
    todo, looked = list(children[handling.consumer]), 0
    while todo and looked < _DEPTH:
        index, looked = todo.pop(), looked + 1
        one = story.known[index]
        if one.role in ("receive", "process"):
            continue  # the handling of another message
        todo.extend(children[index])
        effect = _effect(one)
        if effect is None:
            continue
        info = one.fact.event
        mine = (
            info is not None
            and info.causation_id is not None
            and info.causation_id == handling.publication.event
        )
        if shared and not mine and not subjects.intersection(one.fact.entities):
            continue
        found.setdefault(effect, []).append(index)
    return found


def _judge(story: Story, rows: list[Delivery], effects: list[dict[_Effect, list[int]]]) -> Finding | None:
    done = [one for one in rows if one.hop.outcome == "done"]
    before: dict[_Effect, list[int]] = {}
    again: dict[_Effect, list[int]] = {}
    fresh: dict[_Effect, list[int]] = {}
    succeeded = False
    for one, made in zip(rows, effects, strict=True):
        for effect, indices in made.items():
            if effect in before:
                again.setdefault(effect, list(before[effect])).extend(indices)
            elif succeeded:
                fresh.setdefault(effect, []).extend(indices)
        for effect, indices in made.items():
            before.setdefault(effect, indices)
        succeeded = succeeded or one.hop.outcome == "done"
    if len(done) < 2 and not again and not fresh and not (done and rows[0] is done[0]):
        return None
    hop = rows[0].hop
    times = "twice" if len(rows) == 2 else f"{len(rows)} times"
    head = f"{short(hop.consumer_service)} handled {_subject(story, rows[0])} {times}"
    evidence = [one.consumer for one in rows if one.consumer is not None]
    worst = again or fresh
    if not worst:
        sentence = f"{head}, without consequence: nothing was published or written again."
        return Finding(
            rule="duplicate", severity="info", sentence=sentence, at=rows[-1].hop.started,
            evidence=story.evidence(evidence), confidence="likely",
        )  # fmt: skip
    published = sorted(what for sent, what in worst if sent)
    calls = sorted(what for sent, what in worst if not sent)
    named = ", ".join(short(what, 40) for what in (published or calls)[:3])
    marks = [index for (sent, _), indices in worst.items() if sent or not published for index in indices]
    moments = sorted(at for index in marks if (at := story.known[index].at) is not None)
    apart = f", {format_span(moments[-1] - moments[0])} apart" if again and len(moments) > 1 else ""
    return Finding(
        rule="duplicate",
        severity="error" if published else "warning",
        sentence=f"{head}, with consequence: {named} {'again' if again else 'only the second time'}{apart}.",
        at=moments[-1] if moments else rows[-1].hop.started,
        evidence=story.evidence(evidence + marks),
        confidence="certain" if published else "likely",
    )


def _subject(story: Story, one: Delivery) -> str:
    """The event's type where it is known, else the message's id, and where it lay."""
    told = (story.known[index].fact.event for index in one.publication.facts)
    kinds = (event.type for event in told if event is not None and event.type)
    what = next(kinds, None) or one.publication.event or one.publication.id
    place = [one.hop.destination, one.hop.partition, one.hop.offset]
    where = "/".join(str(part) for part in place if part is not None)
    if what is None:
        return f"message {where}" if where else "the same message"
    return f"{short(what)} of {short(where)}" if where else short(what)
