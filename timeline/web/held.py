"""Traces that were just rebuilt, for what their page asks next: more rows, a match, the panel.

A page shows one picture. Its requests name that picture by its mark, and are answered from it alone: so
what is held is never stale, and a trace that has grown since is told apart. Opening a page always asks
the store anew. Bounded by facts held and by age; a process that holds nothing rebuilds.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from hashlib import blake2b

from timeline.answers import TraceAnswer
from timeline.rebuild.waterfall import Waterfall, waterfall
from timeline.web.contexts.story import opened

MOST_FACTS = 120_000  # held in all; the newest trace is held at any size
KEPT_FOR = 600.0  # seconds after the last question


class Held:
    """One rebuilt trace and the drawings made of it."""

    def __init__(self, answer: TraceAnswer) -> None:
        self.answer = answer
        self.mark = mark_of(answer)
        self.used = time.monotonic()
        self._drawn: dict[tuple[object, ...], Waterfall] = {}

    def drawn(self, params: Mapping[str, str]) -> Waterfall:
        """The waterfall as the URL folds it, made once."""
        asked = (params.get("fold") != "0", params.get("waits") == "1", opened(params))
        if asked not in self._drawn:
            fold, fold_waits, keep = asked
            if len(self._drawn) >= 3:
                self._drawn.clear()
            self._drawn[asked] = waterfall(
                self.answer.timeline, self.answer.facts, fold=fold, fold_waits=fold_waits, keep=keep
            )
        return self._drawn[asked]


def mark_of(answer: TraceAnswer) -> str:
    """What names the rows of a trace: equal only where every row is."""
    digest = blake2b(digest_size=6)
    digest.update("".join(entry.fact for entry in answer.timeline.entries).encode())
    digest.update(str(len(answer.timeline.hops)).encode())
    return digest.hexdigest()


class Shelf:
    """The traces a process holds; safe for several threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._building = threading.Lock()
        self._held: OrderedDict[str, Held] = OrderedDict()

    def put(self, answer: TraceAnswer) -> Held:
        """Hold a trace in place of what was held of it before."""
        held = Held(answer)
        with self._lock:
            self._held.pop(answer.trace_id, None)
            self._held[answer.trace_id] = held
            self._trim()
        return held

    def get(self, trace_id: str, mark: str, ask: Callable[[str], TraceAnswer | None]) -> Held | None:
        """The picture of that mark; where it is held no more, what ``ask`` finds now.

        ``None`` where nothing is found. The caller compares marks.
        """
        found = self._find(trace_id, mark)
        if found is None:
            with self._building:  # of several requests one rebuilds
                found = self._find(trace_id, mark)
                if found is None:
                    answer = ask(trace_id)
                    found = None if answer is None else self.put(answer)
        return found

    def _find(self, trace_id: str, mark: str) -> Held | None:
        with self._lock:
            found = self._held.get(trace_id.lower())
            if found is None or found.mark != mark:
                return None
            found.used = time.monotonic()
            self._held.move_to_end(found.answer.trace_id)
            return found

    def _trim(self) -> None:
        now = time.monotonic()
        for name in [name for name, held in self._held.items() if now - held.used > KEPT_FOR]:
            del self._held[name]
        total = sum(len(held.answer.facts) for held in self._held.values())
        while total > MOST_FACTS and len(self._held) > 1:
            _, gone = self._held.popitem(last=False)
            total -= len(gone.answer.facts)


shelf = Shelf()
