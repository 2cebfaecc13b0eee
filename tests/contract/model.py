"""The port in plain Python, on a list: what every store must answer, exactly.

Slow on purpose and without an index, so that it can be read against ``port.py``.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

import msgspec

from timeline.domain import Entity, Fact, Message, Row, Span, Stored
from timeline.errors import BadQuery
from timeline.ingest.identity import variant_id
from timeline.search import query as q
from timeline.search.fact_tokens import fact_tokens
from timeline.search.tokens import id_shaped, pairs_of, plain, texts, value_token
from timeline.store.integers import clamp
from timeline.store.port import Bucket, Count, Facet, FacetValue, ItemReport, Page, Sighting


def _second(year: int) -> int:
    return int(datetime(year, 1, 1, tzinfo=UTC).timestamp())


def placed(stored: Stored) -> int:
    """Its own time where the year is 2000 to 2099, else when it was received."""
    at = stored.fact.at
    usable = at is not None and _second(2000) * 10**9 <= at < _second(2100) * 10**9
    return at if usable and at is not None else stored.receipt.received


def field_values(stored: Stored, field: str) -> list[str]:
    """The values of a built-in keyword field; an empty one is none."""
    fact, receipt = stored.fact, stored.receipt
    event = fact.event
    values: dict[str, list[str | None]] = {
        "id": [receipt.id],
        "identity": [receipt.identity],
        "event_id": [event.id if event else None],
        "type": [event.type if event else None],
        "service": [fact.service],
        "name": [fact.name],
        "fact": ["span" if isinstance(fact, Span) else "event"],
        "span_kind": [fact.kind if isinstance(fact, Span) else None],
        "status": [fact.status if isinstance(fact, Span) else "unset"],
        "destination": [(fact.message or Message()).destination],
        "environment": [fact.environment],
        "trace_id": [fact.ref.trace_id if fact.ref else None],
        "span_id": [fact.ref.span_id if fact.ref else None],
        "parent_id": [fact.parent if isinstance(fact, Span) else None],
        "correlation_id": [event.correlation_id if event else None],
        "causation_id": [event.causation_id if event else None],
        "link": [],
    }
    if isinstance(fact, Span):
        for link in fact.links:
            values["link"] += [link.ref.trace_id, f"{link.ref.trace_id}/{link.ref.span_id}"]
    return [value for value in values[field] if value]


def _inside(number: float, node: q.FieldBetween | q.AttributeBetween) -> bool:
    if node.low is not None and not (number > node.low if node.low_open else number >= node.low):
        return False
    return node.high is None or (number < node.high if node.high_open else number <= node.high)


def _check_prefix(prefix: str) -> None:
    if len(prefix) > 256:
        raise BadQuery("too long a prefix")


def _words(stored: Stored, node: q.Words) -> bool:
    have = fact_tokens(stored).text.split(" ")
    asked = plain(node.words) if node.phrase or node.prefix else list(node.words)
    if not asked:
        return False

    def matches(word: str, place: int) -> bool:
        last = place == len(asked) - 1
        return word.startswith(asked[place]) if node.prefix and last else word == asked[place]

    if node.phrase:
        spots = range(len(have) - len(asked) + 1)
        return any(all(matches(have[spot + place], place) for place in range(len(asked))) for spot in spots)
    return all(any(matches(word, place) for word in have) for place in range(len(asked)))


def _entity(stored: Stored, entity: Entity, context: bool) -> bool:
    return entity in stored.fact.entities or (context and entity in stored.fact.context)


def matches(stored: Stored, node: q.Node) -> bool:
    """Whether a fact matches a tree."""
    fact = stored.fact
    match node:
        case q.All():
            return True
        case q.FieldIs():
            return node.value in field_values(stored, node.field)
        case q.FieldStarts():
            _check_prefix(node.prefix)
            return any(value.startswith(node.prefix) for value in field_values(stored, node.field))
        case q.FieldBetween():
            return fact.at is not None and fact.until is not None and _inside(fact.until - fact.at, node)
        case q.AttributeIs():
            return any(node.value in texts(value) for key, value in pairs_of(fact) if key == node.key)
        case q.AttributeStarts():
            _check_prefix(node.prefix)
            named = (text for key, value in pairs_of(fact) if key == node.key for text in texts(value))
            return any(text.startswith(node.prefix) for text in named)
        case q.AttributeBetween():
            return any(
                not math.isnan(float(value)) and _inside(float(value), node)
                for key, value in pairs_of(fact)
                if key == node.key and isinstance(value, (int, float)) and not isinstance(value, bool)
            )
        case q.AttributeExists():
            whole = (fact.attributes, fact.resource)
            return any(key == node.key for key, _ in pairs_of(fact)) or any(
                node.key in part for part in whole
            )
        case q.ValueIs():
            return id_shaped(node.value) and any(
                node.value in texts(value) for _, value in pairs_of(fact) if not isinstance(value, float)
            )
        case q.EntityIs():
            return _entity(stored, node.entity, node.context)
        case q.Words():
            return _words(stored, node)
        case q.And():
            return all(matches(stored, item) for item in node.items)
        case q.Or():
            return any(matches(stored, item) for item in node.items)
        case q.Not():
            return not matches(stored, node.item)


def _in_window(stored: Stored, window: q.Window) -> bool:
    times = {"event": [placed(stored)], "received": [stored.receipt.received]}
    times["either"] = times["event"] + times["received"]
    start = -math.inf if window.start is None else window.start
    end = math.inf if window.end is None else window.end
    return any(start <= time < end for time in times[window.on])


def _took(fact: Fact) -> tuple[bool, int]:
    """Sorts what has no duration before what has the least."""
    known = fact.at is not None and fact.until is not None
    return known, clamp(fact.until - fact.at) if known else 0  # type: ignore[operator]


class ListStore:
    """A store that is a list."""

    def __init__(self) -> None:
        self.facts: dict[str, Stored] = {}

    def write(self, facts: Sequence[Stored]) -> list[ItemReport]:
        """One outcome per fact, one after the other."""
        return [self._write(stored) for stored in facts]

    def _write(self, stored: Stored) -> ItemReport:
        outcome: str = "stored"
        there = self.facts.get(stored.receipt.id)
        if there is not None and there.receipt.content != stored.receipt.content:
            receipt = msgspec.structs.replace(stored.receipt, id=variant_id(stored), variant=True)
            stored = msgspec.structs.replace(stored, receipt=receipt)
            outcome, there = "variant", self.facts.get(receipt.id)
        if there is not None:
            known = there.receipt
            return ItemReport(id=known.id, outcome="already", request=known.request, partial=known.partial)
        if fact_tokens(stored).partial:
            marked = msgspec.structs.replace(stored.receipt, partial=True)
            stored = msgspec.structs.replace(stored, receipt=marked)
        self.facts[stored.receipt.id] = stored
        return ItemReport(id=stored.receipt.id, outcome=outcome, partial=stored.receipt.partial)  # type: ignore[arg-type]

    def matching(self, query: q.Query) -> list[Stored]:
        """Every match, oldest first."""
        found = [
            stored
            for stored in self.facts.values()
            if stored.receipt.workspace == query.workspace
            and _in_window(stored, query.window)
            and matches(stored, query.where)
        ]
        return sorted(found, key=lambda stored: (placed(stored), stored.receipt.tie, stored.receipt.id))

    def ordered(self, query: q.Query, order: str = "newest") -> list[Stored]:
        """Every match in one order."""
        found = self.matching(query)
        if order == "received":
            found.sort(key=lambda s: (s.receipt.received, s.receipt.tie, s.receipt.id))
        if order == "longest":
            found.sort(key=lambda s: (*_took(s.fact), placed(s), s.receipt.id))
        if order != "oldest":
            found.reverse()
        return found

    def rows(self, query: q.Query, order: str = "newest") -> list[Row]:
        """Every row in one order."""
        return [Row.of(stored) for stored in self.ordered(query, order)]

    def search(self, query: q.Query, *, limit: int = 50, order: str = "newest") -> Page:
        """The first page, without a cursor."""
        return Page(facts=tuple(self.ordered(query, order)[:limit]))

    def _counted(self, query: q.Query) -> list[Stored]:
        return [stored for stored in self.matching(query) if not stored.receipt.variant]

    def count(self, query: q.Query, *, limit: int | None = None) -> Count:
        """How many match; variants apart."""
        found = self.matching(query)
        value = len(self._counted(query))
        cut = limit is not None and value > limit
        return Count(
            value=limit if cut and limit is not None else value,
            at_least=cut,
            variants=len(found) - len(self._counted(query)),
        )

    def facets(self, query: q.Query, fields: Sequence[str], *, limit: int = 10) -> list[Facet]:
        """Value counts, highest first, then by value."""
        return [self._facet(query, field, limit) for field in fields]

    def _facet(self, query: q.Query, field: str, limit: int) -> Facet:
        found = self._counted(query)
        sampled = field not in q.FACETS
        counts: dict[str, int] = {}
        for stored in found[-2000:] if sampled else found:
            if sampled:
                values = [texts(value)[:1] for key, value in pairs_of(stored.fact) if key == field]
                names = {value_token(text) for spelled in values for text in spelled}
            else:
                names = {value_token(value) for value in field_values(stored, field)}
            for name in names:
                counts[name] = counts.get(name, 0) + 1
        ranked = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:limit]
        values_ = tuple(FacetValue(value=value, count=count) for value, count in ranked)
        return Facet(field=field, values=values_, sampled=sampled)

    def histogram(self, query: q.Query, *, interval: int) -> list[Bucket]:
        """Counts per interval of placed time from the start of the window."""
        start, end = query.window.start, query.window.end
        assert start is not None
        assert end is not None
        counts: dict[int, list[int]] = {}
        for stored in self._counted(query):
            if start <= placed(stored) < end:
                bucket = counts.setdefault((placed(stored) - start) // interval, [0, 0])
                bucket[0] += 1
                bucket[1] += isinstance(stored.fact, Span) and stored.fact.status == "error"
        return [
            Bucket(start=start + number * interval, count=count, errors=errors)
            for number, (count, errors) in sorted(counts.items())
        ]

    def facts_of(self, query: q.Query) -> Iterator[Stored]:
        """Every match, oldest first."""
        return iter(self.matching(query))

    def get(self, ids: Sequence[str], *, workspace: str = "main") -> list[Stored | None]:
        """Facts by id, in the order asked."""
        own = {key: fact for key, fact in self.facts.items() if fact.receipt.workspace == workspace}
        return [own.get(fact_id) for fact_id in ids]

    def group(self, identity: str, *, workspace: str = "main") -> list[Stored]:
        """Facts of one identity, smallest content hash first."""
        found = [
            stored
            for stored in self.facts.values()
            if stored.receipt.identity == identity and stored.receipt.workspace == workspace
        ]
        return sorted(found, key=lambda stored: (stored.receipt.content, stored.receipt.id))

    def sightings(self, queries: Sequence[q.Query]) -> list[Sighting]:
        """Count, first, last, newest; the last three over variants too."""
        return [self._sighting(query) for query in queries]

    def _sighting(self, query: q.Query) -> Sighting:
        found = self.matching(query)
        if not found:
            return Sighting()
        count = self.count(query)
        return Sighting(
            count=count.value,
            variants=count.variants,
            first=placed(found[0]),
            last=placed(found[-1]),
            newest=Row.of(found[-1]),
        )

    def expire(self, before: int, *, workspace: str = "main") -> int:
        """Remove facts placed before the moment."""
        gone = [
            key
            for key, stored in self.facts.items()
            if stored.receipt.workspace == workspace and placed(stored) < before
        ]
        for key in gone:
            del self.facts[key]
        return len(gone)
