"""Which days have an index, and which a question needs.

A day is a function of the fact alone, so anyone could make the cluster keep an index for each
of 36,524 days: outside the retention only so many are made.
"""

from __future__ import annotations

import threading
import time
from typing import Final

from timeline.ingest.identity import FIRST_NS, LAST_NS, moment
from timeline.search.query import Window
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.admin import ensure
from timeline.store.elasticsearch.client import Cluster
from timeline.store.elasticsearch.names import DAY_MS, ODD, day_of
from timeline.store.integers import MS

OUTSIDE: Final = 64  # day indices outside the retention
NAMED: Final = 40  # days that a question names one by one; beyond that it asks all
_SLACK: Final = 1  # day on either side


class Days:
    """The days of one prefix; safe for use by several threads."""

    def __init__(self, cluster: Cluster, retention_days: int) -> None:
        self._cluster, self._retention = cluster, retention_days
        self._lock = threading.Lock()
        self._taken: set[str] = {ODD}  # days that facts may go to
        self._opened: set[str] = set()  # days with an index of ours

    @staticmethod
    def of(fact_id: str) -> str:
        """The day of a fact by its id."""
        return day_of(moment(fact_id))

    def existing(self) -> list[str]:
        """The days that have an index now, ``odd`` included, oldest first."""
        pattern = mapping.facts_pattern(self._cluster.prefix)
        answer = self._cluster.ask(
            "GET",
            f"/_cat/indices/{pattern}",
            params={"h": "index", "format": "json", "expand_wildcards": "open"},
            doing="listing days",
        )
        return sorted(entry["index"].removeprefix(pattern[:-1]) for entry in answer)

    def _inside(self) -> set[str]:
        today = time.time_ns() // MS // DAY_MS
        return {day_of(day * DAY_MS) for day in range(today - self._retention - _SLACK, today + _SLACK + 1)}

    def refusal(self, day: str) -> str:
        """Why no fact of this day can be taken, or nothing."""
        if day in self._taken:
            return ""
        with self._lock:
            inside = self._inside()
            if day not in inside:
                there = set(self.existing()) | self._taken
                if day not in there and len(there - inside - {ODD}) >= OUTSIDE:
                    return (
                        f"its day {day} lies outside the retention of {self._retention} days, "
                        f"and {OUTSIDE} such days are kept already"
                    )
            self._taken.add(day)
        return ""

    def open(self, day: str) -> None:
        """Make the index of a day where it is missing; facts only ever go to one that is ours."""
        if day not in self._opened:
            index = mapping.facts_index(self._cluster.prefix, day)
            ensure(self._cluster, index, mapping.facts_body())
            self._opened.add(day)

    def gone(self, day: str) -> None:
        """A day whose index turned out to be missing: it is made again when it is next opened."""
        self._opened.discard(day)

    def forget(self, day: str) -> None:
        """A day whose index was dropped."""
        with self._lock:
            self._taken.discard(day)
        self.gone(day)

    def path(self, window: Window) -> str:
        """The indices that can hold facts of a window, as a path of the cluster."""
        prefix = self._cluster.prefix
        everything = mapping.facts_pattern(prefix)
        if window.on != "event" or window.start is None or window.end is None:
            return everything
        first = max(window.start, FIRST_NS) // MS // DAY_MS
        last = (min(window.end, LAST_NS) - 1) // MS // DAY_MS
        if last - first >= NAMED:
            return everything
        days = [ODD, *(day_of(day * DAY_MS) for day in range(first, last + 1))]
        return ",".join(mapping.facts_index(prefix, day) for day in days)

    def path_of(self, ids: list[str]) -> str:
        """The indices that hold these facts."""
        days = {self.of(fact_id) for fact_id in ids}
        if len(days) > NAMED:
            return mapping.facts_pattern(self._cluster.prefix)
        return ",".join(sorted(mapping.facts_index(self._cluster.prefix, day) for day in days))
