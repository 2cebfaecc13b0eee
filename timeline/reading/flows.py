"""What flows between services, told by the newest message facts of a range."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from timeline.answers import Coverage, DestinationAnswer, FlowsAnswer, Lane, Partition, Size
from timeline.domain import Message, Stored
from timeline.reading.coverage import CoverageReader
from timeline.reading.newest import newest
from timeline.rebuild.flows import flows, spread
from timeline.search.query import And, AttributeExists, FieldIs, Node, Query, Window
from timeline.store.port import Store

LOOKED_AT = 5_000  # facts, the newest first
DESTINATIONS = 100
_MESSAGES = AttributeExists("messaging.destination.name")
_TOP = 50
_NOW = 60 * 10**9  # ns: a range that ends within this of now ends now
_SLICES = 24


class Flows:
    """Answers about all flows, and about one destination."""

    def __init__(self, store: Store, coverage: CoverageReader) -> None:
        self._store, self._coverage = store, coverage

    def all(self, window: Window, *, workspace: str = "main") -> FlowsAnswer:
        """Every flow in a range, and how many message facts each destination has in all of it."""
        coverage = self._coverage.read(window, workspace)
        facts = self._newest(_MESSAGES, window, workspace)
        counts = self._store.facets(
            _query(_MESSAGES, window, workspace), ["destination"], limit=DESTINATIONS
        )[0]
        return FlowsAnswer(
            flows=flows(facts, covered=told_to_the_end(coverage), cut=len(facts) == LOOKED_AT),
            destinations=tuple((value.value, value.count) for value in counts.values),
            coverage=coverage,
            looked_at=len(facts),
            since=_first(facts),
        )

    def destination(self, name: str, window: Window, *, workspace: str = "main") -> DestinationAnswer | None:
        """One destination: its flows, partitions, keys, versions and sizes; ``None`` where nothing was seen."""
        coverage = self._coverage.read(window, workspace)
        where = FieldIs("destination", name)
        facts = self._newest(where, window, workspace)
        if not facts:
            return None
        count = self._store.count(_query(where, window, workspace))
        messages = [(stored, stored.fact.message) for stored in facts if stored.fact.message is not None]
        sent = [(stored, message) for stored, message in messages if message.operation in ("send", "create")]
        return DestinationAnswer(
            name=name,
            flows=flows(facts, covered=told_to_the_end(coverage), cut=len(facts) == LOOKED_AT),
            coverage=coverage,
            count=count.value,
            looked_at=len(facts),
            since=_first(facts),
            systems=tuple(sorted({message.system for _, message in messages if message.system})),
            partitions=_partitions([message for _, message in sent or messages]),
            keys=tuple(
                Counter(message.key for _, message in sent or messages if message.key).most_common(_TOP)
            ),
            torn=_torn([message for _, message in sent]),
            lanes=_lanes(messages),
            sizes=_sizes(sent or messages),
        )

    def _newest(self, where: Node, window: Window, workspace: str) -> list[Stored]:
        return list(newest(self._store, _query(where, window, workspace), LOOKED_AT))


def told_to_the_end(coverage: Coverage) -> bool:
    """Whether a message that nobody took in the range was not taken at all: nothing is hidden, and the
    range goes on until now. One that ends before may only cut off the taking."""
    end = coverage.window.end
    return not coverage.causes and (end is None or end >= coverage.now - _NOW)


def _query(where: Node, window: Window, workspace: str) -> Query:
    return Query(where=And((where, FieldIs("fact", "span"))), window=window, workspace=workspace)


def _first(facts: Sequence[Stored]) -> int | None:
    return min((stored.fact.at for stored in facts if stored.fact.at is not None), default=None)


def _partitions(messages: Sequence[Message]) -> tuple[Partition, ...]:
    found: dict[str, list[Message]] = {}
    for message in messages:
        if message.partition is not None:
            found.setdefault(message.partition, []).append(message)
    return tuple(
        Partition(
            name=name,
            messages=len(rows),
            keys=len({message.key for message in rows if message.key}),
            newest=max((message.offset for message in rows if message.offset is not None), default=None),
        )
        for name, rows in sorted(found.items(), key=lambda item: (len(item[0]), item[0]))
    )


def _torn(messages: Sequence[Message]) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Keys that were written to more than one partition: their order is not kept."""
    places: dict[str, set[str]] = {}
    for message in messages:
        if message.key and message.partition is not None:
            places.setdefault(message.key, set()).add(message.partition)
    torn = [(key, tuple(sorted(found))) for key, found in sorted(places.items()) if len(found) > 1]
    return tuple(torn[:_TOP])


def _lanes(messages: Sequence[tuple[Stored, Message]]) -> tuple[Lane, ...]:
    """Who does what with it, in which version and schema, since when and until when."""
    found: dict[tuple[str, str, str, str, str], list[int]] = {}
    for stored, message in messages:
        fact = stored.fact
        key = (message.operation or "", fact.service, fact.version, message.schema or "", message.group or "")
        found.setdefault(key, []).append(fact.at if fact.at is not None else stored.receipt.received)
    return tuple(
        Lane(
            operation=operation,
            service=service,
            version=version,
            schema=schema,
            group=group,
            count=len(times),
            first=min(times),
            last=max(times),
        )
        for (operation, service, version, schema, group), times in sorted(found.items())
    )


def _sizes(messages: Sequence[tuple[Stored, Message]]) -> tuple[Size, ...]:
    """The sizes of bodies over time, in equal slices of the looked-at stretch."""
    sized = [
        (stored.fact.at, message.body_size)
        for stored, message in messages
        if stored.fact.at is not None and message.body_size is not None
    ]
    if not sized:
        return ()
    first = min(at for at, _ in sized)
    step = max((max(at for at, _ in sized) - first) // _SLICES + 1, 1)
    slices: dict[int, list[int]] = {}
    for at, size in sized:
        slices.setdefault((at - first) // step, []).append(size)
    found = []
    for number, sizes in sorted(slices.items()):
        ranked = spread(sizes)
        assert ranked is not None  # noqa: S101 - a slice holds something
        found.append(
            Size(
                start=first + number * step, count=len(sizes), p50=ranked.p50, p95=ranked.p95, most=max(sizes)
            )
        )
    return tuple(found)
