"""Where the newest facts are, so that a list of them need not look at all.

Sorting by time costs the cluster a look at every match. The newest of very many are found by
asking the last few thousand facts first; how far back those reach follows from how many facts
each day holds and from when to when. That is known to a few seconds, and only ever decides how
soon an answer comes: a page found full among the last facts is the page of all.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress
from typing import Any, Final, NamedTuple

from timeline.errors import StoreUnavailable
from timeline.search.query import Window
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.client import Cluster, lines
from timeline.store.elasticsearch.names import ODD
from timeline.store.patience import left, patience, waiting

FRESH: Final = 10.0  # s
GLANCE: Final = 1.0  # s that an answer waits which does not need the cluster
MANY: Final = 100_000  # facts in a window; fewer are asked all at once
STEPS: Final = (20_000, 400_000)  # facts asked, one after the other


class Held(NamedTuple):
    """What a day holds: so many facts, placed from ``first`` to ``last`` (ns)."""

    facts: int
    first: int
    last: int


class Recent:
    """Remembers what each day holds; safe for use by several threads."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._lock = threading.Lock()
        self._days: dict[str, Held] = {}
        self._closed: tuple[str, ...] = ()
        self._asked = self._failed = -FRESH

    def edges(self, window: Window, before: int | None) -> list[int]:
        """Moments (ns) since which about ``STEPS`` facts were placed, up to the window's end or ``before``.

        None where the window holds few facts.
        """
        start, end = _bounds(window)
        end = end if before is None else min(end, before)
        days = sorted((part for held in self._held() if (part := _within(held, start, end))), key=_last)
        total = sum(held.facts for held in days)
        if total < MANY:
            return []
        return [_since(days, step) for step in STEPS if step * 2 < total]

    def closed(self) -> tuple[str, ...]:
        """Indices that an operator has closed, as far as is known: nobody waits for a silent cluster here."""
        with patience(GLANCE), suppress(StoreUnavailable):
            self._held()
        return self._closed

    def _held(self) -> list[Held]:
        """What each day holds, as far as is known; one asks for all, and where it failed nobody soon again."""
        if self._stale() and self._turn():
            try:
                if self._stale():  # nobody asked while this one waited
                    self._days = self._look(self._days)
                    self._asked = time.monotonic()
            except StoreUnavailable:
                self._failed = time.monotonic()
                raise
            finally:
                self._lock.release()
        return list(self._days.values())

    def _stale(self) -> bool:
        return time.monotonic() - max(self._asked, self._failed) >= FRESH

    def _turn(self) -> bool:
        """Whether it is ours to ask; who knows nothing yet waits for the one who is asking."""
        if self._days:
            return self._lock.acquire(blocking=False)
        limit = left()
        with waiting():
            return self._lock.acquire(timeout=-1 if limit is None else limit)

    def _look(self, known: dict[str, Held]) -> dict[str, Held]:
        pattern = mapping.facts_pattern(self._cluster.prefix)
        answer = self._cluster.ask(
            "GET",
            f"/_cat/indices/{pattern}",
            params={"h": "index,status,docs.count", "format": "json", "expand_wildcards": "open,closed"},
            doing="looking where the newest facts are",
        )
        self._closed = tuple(sorted(one["index"] for one in answer if one["status"] == "close"))
        counts = {one["index"]: int(one["docs.count"] or 0) for one in answer if one["status"] == "open"}
        # facts without a usable time lie anywhere; a few thousand decide nothing
        counts = {name: n for name, n in counts.items() if not name.endswith(ODD)}
        found = {name: known[name] for name, n in counts.items() if name in known and known[name].facts == n}
        return found | self._ends({name: n for name, n in counts.items() if name not in found and n})

    def _ends(self, counts: dict[str, int]) -> dict[str, Held]:
        """First and last of whole indices, which the cluster knows without looking at a fact."""
        if not counts:
            return {}
        ends: dict[str, Any] = {"first": {"min": {"field": "placed"}}, "last": {"max": {"field": "placed"}}}
        body = {"size": 0, "track_total_hits": False, "aggs": ends}
        heads = ({"index": name, "ignore_unavailable": True} for name in counts)
        answer = self._cluster.ask(
            "POST",
            "/_msearch",
            lines(item for head in heads for item in (head, body)),
            lines=True,
            doing="looking where the newest facts are",
        )
        found = {}
        for (name, count), one in zip(counts.items(), answer["responses"], strict=True):
            first, last = (one.get("aggregations", {}).get(end, {}).get("value") for end in ends)
            if first is not None and last is not None:
                found[name] = Held(count, int(first), int(last))
        return found


def _bounds(window: Window) -> tuple[int, int]:
    start = 0 if window.start is None else window.start
    return start, (1 << 63) - 1 if window.end is None else window.end - 1


def _last(held: Held) -> int:
    return -held.last


def _within(held: Held, start: int, end: int) -> Held | None:
    """The part of a day that lies in a range, as if its facts were spread evenly."""
    first, last = max(held.first, start), min(held.last, end)
    if first > last:
        return None
    share = (last - first + 1) / (held.last - held.first + 1)
    return Held(round(held.facts * share), first, last)


def _since(days: list[Held], count: int) -> int:
    """The moment since which about so many facts were placed; the days come newest first."""
    for held in days:
        if held.facts >= count:
            return held.last - (held.last - held.first) * count // held.facts
        count -= held.facts
    return days[-1].first
