"""The producing side: every message that was sent, once, whatever told of it.

A send span, the create spans of a batch, a broker record and a posted CloudEvent may all tell of one
message. Consumers find it by the context they were given, by coordinates, by message id or by
CloudEvents identity.
"""

from __future__ import annotations

from collections.abc import Container
from typing import TypeAlias

import msgspec

from timeline.domain import EventInfo, Message, Span
from timeline.rebuild.facts import PRODUCING, Known, Ref
from timeline.rebuild.family import Family
from timeline.rebuild.mentions import JoinedBy, Mention


class Publication(msgspec.Struct, gc=False):
    """One message sent, or one that a consumer names and nobody told us of (``fact`` None)."""

    number: int
    fact: int | None = None  # index of the fact whose context the message carries
    sender: int | None = None  # index of the fact that tells when it was sent
    destination: str | None = None
    id: str | None = None
    key: str | None = None
    partition: str | None = None
    offset: int | None = None
    source: str | None = None
    event: str | None = None
    many: bool = False  # a batch send that tells of its messages only in common
    facts: list[int] = []
    at: int | None = None

    def learn(self, mention: Mention) -> None:
        """Take what the other side knows and this one does not."""
        self.destination = self.destination or mention.destination
        self.id = self.id or mention.id
        self.key = self.key or mention.key
        self.partition = self.partition or mention.partition
        self.offset = mention.offset if self.offset is None else self.offset
        if self.event is None:
            self.event, self.source = mention.event_id, mention.event_source


def _agrees(one: Publication, mention: Mention) -> bool:
    """Nothing both of them name differs."""
    if one.id is not None and mention.id is not None and one.id != mention.id:
        return False
    if one.event is not None and mention.event_id is not None and one.event != mention.event_id:
        return False
    same_place = one.destination == mention.destination and one.partition == mention.partition
    both = one.offset is not None and mention.offset is not None and same_place
    return not (both and one.offset != mention.offset)


_Row: TypeAlias = dict[int, Publication]
_LAYERS = 8  # of one client around one sending
_NAMESAKES = 64  # an id that names more messages than this names none


def _enter(row: _Row, publication: Publication) -> None:
    if len(row) < _NAMESAKES:
        row[publication.number] = publication


class Ledger:
    """All publications, findable by every name they go by."""

    def __init__(self, known: list[Known], by_ref: dict[Ref, list[Known]]) -> None:
        self.known = known
        self.spans = by_ref
        self.all: list[Publication] = []
        self._by_ref: dict[Ref, list[Publication]] = {}
        self._by_place: dict[tuple[str | None, str | None, int], _Row] = {}
        self._by_id: dict[str, _Row] = {}
        self._by_event: dict[str, _Row] = {}

    def add(self, publication: Publication, *refs: Ref | None) -> Publication:
        """Register a publication and the span addresses its context goes by."""
        self.all.append(publication)
        for ref in refs:
            if ref is not None:
                self._by_ref.setdefault(ref, []).append(publication)
        self.index(publication)
        return publication

    def index(self, publication: Publication) -> None:
        """Make it findable by what has been learned of it."""
        one = publication
        if one.many:
            return
        if one.offset is not None:
            _enter(self._by_place.setdefault((one.destination, one.partition, one.offset), {}), one)
        if one.id is not None:
            _enter(self._by_id.setdefault(one.id, {}), one)
        if one.event is not None:
            _enter(self._by_event.setdefault(one.event, {}), one)

    def told_by(self, ref: Ref | None) -> list[Publication]:
        """Publications whose context is this span."""
        return self._by_ref.get(ref, []) if ref is not None else []

    def of_event(self, source: str | None, event: str | None) -> list[Publication]:
        """Publications of one CloudEvents identity; a side without a source matches any."""
        rows = self._by_event.get(event, {}) if event is not None else {}
        return [one for one in rows.values() if source is None or one.source is None or one.source == source]

    def at_place(self, mention: Mention) -> list[Publication]:
        """Publications at these broker coordinates."""
        if mention.offset is None:
            return []
        rows = self._by_place.get((mention.destination, mention.partition, mention.offset), {})
        return list(rows.values())

    def with_id(self, mention: Mention) -> list[Publication]:
        """Publications with this message id, on any destination."""
        named = self._by_id.get(mention.id, {}) if mention.id is not None else {}
        return [one for one in named.values() if _agrees(one, mention)]

    def find(self, mention: Mention, consumer: Known) -> tuple[Publication, JoinedBy]:
        """The publication a consumer means, made up where nobody told of it."""
        found, by = self._find(mention, consumer)
        if not found.many:
            before = (found.offset, found.id, found.event)
            found.learn(mention)
            if before != (found.offset, found.id, found.event):
                self.index(found)
        return found, by if found.fact is not None else ""

    def _find(self, mention: Mention, consumer: Known) -> tuple[Publication, JoinedBy]:
        told = self.told_by(mention.ref)
        ways: tuple[tuple[list[Publication], JoinedBy], ...] = (
            (self.at_place(mention), "offset"),
            (self.with_id(mention), "message id"),
            (self.of_event(mention.event_source, mention.event_id), "event id"),
        )
        if told:
            carriers = {one.fact for one in told}
            for rows, _ in ways:
                same = [one for one in rows if one.fact in carriers and _agrees(one, mention)]
                if same:
                    return same[0], mention.by
            for one in told:
                if not one.many and _agrees(one, mention):
                    return one, mention.by
            return self._derive(told[0], mention), mention.by
        for rows, by in ways:
            if rows:
                return _nearest(rows, mention, consumer), by
        return self._untold(mention, consumer), mention.by

    def _untold(self, mention: Mention, consumer: Known) -> Publication:
        """A message nobody told of; at most the span of another service in which it was sent is known."""
        unknown = Publication(number=len(self.all))
        unknown.learn(mention)
        around = self.spans.get(mention.ref, ()) if mention.ref is not None else ()
        abroad = [one for one in around if one.service != consumer.service]
        if abroad:
            unknown.fact = abroad[0].index
        return self.add(unknown, None if around else mention.ref)

    def _derive(self, whole: Publication, mention: Mention) -> Publication:
        """One message of a batch send, known by what its consumer says of it."""
        one = Publication(
            number=len(self.all),
            fact=whole.fact,
            sender=whole.sender,
            destination=mention.destination or whole.destination,  # a message that was sent on is elsewhere
            at=whole.at,
            facts=list(whole.facts),
        )
        one.learn(mention)
        return self.add(one)


def _nearest(rows: list[Publication], mention: Mention, consumer: Known) -> Publication:
    """Same destination first, then the last one sent before the consumer began."""

    def rank(one: Publication) -> tuple[bool, bool, int, int]:
        elsewhere = mention.destination is not None and one.destination != mention.destination
        late = one.at is not None and consumer.at is not None and one.at > consumer.at
        distance = abs(consumer.at - one.at) if one.at is not None and consumer.at is not None else 0
        return (elsewhere, late, distance, one.number)

    return min(rows, key=rank)


def _told(known: Known, number: int) -> Publication:
    message, event = known.fact.message or Message(), known.fact.event or EventInfo()
    many = known.role == "send" and message.batch_count is not None and message.batch_count > 1
    return Publication(
        number=number,
        many=many,
        fact=known.index,
        sender=known.index,
        destination=message.destination,
        id=message.id,
        key=message.key,
        partition=message.partition,
        offset=message.offset,
        source=event.source,
        event=event.id,
        facts=[known.index],
        at=known.at,
    )


def _mention_of(one: Publication) -> Mention:
    return Mention(
        by="",
        destination=one.destination,
        id=one.id,
        key=one.key,
        partition=one.partition,
        offset=one.offset,
        event_source=one.source,
        event_id=one.event,
    )


def _creates(ledger: Ledger, family: Family) -> dict[int, list[int]]:
    """For each send span the create spans of the messages it sends: linked, inside, or around it."""
    known, found = ledger.known, {}
    inside: dict[int, list[int]] = {}
    for one in known:
        parent = family.parent[one.index]
        if one.role == "create" and parent is not None and known[parent].role == "send":
            inside.setdefault(parent, []).append(one.index)
    for one in known:
        if one.role != "send" or not isinstance(one.fact, Span):
            continue
        rows = list(inside.get(one.index, ()))
        for link in one.fact.links:
            targets = ledger.spans.get((link.ref.trace_id, link.ref.span_id), ())
            rows += [target.index for target in targets if target.role == "create"]
        parent = family.parent[one.index]
        if parent is not None and known[parent].role == "create":
            rows.append(parent)
        if rows:
            found[one.index] = sorted(set(rows))
    return found


def _around(ledger: Ledger, family: Family, creates: Container[int]) -> dict[int, list[int]]:
    """For each send span those around it that tell of the same message, as two layers of one client do."""
    known = ledger.known
    inside: dict[int, list[int]] = {}
    for index, parent in enumerate(family.parent):
        if parent is not None and known[index].role == known[parent].role == "send":
            inside.setdefault(parent, []).append(index)
    outer = {
        rows[0]: parent
        for parent, rows in inside.items()
        if len(rows) == 1
        and not (parent in creates or rows[0] in creates)
        and _one_sending(known[parent], known[rows[0]])
    }
    found: dict[int, list[int]] = {}
    for innermost in outer.keys() - set(outer.values()):
        row = found[innermost] = [outer[innermost]]
        while row[-1] in outer and len(row) < _LAYERS:
            row.append(outer[row[-1]])
    return found


def _one_sending(outer: Known, inner: Known) -> bool:
    """The inner span began inside the outer one, and nothing that both say differs."""
    if outer.service != inner.service or outer.at is None or inner.at is None or outer.until is None:
        return False
    one, other = _told(outer, 0), _told(inner, 0)
    same = (
        one.destination == other.destination and one.many == other.many and _agrees(one, _mention_of(other))
    )
    return same and outer.at <= inner.at <= outer.until


def _add_spans(ledger: Ledger, family: Family) -> None:
    known, creates = ledger.known, _creates(ledger, family)
    around = _around(ledger, family, creates)
    layers = {outer for row in around.values() for outer in row}
    covered = {create: send for send, rows in creates.items() for create in rows}
    for one in known:
        if one.role == "create":
            made = _told(one, len(ledger.all))
            send = covered.get(one.index)
            refs = [one.ref]
            if send is not None:
                made.sender, made.facts, made.at = send, [one.index, send], known[send].at
                made.destination = made.destination or _told(known[send], 0).destination
                if len(creates[send]) == 1:
                    made.fact = send
                    made.learn(_mention_of(_told(known[send], 0)))
                    refs.append(known[send].ref)
            ledger.add(made, *refs)
        elif one.role == "send" and one.index not in creates and one.index not in layers:
            made, outer = _told(one, len(ledger.all)), around.get(one.index, [])
            for layer in outer:  # the message carries the innermost context; the last to end saw it arrive
                made.facts.append(layer)
                made.learn(_mention_of(_told(known[layer], 0)))
            made.sender = max((one.index, *outer), key=lambda index: known[index].until or 0)
            ledger.add(made, one.ref, *(known[layer].ref for layer in outer))


def _add_events(ledger: Ledger) -> None:
    """Records first: they have coordinates; then posted events, which may tell of several messages."""
    for one in ledger.known:
        if one.role != "record":
            continue
        made = _told(one, len(ledger.all))
        mention = _mention_of(made)
        mention.ref = one.ref
        told = ledger.told_by(one.ref)
        others = [row for row in told if not row.many] + ledger.of_event(made.source, made.event)
        here = [row for row in others if row.destination == made.destination and _agrees(row, mention)]
        named = [row for row in ledger.with_id(mention) if row.destination == made.destination]
        same = ledger.at_place(mention) or named or here
        free = [row for row in same if row.offset is None or row.offset == made.offset]
        if free:
            free[0].facts.append(one.index)
            free[0].learn(mention)
            ledger.index(free[0])
            continue
        if told:
            made.fact, made.sender, made.at = told[0].fact, told[0].sender, told[0].at
        ledger.add(made, one.ref)
    for one in ledger.known:
        if one.role != "event":
            continue
        made = _told(one, len(ledger.all))
        mention = _mention_of(made)
        told = [row for row in ledger.told_by(one.ref) if not row.many and _agrees(row, mention)]
        same = told or ledger.at_place(mention) or ledger.of_event(made.source, made.event)
        for row in same:
            row.facts.append(one.index)
            row.learn(Mention(by="", event_id=made.event, event_source=made.source, key=made.key))
            ledger.index(row)
        if not same:
            ledger.add(made, one.ref if made.destination else None)


def ledger_of(known: list[Known], family: Family, by_ref: dict[Ref, list[Known]]) -> Ledger:
    """Every publication told of by ``known``."""
    ledger = Ledger(known, by_ref)
    if any(one.role in PRODUCING for one in known):
        _add_spans(ledger, family)
        _add_events(ledger)
    return ledger
