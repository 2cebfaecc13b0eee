"""A search: evidence first, then the store, then the verdict."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from contextvars import copy_context

import msgspec

from timeline.answers import Chip, Pick, Reading, SearchAnswer, Suggestion
from timeline.errors import BadQuery
from timeline.reading.coverage import CoverageReader
from timeline.redaction.asking import NOTHING, Asking
from timeline.search.form import chips, picks
from timeline.search.grammar import Parsed, parse
from timeline.search.identify import identify
from timeline.search.query import FACETS, All, And, FieldIs, Node, Or, Query, Window
from timeline.store.port import Bucket, Facet, Order, Overview, Store

BARS = 120  # at most, on the histogram
FEW = 10  # values of a facet that is not looked into
MORE = 500  # of one that is
LEFT_OUT = "Leave out"
INSTEAD = 5  # rows that are shown where nothing matched
_beside = ThreadPoolExecutor(8, thread_name_prefix="facets")
COUNTED = 10_000  # matches that a list alone counts; beyond that it says "at least"
_STEPS = tuple(
    unit * factor
    for unit, factors in (
        (10**6, (1, 2, 5, 10, 20, 50, 100, 200, 500)),
        (10**9, (1, 2, 5, 10, 15, 30)),
        (60 * 10**9, (1, 2, 5, 10, 15, 30)),
        (3600 * 10**9, (1, 2, 3, 6, 12)),
        (86400 * 10**9, (1, 2, 7, 30, 90, 365)),
    )
    for factor in factors
)


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What a search asks; ``text`` is a query or anything pasted."""

    text: str = ""
    window: Window = Window()
    order: Order = "newest"
    cursor: str | None = None
    limit: int = 50
    workspace: str = "main"
    environment: str = ""  # only facts of this one; empty for all
    more: str = ""  # a facet of which more values are wanted
    drawn: bool = True  # with facets, histogram, readings and the whole count: more than a list needs


class Understood(msgspec.Struct, frozen=True, kw_only=True):
    """What the text was taken for."""

    text: str
    node: Node
    parsed: Parsed | None = None
    label: str = ""
    readings: tuple[tuple[str, str, Node], ...] = ()  # label, query text, node


def understand(text: str, rules: Mapping[str, str], asking: Asking = NOTHING) -> Understood:
    """What a text asks: as a query, as something pasted, or as both; raises ``BadQuery``.

    Every reading is asked; the label names the most specific one. What runs over several
    lines is never read as a query. What a rule of ``asking`` hashed is asked for too.
    """
    found = _understood(text, rules)
    if not asking:
        return found
    nodes = [asking.too(found.node)]
    hashed = asking.text(text)
    if hashed != text:
        with suppress(BadQuery):
            nodes.append(_understood(hashed, rules).node)
    return msgspec.structs.replace(found, node=nodes[0] if len(nodes) == 1 else Or(tuple(nodes)))


def _understood(text: str, rules: Mapping[str, str]) -> Understood:
    pasted = identify(text, rules=rules) if text else []
    parsed: Parsed | None = None
    if "\n" not in text.strip() or not pasted:
        try:
            parsed = parse(text, rules=rules)
        except BadQuery:
            if not pasted:
                raise
    own = parsed.readings() if parsed else []
    named: list[tuple[str, str, Node]] = []
    for reading in (*own, *pasted):
        if reading.node not in [node for _, _, node in named]:
            named.append((reading.label, reading.text, reading.node))
    nodes = [reading.node for reading in pasted]
    if parsed:
        nodes.append(parsed.to_node())
    return Understood(
        text=text,
        node=nodes[0] if len(nodes) == 1 else Or(tuple(nodes)),
        parsed=parsed,
        label=pasted[0].label if pasted else "",
        readings=tuple(named),
    )


def scoped(node: Node, environment: str) -> Node:
    """The question within one environment, or in all where none is named."""
    return And((node, FieldIs("environment", environment))) if environment else node


class Searches:
    """Answers searches over one store."""

    def __init__(
        self,
        store: Store,
        coverage: CoverageReader,
        rules: Callable[[str], Mapping[str, str]],
        asking: Callable[[str], Asking],
    ) -> None:
        self._store = store
        self._coverage = coverage
        self._rules = rules
        self._asking = asking

    def search(self, ask: Ask) -> SearchAnswer:
        """The verdict and what it rests on, a page of rows, facets and histogram.

        Raises ``BadQuery`` with its column, or ``Unavailable``; a read that came back in
        part is an answer that says so.
        """
        began = time.monotonic_ns()
        rules, asking = self._rules(ask.workspace), self._asking(ask.workspace)
        understood = understand(ask.text, rules, asking)
        where = scoped(understood.node, ask.environment)
        query = Query(where=where, window=ask.window, workspace=ask.workspace)
        drawn = ask.drawn and ask.cursor is None
        picked = picks(understood.parsed) if understood.parsed and not understood.label else ()
        counted = self._facets(query, ask, picked) if drawn else None  # beside all that follows
        gathered = self._coverage.gather(
            ask.window, ask.workspace, asking.hidden(understood.node, ask.text, ask.window, rules)
        )
        found, window = self._overview(ask, query), ask.window
        if not _any(found):
            window, found = self._received_in(ask, query, found)
        asked = msgspec.structs.replace(query, window=window)
        total, partial = found.count, found.partial
        verdict = self._coverage.judge(gathered, total, first=found.first, last=found.last, partial=partial)
        if counted and window != ask.window:
            counted = self._facets(asked, ask, picked)
        # facets and bars are exact or an error, and what can be said of the rest is no error
        drawn = drawn and not partial
        bars, interval = self._histogram(query, found) if drawn else ((), 0)
        tried = self._suggestions(understood, ask) if not _any(found) else []
        nearest = min(tried, key=_distance, default=None) if ask.drawn else None
        return SearchAnswer(
            text=ask.text,
            window=window,
            order=ask.order,
            verdict=verdict,
            coverage=gathered.coverage,
            total=total,
            facts=found.page.facts,
            rows=found.page.rows,
            next=found.page.next,
            chips=_chips(understood),
            picks=picked,
            readings=self._readings(understood, ask) if ask.drawn else (),
            understood=understood.label,
            facets=counted.result() if counted and drawn else (),
            histogram=bars,
            interval=interval,
            suggestions=tuple(suggestion for suggestion, _ in tried),
            instead=self._store.search(nearest[1], limit=INSTEAD).rows if nearest else (),
            instead_of=nearest[0] if nearest else None,
            partial=partial,
            took=time.monotonic_ns() - began,
        )

    def _overview(self, ask: Ask, query: Query) -> Overview:
        return self._store.overview(
            query,
            limit=ask.limit,
            order=ask.order,
            cursor=ask.cursor,
            count_to=None if ask.drawn else COUNTED,
        )

    def _received_in(self, ask: Ask, query: Query, nothing: Overview) -> tuple[Window, Overview]:
        """Nothing by event time: a fact received in the range may carry another time."""
        if ask.window.on != "event" or (ask.window.start is None and ask.window.end is None):
            return ask.window, nothing
        window = msgspec.structs.replace(ask.window, on="either")
        return window, self._overview(ask, msgspec.structs.replace(query, window=window))

    def _facets(self, query: Query, ask: Ask, picked: Sequence[Pick]) -> Future[tuple[Facet, ...]]:
        """Every built-in facet; of one, or of another key, with more values.

        One of which values are picked is counted as if none were: the others can be picked too. A store
        counts without Python's lock, or elsewhere, so this goes on while other questions are asked.
        """
        wider = {pick.field: pick.rest for pick in picked if pick.field in FACETS or pick.field == ask.more}
        again: dict[str, Query] = {}
        for field in (*wider, *([ask.more] if ask.more else [])):
            again[field] = query
            if field in wider:
                node = understand(wider[field], self._rules(ask.workspace), self._asking(ask.workspace)).node
                again[field] = msgspec.structs.replace(query, where=scoped(node, ask.environment))

        def count() -> tuple[Facet, ...]:
            others = [field for field in FACETS if field not in again]
            found = {facet.field: facet for facet in self._store.facets(query, others)}
            for field, of in again.items():
                found[field] = self._store.facets(of, (field,), limit=MORE if field == ask.more else FEW)[0]
            return tuple(found[field] for field in (*(again.keys() - set(FACETS)), *FACETS))

        return _beside.submit(copy_context().run, count)

    def _histogram(self, query: Query, seen: Overview) -> tuple[tuple[Bucket, ...], int]:
        window = query.window
        if window.start is None or window.end is None:
            if seen.first is None or seen.last is None:
                return (), 0
            start = seen.first if window.start is None else window.start
            end = seen.last + 1 if window.end is None else window.end
            window = Window(start=start, end=max(end, start + 1))
        interval = interval_of(window)
        aligned = Window(start=(window.start or 0) // interval * interval, end=window.end)
        bars = self._store.histogram(msgspec.structs.replace(query, window=aligned), interval=interval)
        return tuple(bars), interval

    def _readings(self, understood: Understood, ask: Ask) -> tuple[Reading, ...]:
        if len(understood.readings) < 2:
            return ()
        queries = [
            Query(where=scoped(node, ask.environment), window=ask.window, workspace=ask.workspace)
            for _, _, node in understood.readings[:12]
        ]
        sightings = self._store.sightings(queries)
        found = tuple(
            Reading(label=label, text=text, count=sighting.count)
            for (label, text, _), sighting in zip(understood.readings, sightings, strict=False)
            if sighting.count
        )
        return found if len(found) > 1 else ()

    def _suggestions(self, understood: Understood, ask: Ask) -> list[tuple[Suggestion, Query]]:
        """What finds something where nothing was found: a wider range, or one condition less."""
        tries: list[tuple[str, str, Window]] = []
        if ask.window.start is not None or ask.window.end is not None:
            tries.append(("Ask the whole retention", ask.text, Window()))
        conditions = _chips(understood)
        if len(conditions) > 1:
            tries.extend(
                (f"{LEFT_OUT} {chip.label} {chip.value}".strip(), chip.without, ask.window)
                for chip in conditions[:6]
            )
        if not tries:
            return []
        rules, asking = self._rules(ask.workspace), self._asking(ask.workspace)
        queries = [
            Query(
                where=scoped(understand(text, rules, asking).node if text else All(), ask.environment),
                window=window,
                workspace=ask.workspace,
            )
            for _, text, window in tries
        ]
        found = self._store.sightings(queries)
        return [
            (
                Suggestion(label=label, text=text, start=window.start, end=window.end, count=sighting.count),
                query,
            )
            for (label, text, window), query, sighting in zip(tries, queries, found, strict=True)
            if sighting.count
        ]


def _distance(tried: tuple[Suggestion, Query]) -> tuple[bool, int]:
    """What is about the same entity is nearer than what is not, then what finds less."""
    return tried[0].label.startswith(f"{LEFT_OUT} entity "), tried[0].count or 0


def _any(found: Overview) -> bool:
    return bool(found.count.value or found.count.variants)


def interval_of(window: Window) -> int:
    """The bar width (ns) that gives at most ``BARS`` bars over a closed window."""
    length = (window.end or 0) - (window.start or 0)
    return next((step for step in _STEPS if length / step <= BARS), _STEPS[-1])


def _chips(understood: Understood) -> tuple[Chip, ...]:
    if understood.parsed is None:
        return (Chip(label=understood.label, value=understood.text[:80]),)
    return chips(understood.parsed)
