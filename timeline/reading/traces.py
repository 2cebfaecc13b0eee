"""Traces by what one of their spans is, as tracing tools ask for them."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from timeline.domain import Span, Stored
from timeline.search.query import And, FieldIs, Node, Or, Query, Window
from timeline.store.port import Store

MOST_TRACES = 500
MOST_SPANS = 200_000  # of all the traces in one answer
NAMES = 1_000  # services, or operations of one, in a list
_PAGE = 500
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
        """Every fact of these traces, a list per trace in the order asked; unknown ones are left out."""
        found: dict[str, list[Stored]] = {trace: [] for trace in trace_ids[:MOST_TRACES]}
        if not found:
            return []
        any_of = Or(tuple(FieldIs("trace_id", trace) for trace in found))
        taken = 0
        for stored in self._store.facts_of(self._query(any_of, Window())):
            if stored.fact.ref is not None and stored.fact.ref.trace_id in found:
                found[stored.fact.ref.trace_id].append(stored)
                taken += 1
            if taken >= MOST_SPANS:
                break
        return [facts for facts in found.values() if facts]

    def calls(self, window: Window) -> list[Calls]:
        """Which service called or fed which, among the newest ``_COUNTED`` spans of a window."""
        spans = {
            (one.fact.ref.trace_id, one.fact.ref.span_id): one.fact
            for one in self._newest(SPANS, window, _COUNTED)
            if isinstance(one.fact, Span) and not one.receipt.variant
        }
        counts: dict[tuple[str, str], list[int]] = {}
        for span in spans.values():
            sources = {(span.ref.trace_id, span.parent)} if span.parent else set()
            sources |= {(link.ref.trace_id, link.ref.span_id) for link in span.links}
            for service in {spans[source].service for source in sources if source in spans} - {span.service}:
                tally = counts.setdefault((service, span.service), [0, 0])
                tally[0] += 1
                tally[1] += span.status == "error"
        return [
            Calls(parent=parent, child=child, count=count, errors=errors)
            for (parent, child), (count, errors) in sorted(counts.items())
        ]

    def _newest(self, where: Node, window: Window, most: int) -> Iterator[Stored]:
        cursor, looked_at = None, 0
        while looked_at < most:
            page = self._store.search(self._query(where, window), limit=_PAGE, cursor=cursor)
            yield from page.facts
            looked_at += len(page.facts)
            cursor = page.next
            if cursor is None:
                return

    def _query(self, where: Node, window: Window) -> Query:
        return Query(where=where, window=window, workspace=self._workspace)
