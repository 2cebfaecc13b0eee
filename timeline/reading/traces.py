"""Traces by what one of their spans is, as tracing tools ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from timeline.domain import Span, Stored
from timeline.errors import BadQuery
from timeline.reading.newest import newest
from timeline.rebuild.facts import gather, references
from timeline.rebuild.family import family
from timeline.search.query import And, FieldIs, Node, Or, Query, Window
from timeline.store.port import Store

MOST_TRACES = 500
MOST_SPANS = 200_000  # of all the traces in one answer
NAMES = 1_000  # services, or operations of one, in a list
_LOOKED_AT = 20_000  # spans, newest first, to find that many traces among
_COUNTED = 10_000  # spans, newest first, to count calls of

SPANS = FieldIs("fact", "span")


class Calls(msgspec.Struct, frozen=True, kw_only=True):
    """How often one service's span had a parent or a producer in another."""

    parent: str
    child: str
    count: int
    errors: int


class Traces:
    """Finds whole traces in one store."""

    def __init__(self, store: Store, workspace: str) -> None:
        self._store, self._workspace = store, workspace

    def names(self, field: str, where: Node = SPANS) -> list[str]:
        """The values that spans have in a field, sorted; the ``NAMES`` most frequent of them."""
        facet = self._store.facets(self._query(where, Window()), [field], limit=NAMES)[0]
        return sorted(value.value for value in facet.values if value.value)

    def find(self, where: Node, window: Window, limit: int) -> list[list[Stored]]:
        """Up to ``limit`` whole traces that have a span like this in the window, newest first."""
        wanted: dict[str, None] = {}
        for stored in self._newest(And((SPANS, where)), window, _LOOKED_AT):
            if stored.fact.ref is not None:
                wanted[stored.fact.ref.trace_id] = None
            if len(wanted) >= limit:
                break
        return self.whole(list(wanted))

    def whole(self, trace_ids: list[str]) -> list[list[Stored]]:
        """Every fact of these traces, a list per trace in the order asked; unknown ones are left out.

        Raises ``BadQuery`` for more than ``MOST_TRACES``, or ``MOST_SPANS`` in all: none is cut.
        """
        found: dict[str, list[Stored]] = {trace: [] for trace in trace_ids}
        if len(found) > MOST_TRACES:
            raise BadQuery(
                f"{len(found):,} traces are asked for", remedy=f"ask for at most {MOST_TRACES:,} at once"
            )
        if not found:
            return []
        any_of = Or(tuple(FieldIs("trace_id", trace) for trace in found))
        taken = 0
        for stored in self._store.facts_of(self._query(any_of, Window())):
            if stored.fact.ref is not None and stored.fact.ref.trace_id in found:
                found[stored.fact.ref.trace_id].append(stored)
                taken += 1
            if taken > MOST_SPANS:
                raise BadQuery(
                    f"these traces hold more than {MOST_SPANS:,} facts", remedy="ask for fewer at once"
                )
        return [facts for facts in found.values() if facts]

    def calls(self, window: Window) -> list[Calls]:
        """Which service called or fed which, among the newest ``_COUNTED`` spans of a window."""
        known = gather(self._newest(SPANS, window, _COUNTED), ())
        by_ref = references(known)
        parents = family(known, by_ref).parent
        counts: dict[tuple[str, str], list[int]] = {}
        for one, parent in zip(known, parents, strict=True):
            span = one.fact
            assert isinstance(span, Span)  # noqa: S101 - what was asked for
            sources = set() if parent is None else {known[parent].service}
            for link in span.links:
                sources |= {
                    linked.service for linked in by_ref.get((link.ref.trace_id, link.ref.span_id), ())
                }
            for service in sources - {span.service}:
                tally = counts.setdefault((service, span.service), [0, 0])
                tally[0] += 1
                tally[1] += span.status == "error"
        return [
            Calls(parent=parent, child=child, count=count, errors=errors)
            for (parent, child), (count, errors) in sorted(counts.items())
        ]

    def _newest(self, where: Node, window: Window, most: int) -> Iterator[Stored]:
        return newest(self._store, self._query(where, window), most)

    def _query(self, where: Node, window: Window) -> Query:
        return Query(where=where, window=window, workspace=self._workspace)
