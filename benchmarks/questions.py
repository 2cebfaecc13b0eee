"""Questions to an index of millions of facts."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.corpus import PER_REQUEST, accepted, order_of, requests
from timeline.domain import Entity, Stored
from timeline.ingest.decode import decode
from timeline.ingest.entities import Rules
from timeline.search.query import FACETS, All, And, EntityIs, FieldIs, Query, Window
from timeline.store.tantivy import TantivyStore

ROUNDS = 50
_BATCH = 8  # requests a write
_MINUTE = 60 * 10**9  # ns


def measure(facts: int) -> dict[str, Any]:
    """Build an index of ``facts`` and ask it; medians in ms by question."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        store = TantivyStore(Path(folder) / "index", writable=True)
        store.prepare()
        now = time.time_ns()
        start = now - facts * 2_000_000 - 60 * 10**9
        began = time.perf_counter()
        trace = ""
        for batch in batches(facts, start):
            store.write(batch)
            trace = batch[len(batch) // 2].fact.ref.trace_id if batch[0].fact.ref else trace
        seconds = time.perf_counter() - began
        store.close()
        reading = TantivyStore(Path(folder) / "index", writable=False)
        reading.prepare()
        answers = {
            name: median(question) for name, question in _questions(reading, trace, start, now).items()
        }
        held = reading.size()
        reading.close()
    return {
        "facts": held["facts"],
        "written_per_second": round(facts / seconds),
        "bytes_per_fact": round(held["bytes"] / held["facts"]),
        **answers,
    }


def batches(facts: int, start: int) -> Iterator[list[Stored]]:
    """The corpus as facts, in batches of a few thousand."""
    batch: list[Stored] = []
    for number, body in enumerate(requests(facts // PER_REQUEST, start=start)):
        request = accepted(number, body, received=start + number * PER_REQUEST * 2_000_000)
        batch.extend(decode(request, Rules.default()).facts)
        if len(batch) >= _BATCH * PER_REQUEST:
            yield batch
            batch = []
    if batch:
        yield batch


def _questions(store: TantivyStore, trace: str, start: int, now: int) -> dict[str, Callable[[], object]]:
    two_terms = And((FieldIs("service", "orders"), FieldIs("name", "send payments")))
    whole = Window(start=start - start % _MINUTE, end=now)  # as pages and API ask: on whole steps
    entity = EntityIs(Entity(type="order", id=order_of(7)))
    return {
        "newest_50_of_two_terms_ms": lambda: store.search(Query(where=two_terms, window=whole)),
        "newest_50_of_a_rare_value_ms": lambda: store.search(Query(where=entity, window=whole)),
        "trace_ms": lambda: list(store.facts_of(Query(where=FieldIs("trace_id", trace)))),
        "entity_ms": lambda: list(store.facts_of(Query(where=entity))),
        "count_of_two_terms_ms": lambda: store.count(Query(where=two_terms, window=whole)),
        "facets_ms": lambda: store.facets(Query(where=two_terms, window=whole), FACETS),
        "histogram_of_everything_ms": lambda: store.histogram(
            Query(where=All(), window=whole), interval=_MINUTE
        ),
    }


def median(question: Callable[[], object]) -> float:
    """The median time of asking, in ms."""
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        question()
        times.append((time.perf_counter() - began) * 1000)
    return round(statistics.median(times), 2)
