"""A trace as a sequence: who handed what to whom, a line at a time, in causal order; not to scale.

A handling is what one service does for one message, call or start. Spans inside a handling fold into it
and are counted; of them only failures get a line of their own. Nothing is cut without being counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Literal, TypeAlias

import msgspec

from timeline.domain import Entry, Event, Hop, Stored, Timeline
from timeline.rebuild.linked import LinkedTrace
from timeline.rebuild.scale import Scale

Kind: TypeAlias = Literal[
    "start", "call", "message", "again", "linked", "later", "event", "failed inside", "open", "idle"
]


class Step(msgspec.Struct, kw_only=True, gc=False):
    """One line. ``source`` and ``target`` are numbers of lifelines, ``box`` that of a handling."""

    kind: Kind
    at: int | None = None
    source: int | None = None
    target: int | None = None
    box: int | None = None
    fact: str = ""  # what a click opens
    name: str = ""
    hop: int | None = None  # the one that waited longest, index in ``Timeline.hops``
    messages: int = 1
    pause: int | None = None  # ns between two attempts
    length: int | None = None  # ns folded, or taken by what failed inside


class Handling(msgspec.Struct, kw_only=True, gc=False):
    """The box of one handling; ``first`` and ``last`` are the lines it covers."""

    fact: str
    lane: int
    name: str
    first: int
    last: int
    length: int | None
    failed: bool
    attempt: int
    attempts: int
    inside: int = 0  # spans folded into it
    before: int | None = None  # the box of the attempt before


class Lifeline(msgspec.Struct, kw_only=True, gc=False):
    """A service in first-seen order; ``linked`` ones only sent from another trace."""

    name: str
    linked: bool
    handlings: int = 0


class Sequence(msgspec.Struct, frozen=True, kw_only=True):
    """Lifelines, lines and boxes; ``folded`` counts the spans that stand inside boxes."""

    lifelines: tuple[Lifeline, ...]
    steps: tuple[Step, ...]
    handlings: tuple[Handling, ...]
    folded: int


class _Teller:
    def __init__(
        self,
        timeline: Timeline,
        facts: Mapping[str, Stored],
        axis: Scale,
        linked: Iterable[LinkedTrace],
    ) -> None:
        self.timeline, self.facts, self.axis = timeline, facts, axis
        self.linked = {one.here: one for one in linked if one.toward == "before" and one.service}
        self.entries = {entry.fact: entry for entry in timeline.entries}
        self.lanes: dict[str, int] = {}
        self.lifelines: list[Lifeline] = []
        for name in timeline.services:
            self.lane(name)
        self.steps: list[Step] = []
        self.boxes: list[Handling] = []
        self.owner: dict[str, int] = {}  # the box that a fact stands in
        self.taken: dict[str, list[int]] = {}
        self.waiting: dict[str, list[int]] = {}  # open hops by their producer
        self.told = _told(timeline.hops)
        self.names = _names(facts.values())
        self.attempts: dict[tuple[object, ...], int] = {}
        self.passed, self.folded = 0, 0
        for place, hop in enumerate(timeline.hops):
            side = hop.consumer or hop.receiver
            if side is not None:
                self.taken.setdefault(side, []).append(place)
            elif hop.outcome in ("unconsumed", "unknown") and hop.producer is not None:
                self.waiting.setdefault(hop.producer, []).append(place)

    def lane(self, name: str, *, linked: bool = False) -> int:
        if name not in self.lanes:
            self.lanes[name] = len(self.lifelines)
            self.lifelines.append(Lifeline(name=name, linked=linked))
        return self.lanes[name]

    def tell(self, entry: Entry) -> None:
        """One entry: a handling, an event, a failure, or folded."""
        above = self.entries.get(entry.parent) if entry.parent is not None else None
        hops = self.taken.get(entry.fact, [])
        if entry.kind == "event":
            self._event(entry)
        elif hops or above is None or above.lane != entry.lane or self._later(entry, above):
            self._handling(entry, above, hops)
        else:
            self._inside(entry, above)
        for place in self.waiting.get(entry.fact, ()):
            self._open(entry, self.timeline.hops[place], place)

    def _later(self, entry: Entry, above: Entry) -> bool:
        """It began after the handling that it belongs to was over, or another trace led to it."""
        box = self.owner.get(above.fact)
        handling = None if box is None else self.entries[self.boxes[box].fact]
        over = handling is not None and handling.until is not None and entry.at is not None
        after = over and handling is not None and (entry.at or 0) > (handling.until or 0)
        return after or (entry.fact in self.linked and entry.kind == "span")

    def step(self, step: Step, box: int | None) -> None:
        """Add a line, with a line before it for idle time that is folded."""
        while step.at is not None and self.passed < len(self.axis.breaks):
            gap = self.axis.breaks[self.passed]
            if step.at < gap.end:
                break
            self.steps.append(Step(kind="idle", at=gap.start, length=gap.end - gap.start))
            self.passed += 1
        if box is not None:
            step.box = box
            self.boxes[box].last = len(self.steps)
        self.steps.append(step)

    def _handling(self, entry: Entry, above: Entry | None, hops: list[int]) -> None:
        lane = self.lane(entry.lane)
        self.lifelines[lane].handlings += 1
        said = [self.timeline.hops[place] for place in hops]
        first = max(hops, key=lambda place: (self.timeline.hops[place].wait or 0, -place), default=None)
        hop = None if first is None else self.timeline.hops[first]
        box = len(self.boxes)
        attempt, attempts = (hop.attempt, hop.attempts) if hop is not None else (1, 1)
        made = Handling(
            fact=entry.fact, lane=lane, name=entry.what, first=0, last=0, failed=entry.status == "error",
            length=None if entry.until is None or entry.at is None else entry.until - entry.at,
            attempt=attempt, attempts=attempts,
        )  # fmt: skip
        self.boxes.append(made)
        self.owner[entry.fact] = box
        self.step(self._arrival(entry, above, hop, first, said, lane, box), box)
        made.first = len(self.steps) - 1

    def _arrival(
        self,
        entry: Entry,
        above: Entry | None,
        hop: Hop | None,
        place: int | None,
        hops: list[Hop],
        lane: int,
        box: int,
    ) -> Step:
        """How a handling came about."""
        if hop is None:
            return self._unasked(entry, above, lane)
        delivery = (hop.event, hop.destination, hop.partition, hop.offset, hop.producer, hop.group, lane)
        before = self.attempts.get(delivery)
        self.attempts[delivery] = box
        if before is not None and hop.attempt > 1:
            self.boxes[box].before = before
            earlier = self.entries[self.boxes[before].fact]
            pause = None if earlier.until is None or entry.at is None else entry.at - earlier.until
            return Step(
                kind="again",
                at=entry.at,
                target=lane,
                fact=entry.fact,
                name=entry.what,
                hop=place,
                pause=pause,
            )
        sender = self.owner.get(hop.producer or "")
        if sender is not None and not any(
            step.kind == "idle" for step in self.steps[self.boxes[sender].last :]
        ):
            self.boxes[sender].last = max(self.boxes[sender].last, len(self.steps))
        known = hop.producer_service or hop.producer is not None
        source_lane = self.lane(hop.producer_service, linked=True) if known else None
        distinct = {
            (each.event, each.destination, each.partition, each.offset, each.producer) for each in hops
        }
        return Step(
            kind="message",
            at=entry.at,
            source=source_lane,
            target=lane,
            fact=entry.fact,
            name=self.name_of(hop),
            hop=place,
            messages=len(distinct),
        )

    def _unasked(self, entry: Entry, above: Entry | None, lane: int) -> Step:
        """The arrival of a handling that no message brought."""
        if above is None:
            return Step(kind="start", at=entry.at, target=lane, fact=entry.fact, name=entry.what)
        tie = self.linked.get(entry.fact)
        if tie is not None and above.lane == entry.lane:
            source = self.lane(tie.service, linked=True)
            return Step(
                kind="linked", at=entry.at, source=source, target=lane, fact=entry.fact, name=tie.name
            )
        if above.lane == entry.lane:
            return Step(kind="later", at=entry.at, target=lane, fact=entry.fact, name=entry.what)
        source = self.lane(above.lane)
        return Step(kind="call", at=entry.at, source=source, target=lane, fact=entry.fact, name=entry.what)

    def name_of(self, hop: Hop) -> str:
        """The event type that a message carried where it is known, else its destination."""
        found = (
            self.names.get((hop.destination, hop.partition, hop.offset)) if hop.offset is not None else None
        )
        found = found or (self.names.get(hop.event) if hop.event is not None else None)
        return found or hop.destination or "a message"

    def _inside(self, entry: Entry, above: Entry) -> None:
        box = self.owner.get(above.fact)
        if box is None:
            return
        self.owner[entry.fact] = box
        self.boxes[box].inside += 1
        self.folded += 1
        if entry.status == "error":
            length = None if entry.until is None or entry.at is None else entry.until - entry.at
            lane = self.boxes[box].lane
            made = Step(
                kind="failed inside",
                at=entry.at,
                target=lane,
                fact=entry.fact,
                name=entry.what,
                length=length,
            )
            self.step(made, box)

    def _event(self, entry: Entry) -> None:
        box = self.owner.get(entry.parent or "")
        if box is not None:
            self.owner[entry.fact] = box
        stored = self.facts.get(entry.fact)
        if stored is not None and not self.told.isdisjoint(_keys(stored)):
            return  # its arrow says it
        lane = self.lane(entry.lane)
        self.step(Step(kind="event", at=entry.at, target=lane, fact=entry.fact, name=entry.what), box)

    def _open(self, entry: Entry, hop: Hop, place: int) -> None:
        group = next(
            (
                each.consumer_service
                for each in self.timeline.hops
                if each.group == hop.group and each.consumer_service
            ),
            hop.group,
        )
        target = self.lanes.get(group or "")
        source = self.lane(entry.lane)
        made = Step(
            kind="open",
            at=hop.sent,
            source=source,
            target=target,
            fact=entry.fact,
            name=self.name_of(hop),
            hop=place,
        )
        self.step(made, self.owner.get(entry.fact))


def _keys(stored: Stored) -> set[object]:
    """What an event goes by among hops: its id, and where its message lay."""
    fact = stored.fact
    found: set[object] = set()
    if fact.event is not None and fact.event.id:
        found.add(fact.event.id)
    message = fact.message
    if message is not None:
        if message.id:
            found.add(message.id)
        if message.offset is not None:
            found.add((message.destination, message.partition, message.offset))
    return found


def _told(hops: Iterable[Hop]) -> set[object]:
    found: set[object] = set()
    for hop in hops:
        if hop.event is not None:
            found.add(hop.event)
        if hop.offset is not None:
            found.add((hop.destination, hop.partition, hop.offset))
    return found


def _names(facts: Iterable[Stored]) -> dict[object, str]:
    """Event types by every key that a hop may know them by."""
    found: dict[object, str] = {}
    for stored in facts:
        if isinstance(stored.fact, Event) and stored.fact.event is not None and stored.fact.event.type:
            for key in _keys(stored):
                found.setdefault(key, stored.fact.event.type)
    return found


def sequence(
    timeline: Timeline,
    facts: Mapping[str, Stored],
    axis: Scale,
    linked: Iterable[LinkedTrace] = (),
) -> Sequence:
    """The sequence of a trace. ``facts`` are its leading facts by id; ``axis`` says what is idle, and
    ``linked`` which spans other traces led to."""
    teller = _Teller(timeline, facts, axis, linked)
    for entry in timeline.entries:
        teller.tell(entry)
    return Sequence(
        lifelines=tuple(teller.lifelines),
        steps=tuple(teller.steps),
        handlings=tuple(teller.boxes),
        folded=teller.folded,
    )
