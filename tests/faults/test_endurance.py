"""Long loads: ten minutes at more than it stores, a million behind, an hour with nothing to write to.

What is asserted is that everything is accounted for and memory stays bounded; the speeds are printed.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import Any

import psutil
import pytest

from benchmarks.corpus import PER_REQUEST, number_of
from tests.faults.cluster import Mortal
from tests.faults.ledger import unaccounted
from tests.faults.watching import BOOKS, ask
from tests.node.harness import ROOT, RunningNode, until
from tests.node.otlp import PROTOBUF, request, span
from tests.servers.rabbitmq import RabbitMQ
from timeline.reindexing import facts_of, slices
from timeline.wiring import open_store

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.soak]
ROLES = ("receiver", "worker", "web", "beat")
MIB = 1 << 20
LIVE = "live"


class Flood:
    """So many requests of the corpus from ``processes`` of their own, ``rate`` a second together."""

    def __init__(self, node: RunningNode, requests: int, *, rate: int = 0, processes: int = 2) -> None:
        self.spans = requests * PER_REQUEST
        # files: it is more than a pipe holds
        self._said = [tempfile.TemporaryFile() for _ in range(processes)]  # noqa: SIM115
        part = requests // processes
        self._loads = [
            subprocess.Popen(
                [sys.executable, "-m", "benchmarks.load"]
                + [str(word) for word in (node.receiver_port, part, 4, rate // processes, part * number)],
                cwd=ROOT,
                stdout=file,
            )
            for number, file in enumerate(self._said)
        ]

    def running(self) -> bool:
        """Whether one of them still sends, or still makes what it will send."""
        return any(load.poll() is None for load in self._loads)

    def sent(self) -> dict[str, Any]:
        """Once all is sent: when that began, how fast, how many refusals, and how long an answer took."""
        assert [0] * len(self._loads) == [load.wait() for load in self._loads]
        for file in self._said:
            file.seek(0)
        said = [json.load(file) for file in self._said]
        times = sorted(ms for one in said for ms in one["ms"])
        began = min(one["began"] for one in said)
        ended = max(one["began"] + one["seconds"] for one in said)
        assert self.spans == sum(one["spans"] for one in said)
        return {
            "began": began,
            "per_second": round(self.spans / (ended - began)),
            "refused": sum(one["refused"] for one in said),
            "p50_ms": round(times[len(times) // 2], 1),
            "p99_ms": round(times[len(times) * 99 // 100], 1),
        }


@dataclass
class Watched:
    """Looks at a node every two seconds."""

    node: RunningNode
    memory: list[dict[str, int]] = field(default_factory=list)  # own bytes by role
    waiting: list[int] = field(default_factory=list)  # items in the inbox
    uneven: list[dict[str, int]] = field(default_factory=list)

    def look(self) -> None:
        """Once."""
        self.memory.append({role: sum(map(_own, self.node.processes(role))) for role in ROLES})
        said = ask(self.node, BOOKS)
        if said.status == 200:
            tally = said.body["tally"]
            self.waiting.append(tally["inbox"])
            if unaccounted(tally):
                self.uneven.append(tally)

    def grown(self) -> dict[str, float]:
        """The most of the last third beside the most of the third before, by role: 1.0 is flat."""
        third = len(self.memory) // 3
        middle, end = self.memory[third : 2 * third], self.memory[2 * third :]
        return {
            role: round(max(at[role] for at in end) / max(at[role] for at in middle), 3) for role in ROLES
        }

    def peak(self) -> dict[str, int]:
        """The most of each role, in MiB."""
        return {role: max(at[role] for at in self.memory) // MIB for role in ROLES}


def _own(process: psutil.Process) -> int:
    """Bytes that are its alone: pages of the index that it has mapped are the system's to take back."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text()
    except OSError:
        return 0  # it has ended
    return next((int(line.split()[1]) << 10 for line in status.splitlines() if line[:7] == "RssAnon"), 0)


@contextmanager
def _watched(node: RunningNode) -> Iterator[Watched]:
    watch, stop = Watched(node), threading.Event()

    def run() -> None:
        while not stop.wait(2):
            watch.look()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield watch
    finally:
        stop.set()
        thread.join(90)


def _drained(node: RunningNode, *, seconds: float, down_to: int = 0) -> float:
    """The moment at which no more than ``down_to`` items waited."""

    def empty() -> bool:
        time.sleep(1)  # each look takes CPU from what is measured
        said = ask(node, BOOKS)
        return said.status == 200 and said.body["tally"]["inbox"] <= down_to

    until(empty, seconds=seconds, what="an empty inbox")
    return time.time()


def _each_once(address: str, spans: int) -> None:
    """The store holds every span of the corpus up to this number, once; of others only live ones."""
    found = bytearray(spans)
    store = open_store(address, writable=False)
    try:
        for part in slices(store, "main", 0, time.time_ns()):
            for stored in chain.from_iterable(facts_of(store, "main", part)):
                if stored.fact.service == LIVE:
                    continue
                assert stored.fact.ref is not None
                number = number_of(stored.fact.ref.span_id)
                assert 0 <= number < spans, f"{stored.fact.ref.span_id} was never sent"
                found[number] += 1
    finally:
        store.close()
    assert (0, 0) == (found.count(0), spans - found.count(0) - found.count(1)), "lost, doubled"


@contextmanager
def _live(node: RunningNode) -> Iterator[list[float]]:
    """500 new spans a second beside the block; for one after the other, seconds until a search found it."""
    late: list[float] = []
    stop, numbers = threading.Event(), count(1, 500)

    def send() -> int:
        first = next(numbers)
        body = request(LIVE, [span(1, first + n) for n in range(500)])
        assert 200 == node.send("/v1/traces", body, PROTOBUF)
        return first

    def load() -> None:
        while not stop.wait(1):
            send()

    def look() -> None:
        while not stop.is_set():
            began, path = time.monotonic(), f"/api/v1/search?q=span_id:{send():016x}&range=1h"
            while not node.get(path)["total"]["value"]:
                time.sleep(0.3)  # as above
            late.append(round(time.monotonic() - began, 1))

    threads = [threading.Thread(target=run, daemon=True) for run in (load, look)]
    for thread in threads:
        thread.start()
    try:
        yield late
    finally:
        stop.set()
        for thread in threads:
            thread.join(900)


def _said(**figures: object) -> None:
    print(json.dumps(figures), flush=True)


def test_ten_minutes_of_more_than_it_stores_are_accounted_for_in_flat_memory(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "node", THROUGHLINE_LOG_LEVEL="WARNING").start()
    try:
        flood = Flood(node, 20 * 600, rate=20)  # 10,000 spans a second
        until(lambda: ask(node, BOOKS).body["tally"]["received"], seconds=1800, what="the first request")
        with _watched(node) as watch:
            until(lambda: not flood.running(), seconds=1800, what="the end of sending")
        sent, ended = flood.sent(), time.time()
        drained = _drained(node, seconds=1800)
        _said(
            offered=sent,
            most_waited=max(watch.waiting),
            drained_after_s=round(drained - ended),
            own_mib=watch.peak(),
            own_growth=watch.grown(),
        )
    finally:
        node.stop()
    assert [] == watch.uneven
    assert sent["refused"] == 0
    assert all(grown < 1.2 for grown in watch.grown().values())
    _each_once(f"tantivy://{node.data / 'index'}", flood.spans)


def test_a_backlog_of_a_million_drains_beside_live_facts(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "node", THROUGHLINE_LOG_LEVEL="WARNING").start()
    try:
        workers = node.processes("worker")
        for worker in workers:
            worker.suspend()
        flood = Flood(node, 2_000)
        sent = flood.sent()
        for worker in workers:
            worker.resume()
        began = time.time()
        with _watched(node) as watch, _live(node) as late:
            seconds = _drained(node, down_to=2_000, seconds=1800) - began
        _drained(node, seconds=600)
        _said(
            offered=sent,
            drained_in_s=round(seconds),
            live_s_p50=sorted(late)[len(late) // 2],
            live_s_most=max(late),
            own_mib=watch.peak(),
        )
    finally:
        node.stop()
    assert [] == watch.uneven
    assert max(late) < seconds / 2, "live facts waited for the backlog"
    _each_once(f"tantivy://{node.data / 'index'}", flood.spans)


def test_an_hour_without_store_and_broker_refuses_and_loses_nothing(tmp_path: Path) -> None:
    """An hour at 1,000 spans a second, sent as fast as it is taken."""
    search, broker = Mortal(), RabbitMQ()
    try:
        search.start()
        broker.start()
        address = f"elasticsearch://127.0.0.1:{search.port}/hour"
        node = RunningNode(
            tmp_path / "node",
            THROUGHLINE_LOG_LEVEL="WARNING",
            THROUGHLINE_STORE_URL=address,
            THROUGHLINE_BROKER_URL=broker.url,
        ).start()
        try:
            search.kill()
            broker.halt()
            flood = Flood(node, 7_200)  # 3,600,000 spans
            with _watched(node) as watch:
                sent = flood.sent()
                broker.start()
                search.start()
                began = time.time()
                seconds = _drained(node, seconds=3600) - began
            _said(offered=sent, drained_in_s=round(seconds), own_mib=watch.peak())
            assert sent["refused"] == 0
            assert [] == watch.uneven
        finally:
            node.stop()
        _each_once(address, flood.spans)
    finally:
        broker.stop()
        search.stop()
