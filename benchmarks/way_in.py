"""The way in, end to end: loader, receiver, inbox, worker, index, all on this machine."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

from benchmarks.corpus import PER_REQUEST
from tests.node.harness import ROOT, RunningNode, until

CONNECTIONS = 8


def measure(spans: int) -> dict[str, Any]:
    """Send ``spans`` spans to the embedded index and wait until the last is searchable; figures by name."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        node = RunningNode(Path(folder) / "node", THROUGHLINE_LOG_LEVEL="WARNING").start()
        try:
            figures = pass_through(node, spans)
            return figures | {"bytes_per_span": round(_settled(node) / spans)}
        finally:
            node.stop()


def warm(node: RunningNode, spans: int, first: int) -> None:
    """Send ``spans`` spans that do not count, from the corpus's number ``first`` on."""
    load(node.receiver_port, spans, lambda: spans - _count(node), first=first)


def pass_through(node: RunningNode, spans: int, *, held: int = 0) -> dict[str, Any]:
    """Send ``spans`` spans to a running node that holds ``held`` and wait until the last is searchable."""
    watch = _Watch(node)
    watch.start()
    seconds, sent = load(node.receiver_port, spans, lambda: held + spans - _count(node))
    watch.stop()
    times = sent["ms"]
    return {
        "spans": spans,
        "spans_per_second": round(spans / seconds),
        "acknowledged_per_second": round(sent["spans"] / sent["seconds"]),
        "refused_for_a_moment": sent["refused"],
        "acknowledgement_ms_p50": round(times[len(times) // 2], 1),
        "acknowledgement_ms_p99": round(times[int(len(times) * 0.99)], 1),
        "rss_mib_peak": round(watch.peak / 2**20),
        "cpu_us_per_span": {role: round(used * 1e6 / spans, 1) for role, used in watch.cpu.items()},
    }


def load(
    port: int, spans: int, missing: Callable[[], int], *, first: int = 0
) -> tuple[float, dict[str, Any]]:
    """Send ``spans`` spans to an OTLP receiver, from the corpus's number ``first`` on, and wait until none is
    ``missing`` in searches: the seconds from the first request on, and what the loader says."""
    words = (port, spans // PER_REQUEST, CONNECTIONS, 0, first // PER_REQUEST)
    command = [sys.executable, "-m", "benchmarks.load", *map(str, words)]
    loader = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    searchable(spans, missing)
    ended = time.time()
    sent: dict[str, Any] = json.loads(loader.communicate(timeout=60)[0])
    return ended - sent["began"], sent


def searchable(spans: int, missing: Callable[[], int]) -> None:
    """Wait until none of ``spans`` spans is missing; asked every 2 s, and near the end a few times a second:
    asking costs, too."""

    def all_there() -> bool:
        left = missing()
        if left > 0:
            time.sleep(2 if left > spans // 5 else 0.2)
        return left <= 0

    until(all_there, seconds=1800, what="every span searchable")


def _count(node: RunningNode) -> int:
    """Facts that a search would find, as the store says of itself."""
    ask = urllib.request.Request(f"{node.web}/metrics", headers={"Authorization": f"Bearer {node.token}"})
    with urllib.request.urlopen(ask, timeout=60) as answer:
        lines = answer.read().decode().splitlines()
    return next(int(float(line.split()[1])) for line in lines if line.startswith("throughline_store_facts"))


def _settled(node: RunningNode) -> int:
    """Bytes of the index once merging has come to rest."""
    seen: list[int] = []

    def at_rest() -> int:
        seen.append(sum(file.stat().st_size for file in (node.data / "index").rglob("*") if file.is_file()))
        time.sleep(1)
        return seen[-1] if len(seen) > 5 and len(set(seen[-5:])) == 1 else 0

    return until(at_rest, seconds=120, what="a quiet index")


class _Watch(threading.Thread):
    """Resident memory of all processes together, and CPU time of each role."""

    def __init__(self, node: RunningNode) -> None:
        super().__init__(daemon=True)
        assert node.process is not None
        self._root = psutil.Process(node.process.pid)
        self._node = node
        self._done = threading.Event()
        self.peak = 0
        self.cpu: dict[str, float] = {}

    def run(self) -> None:
        """Look twice a second."""
        before = self._used()
        while not self._done.wait(0.5):
            everyone = [self._root, *self._root.children(recursive=True)]
            self.peak = max(self.peak, sum(process.memory_info().rss for process in everyone))
        after = self._used()
        self.cpu = {role: after[role] - before.get(role, 0.0) for role in after}

    def _used(self) -> dict[str, float]:
        return {
            role: sum(sum(process.cpu_times()[:2]) for process in self._node.processes(role))
            for role in ("receiver", "worker", "web", "beat")
        }

    def stop(self) -> None:
        """End, with the last figures taken."""
        self._done.set()
        self.join()
