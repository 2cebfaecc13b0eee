"""A fact, a trace, an entity: the facts, and the story rebuilt from them."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set

from timeline.answers import EntityAnswer, FactAnswer, TraceAnswer
from timeline.domain import Entity, Row, Span, Stored, Timeline
from timeline.models import Arrival
from timeline.reading.coverage import CoverageReader
from timeline.reading.usual import UsualWaits
from timeline.rebuild.assemble import timeline
from timeline.rebuild.linked import linked_traces
from timeline.redaction.asking import NOTHING, Asking
from timeline.search.query import (
    And,
    AttributeExists,
    AttributeIs,
    EntityIs,
    FieldIs,
    Node,
    Not,
    Or,
    Query,
    Window,
)
from timeline.store.port import Store

ENTITY_LIMIT = 20_000  # facts of one entity on one page; more are counted and said
TRACE_LIMIT = 200_000
CLOSURE_LIMIT = 20_000  # facts looked up only to join hops
_JOINS = 400  # join keys asked for at once
_DAY = 86400 * 10**9
_WEEK = 7 * _DAY
_GROUP = "messaging.consumer.group.name"
_FRESH = 15.0  # s
_MANY = 1_000  # destinations whose consumers are remembered
_AROUND = 6


class Stories:
    """Answers about one thing. ``rules`` gives attribute key to entity type of a workspace, ``asking`` what was
    redacted in it."""

    def __init__(
        self,
        store: Store,
        coverage: CoverageReader,
        rules: Callable[[str], Mapping[str, str]],
        asking: Callable[[str], Asking] = lambda workspace: NOTHING,
    ) -> None:
        self._store = store
        self._coverage = coverage
        self._rules = rules
        self._asking = asking
        self._usual = UsualWaits(store)
        self._consumers: dict[tuple[str, str, int], tuple[frozenset[str], float]] = {}

    def fact(self, fact_id: str, *, workspace: str = "main") -> FactAnswer | None:
        """One fact with its hops, variants, arrivals and neighbours; ``None`` where unknown."""
        stored = self._store.get([fact_id], workspace=workspace)[0]
        if stored is None:
            return None
        closure = self._closure([stored], workspace, own_traces=True)
        rebuilt = self._rebuild(f"fact:{fact_id}", [stored], closure, workspace, covered=True)
        told = _told_by(stored)
        hops = tuple(
            hop
            for hop in rebuilt.hops
            if fact_id in (hop.producer, hop.receiver, hop.consumer, hop.settled) or hop.event in told
        )
        named = {ref for hop in hops for ref in (hop.producer, hop.receiver, hop.consumer) if ref} - {fact_id}
        others = tuple(other for other in closure if other.receipt.id in named)
        group = self._store.group(stored.receipt.identity, workspace=workspace)
        again = Arrival.objects.filter(fact=fact_id).order_by("at").values_list("at", flat=True)
        return FactAnswer(
            stored=stored,
            hops=hops,
            around=others,
            variants=tuple(other for other in group if other.receipt.id != fact_id),
            arrivals=(stored.receipt.received, *again),
            neighbours=self._neighbours(stored, workspace),
        )

    def trace(self, trace_id: str, *, workspace: str = "main") -> TraceAnswer | None:
        """Every fact of a trace and its rebuilt story; ``None`` where nothing of it was seen."""
        coverage = self._coverage.read(Window(), workspace)
        query = Query(where=FieldIs("trace_id", trace_id.lower()), workspace=workspace)
        facts, truncated = self._take(query, TRACE_LIMIT)
        if not facts:
            return None
        closure = self._closure(
            facts, workspace, own_traces=False, whole=None if truncated else trace_id.lower()
        )
        rebuilt = self._rebuild(
            f"trace:{trace_id.lower()}",
            facts,
            closure,
            workspace,
            covered=not coverage.causes,
            truncated=truncated,
        )
        return TraceAnswer(
            trace_id=trace_id.lower(),
            facts=tuple(facts),
            timeline=rebuilt,
            coverage=coverage,
            linked=linked_traces(trace_id.lower(), facts, closure, rebuilt.hops),
            usual=self._usual.of(rebuilt, trace_id.lower(), workspace),
        )

    def entity(
        self,
        entity: Entity,
        *,
        window: Window | None = None,
        context: bool = False,
        expand: bool = False,
        beside: Sequence[Entity] = (),
        workspace: str = "main",
    ) -> EntityAnswer | None:
        """An entity's story; with ``context`` also where it only came along, with ``expand``
        the whole of its traces, with ``beside`` those of other entities too: a fact that is about
        several of them is there once. ``None`` where nothing of the entity itself was seen in the window."""
        window = window or Window()
        coverage = self._coverage.read(window, workspace)
        about = self.about(entity, context, workspace)
        alone: EntityAnswer | None = None
        if beside:
            alone = self.entity(entity, window=window, context=context, expand=expand, workspace=workspace)
            if alone is None:
                return None
            about = Or((about, *(self.about(other, False, workspace) for other in beside)))
        facts, truncated = self._take(Query(where=about, window=window, workspace=workspace), ENTITY_LIMIT)
        only_context = Query(where=self.about(entity, True, workspace), window=window, workspace=workspace)
        in_context = self._store.count(only_context).value
        if not facts:
            return None
        closure = self._closure(facts, workspace, own_traces=True)
        if expand:
            facts, closure = _expand(facts, closure)
        rebuilt = self._rebuild(
            str(entity),
            facts,
            closure,
            workspace,
            covered=not coverage.causes,
            truncated=truncated,
            window=window,
        )
        return EntityAnswer(
            entity=entity,
            facts=tuple(facts),
            timeline=rebuilt,
            coverage=coverage,
            beside=tuple(beside),
            alone=alone.timeline if alone else None,
            context_count=max(in_context - len(facts), 0) if not context and not beside else 0,
            related=_related({entity, *self._asking(workspace).entities(entity)}, facts),
        )

    def about(self, entity: Entity, context: bool, workspace: str) -> Node:
        """The query for an entity: its own tokens, and those of every rule that names its
        type, so that a new rule works on what was stored before it; where ids are hashed, by the hash, too."""
        keys = [key for key, kind in self._rules(workspace).items() if kind == entity.type]
        named = Or((EntityIs(entity, context), *(AttributeIs(key, entity.id) for key in keys)))
        return self._asking(workspace).too(named)

    def _take(self, query: Query, limit: int) -> tuple[list[Stored], int]:
        facts = list(itertools.islice(self._store.facts_of(query), limit))
        if len(facts) < limit:
            return facts, 0
        count = self._store.count(query)
        return facts, max(count.value + count.variants - limit, 0)

    def _closure(
        self, facts: Sequence[Stored], workspace: str, *, own_traces: bool, whole: str | None = None
    ) -> list[Stored]:
        """What is needed to join the hops of these facts, bounded: their traces, links both
        ways, and whatever shares a message or event identity. ``whole`` names a trace of which
        every fact is among these."""
        known = {stored.receipt.id for stored in facts}
        found: dict[str, Stored] = {}
        for node in _join_nodes(facts, own_traces=own_traces):
            if (
                whole is not None
            ):  # its own facts are at hand: to read them again would cost as much once more
                node = And((node, Not(FieldIs("trace_id", whole))))
            room = CLOSURE_LIMIT - len(found)
            if room <= 0:
                break
            for stored in itertools.islice(
                self._store.facts_of(Query(where=node, workspace=workspace)), room + len(known)
            ):
                if stored.receipt.id not in known and len(found) < CLOSURE_LIMIT:
                    found[stored.receipt.id] = stored
        return list(found.values())

    def _rebuild(
        self,
        subject: str,
        facts: Sequence[Stored],
        closure: Sequence[Stored],
        workspace: str,
        *,
        covered: bool,
        truncated: int = 0,
        window: Window | None = None,
    ) -> Timeline:
        window = window or Window()
        return timeline(
            subject,
            facts,
            closure=closure,
            window=(window.start, window.end),
            groups=self._groups(facts, workspace),
            covered=covered,
            now=time.time_ns(),
            truncated=truncated,
        )

    def _groups(self, facts: Iterable[Stored], workspace: str) -> dict[str, frozenset[str]]:
        """Consumer groups seen on each destination within the 7 days around these facts."""
        at: dict[str, int] = {}
        for stored in facts:
            message = stored.fact.message
            if (
                message
                and message.destination
                and message.operation in ("send", "create")
                and stored.fact.at is not None
            ):
                at[message.destination] = max(at.get(message.destination, 0), stored.fact.at)
        return {
            destination: self._groups_on(destination, newest, workspace)
            for destination, newest in itertools.islice(at.items(), 20)
        }

    def _groups_on(self, destination: str, newest: int, workspace: str) -> frozenset[str]:
        """Those of one destination: remembered for a moment, for who consumes rarely changes and
        telling takes a look at 2,000 facts."""
        key = (workspace, destination, newest // _DAY)
        known, asked = self._consumers.get(key, (frozenset(), -_FRESH))
        if time.monotonic() - asked < _FRESH:
            return known
        of_consumers = And((FieldIs("destination", destination), AttributeExists(_GROUP)))
        window = Window(start=(newest // _DAY) * _DAY - _WEEK, end=(newest // _DAY + 1) * _DAY + _WEEK)
        facet = self._store.facets(
            Query(where=of_consumers, window=window, workspace=workspace), [_GROUP], limit=50
        )[0]
        found = frozenset(value.value for value in facet.values)
        if len(self._consumers) >= _MANY:
            self._consumers.clear()
        self._consumers[key] = found, time.monotonic()
        return found

    def _neighbours(self, stored: Stored, workspace: str) -> tuple[Row, ...]:
        """Rows around this one about the same key or entity, in time order."""
        fact, at = stored.fact, stored.fact.at
        same: list[Node] = [EntityIs(entity) for entity in fact.entities[:3]]
        if fact.message and fact.message.key:
            same.append(AttributeIs("messaging.kafka.message.key", fact.message.key))
        if not same or at is None:
            return ()
        where = Or(tuple(same))
        before = self._store.search(
            Query(where=where, window=Window(end=at + 1), workspace=workspace), limit=_AROUND
        )
        after = self._store.search(
            Query(where=where, window=Window(start=at + 1), workspace=workspace),
            limit=_AROUND,
            order="oldest",
        )
        return (*reversed(before.rows), *after.rows)


def _told_by(stored: Stored) -> set[str]:
    """The ids under which others delivered what this event tells of; a span is in its own hops."""
    fact = stored.fact
    if isinstance(fact, Span):
        return set()
    ids = (fact.event.id if fact.event else None, fact.message.id if fact.message else None)
    return {one for one in ids if one}


def _join_nodes(facts: Sequence[Stored], *, own_traces: bool) -> Iterator[Node]:
    """Queries that find what could share a hop with these facts, a few hundred keys each."""
    keys: dict[tuple[str, str], Node] = {}
    inbound: dict[str, None] = {}  # in the order of the facts: which of many are asked for is no accident
    for stored in facts:
        fact = stored.fact
        if fact.ref:
            inbound[fact.ref.trace_id] = None
            if own_traces:
                keys["trace_id", fact.ref.trace_id] = FieldIs("trace_id", fact.ref.trace_id)
        for link in getattr(fact, "links", ()):
            keys["trace_id", link.ref.trace_id] = FieldIs("trace_id", link.ref.trace_id)
        if fact.event and fact.event.id:
            keys["event_id", fact.event.id] = FieldIs("event_id", fact.event.id)
        if fact.message and fact.message.id:
            keys["message", fact.message.id] = AttributeIs("messaging.message.id", fact.message.id)
    for trace_id in itertools.islice(inbound, _JOINS):
        keys["link", trace_id] = FieldIs("link", trace_id)
    nodes = list(keys.values())
    for start in range(0, len(nodes), _JOINS):
        yield Or(tuple(nodes[start : start + _JOINS]))


def _expand(facts: list[Stored], closure: list[Stored]) -> tuple[list[Stored], list[Stored]]:
    """Show the whole of the facts' own traces; what is linked stays behind the scenes."""
    traces = {stored.fact.ref.trace_id for stored in facts if stored.fact.ref}
    inside = [stored for stored in closure if stored.fact.ref and stored.fact.ref.trace_id in traces]
    shown = {stored.receipt.id for stored in inside}
    return facts + inside, [stored for stored in closure if stored.receipt.id not in shown]


def _related(own: Set[Entity], facts: Iterable[Stored]) -> tuple[tuple[str, int], ...]:
    """Other entities on the same facts, the most frequent first."""
    counts: dict[str, int] = {}
    for stored in facts:
        for other in (*stored.fact.entities, *stored.fact.context):
            if other not in own:
                counts[str(other)] = counts.get(str(other), 0) + 1
    return tuple(sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:20])
