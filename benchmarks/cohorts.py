"""Cohort questions to an index of very many entities, and what keeping summaries costs.

``python -m benchmarks.cohorts`` prints both. Entities go through six steps; one in 300,000
stops after each but the last, as rare as what people look for.
"""

from __future__ import annotations

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from benchmarks.questions import batches
from timeline.cohorts.summarise import Summariser
from timeline.inbox.inbox import Inbox
from timeline.store.port import CohortQuery, StepSeen, Store, Summary
from timeline.store.tantivy import TantivyStore

STEPS = ("BetPlaced", "BetReserved", "BetAccepted", "OddsFrozen", "BetSettled", "BetPaid")
ROUNDS = 30
SECOND = 10**9
START = 1_790_000_000 * SECOND


def _summaries(entities: int) -> Iterator[list[Summary]]:
    random_ = random.Random(1)
    batch: list[Summary] = []
    for number in range(entities):
        reached = number % (len(STEPS) - 1) + 1 if number % 300_000 < 10 else len(STEPS)
        at = START + random_.randrange(86_400) * SECOND
        steps = tuple(
            StepSeen(name=name, first=at + n * SECOND, last=at + n * SECOND, count=1)
            for n, name in enumerate(STEPS[:reached])
        )
        batch.append(
            Summary(
                entity=f"bet:{number:08d}",
                steps=steps,
                current=steps[-1].name,
                quiet_since=steps[-1].last,
                first=at,
                last=steps[-1].last,
                services=("bets", "wallet"),
                environments=("production",),
                facts=reached,
                read=at,
            )
        )
        if len(batch) == 5_000:
            yield batch
            batch = []
    yield batch


def _times(question: Callable[[], object]) -> str:
    times = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        question()
        times.append((time.perf_counter() - began) * 1000)
    return f"{statistics.median(times):.1f} / {sorted(times)[int(ROUNDS * 0.95)]:.1f}"


def ask(entities: int) -> dict[str, Any]:
    """Figures of an embedded index of ``entities`` summaries."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        store = TantivyStore(Path(folder) / "index", writable=True)
        store.prepare()
        figures = asked(store, entities)
        size = store.size()["bytes"]
        store.close()
    return figures | {"bytes_per_entity": round(size / entities)}


def asked(store: Store, entities: int) -> dict[str, Any]:
    """Fill a store with so many summaries and ask it: p50 / p95 in ms by question."""
    began = time.process_time()
    for batch in _summaries(entities):
        store.put_summaries(batch)
    put = time.process_time() - began
    store.put_summaries(batch, visible=True)
    now = START + 2 * 86_400 * SECOND

    def stuck(**fields: Any) -> Callable[[], object]:
        query = CohortQuery(type="bet", as_of=now, **fields)
        return lambda: store.cohort(query)

    return {
        "entities": entities,
        "put_us_per_entity": round(put / entities * 1e6, 1),
        "reached_placed_missing_settled_ms": _times(
            stuck(reached=("BetPlaced",), missing=("BetSettled",), quiet_for=3600 * SECOND)
        ),
        "reached_accepted_missing_paid_ms": _times(stuck(reached=("BetAccepted",), missing=("BetPaid",))),
        "everybody_quiet_for_a_day_ms": _times(stuck(reached=("BetPaid",), quiet_for=86_400 * SECOND)),
        "everybody_ms": _times(stuck()),
        "page_of_1000_ms": _times(stuck(limit=1_000)),
    }


def keep(spans: int) -> dict[str, Any]:
    """What writing facts costs, and what their summaries cost then, in processor time per span."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        store, inbox = (
            TantivyStore(Path(folder) / "index", writable=True),
            Inbox(Path(folder) / "inbox.sqlite3"),
        )
        store.prepare()
        began = time.process_time()
        for batch in batches(spans, START):
            store.write(batch)
        written = time.process_time() - began
        began = time.process_time()
        for batch in batches(spans, START):
            inbox.touch((s.receipt.workspace, str(entity)) for s in batch for entity in s.fact.entities)
        decoded = time.process_time()
        noted = decoded - began
        put = Summariser(inbox, store).run()
        summarised = time.process_time() - decoded
        store.close()
    return {
        "spans": spans,
        "entities": put,
        "decode_and_write_us_per_span": round(written / spans * 1e6, 1),
        "decode_and_note_us_per_span": round(noted / spans * 1e6, 1),
        "summarise_us_per_span": round(summarised / spans * 1e6, 1),
        "summarise_us_per_entity": round(summarised / max(put, 1) * 1e6, 1),
    }


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--entities", type=int, default=1_000_000)
    parser.add_argument("--spans", type=int, default=100_000)
    options = parser.parse_args()
    for figures in (keep(options.spans), ask(options.entities)):
        for name, value in figures.items():
            print(f"  {name:<36} {value}", flush=True)


if __name__ == "__main__":
    main()
