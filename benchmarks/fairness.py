"""Fairness: how soon one sender's facts are searchable, alone, beside a flood, and behind a backlog.

``python -m benchmarks.fairness`` prints medians and p95 of one run, and their ratios: compare those.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.corpus import requests
from tests.node.harness import ROOT, RunningNode, until
from tests.node.otlp import PROTOBUF, request, span
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted

ITEMS = 10  # of a probe
PAUSE = 0.3  # seconds between probes


def measure(probes: int, flood: int, backlog: int) -> dict[str, Any]:
    """Latencies of probes in ms, each phase on one running node."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        node = RunningNode(Path(folder) / "node", THROUGHLINE_LOG_LEVEL="WARNING").start()
        try:
            key = node.manage("token", "create", "--ingest", "--name", "quiet").strip()
            probe = _Probe(node, key)
            alone = probe.times(lambda sent: sent < probes)
            figures: dict[str, Any] = {"alone": _told(alone)}
            figures["beside_100_times_as_much"] = _hundredfold(node, probe, probes)
            figures["beside_a_flood"] = _beside(node, probe, flood)
            figures["behind_a_backlog"] = _behind(node, probe, backlog)
            for name in list(figures)[1:]:
                figures[name]["p95_to_alone"] = round(figures[name]["p95_ms"] / figures["alone"]["p95_ms"], 2)
            return figures
        finally:
            node.stop()


class _Probe:
    """Sends a small request and asks until it is found, again and again."""

    def __init__(self, node: RunningNode, key: str) -> None:
        self._node, self._key, self._trace = node, key, int.from_bytes(os.urandom(8), "big")

    def times(self, more: Callable[[int], bool]) -> list[float]:
        """Milliseconds from sending to finding, of one probe after the other."""
        found: list[float] = []
        while more(len(found)):
            self._trace += 1
            body = request("quiet", [span(self._trace, number + 1) for number in range(ITEMS)])
            began = time.perf_counter()
            assert self._node.send("/v1/traces", body, PROTOBUF, Authorization=f"Bearer {self._key}") == 200
            until(self._visible, what="a probe")
            found.append((time.perf_counter() - began) * 1000)
            time.sleep(PAUSE)
        return found

    def _visible(self) -> bool:
        answer = self._node.get(f"/api/v1/search?q=trace:{self._trace:032x}&range=1h&drawn=false")
        return bool(answer["total"]["value"] == ITEMS)


def _hundredfold(node: RunningNode, probe: _Probe, probes: int) -> dict[str, Any]:
    """While another sender sends a hundred times as many items a second, which the node can take."""
    bodies = requests(1_000_000, start=time.time_ns() - 7200 * 10**9, seed=8)
    over, sent = threading.Event(), 0

    def send() -> None:
        nonlocal sent
        while not over.wait(500 / (100 * ITEMS / PAUSE)):
            headers = {"Content-Encoding": "gzip"}
            sent += 500 * (node.send("/v1/traces", next(bodies), PROTOBUF, **headers) == 200)

    thread, began = threading.Thread(target=send), time.perf_counter()
    thread.start()
    times = probe.times(lambda count: count < probes)
    over.set()
    thread.join()
    return {**_told(times), "flood_per_second": round(sent / (time.perf_counter() - began))}


def _beside(node: RunningNode, probe: _Probe, flood: int) -> dict[str, Any]:
    """While another sender sends ``flood`` requests of 500 as fast as they are taken."""
    command = [sys.executable, "-m", "benchmarks.load", str(node.receiver_port), str(flood), "8"]
    load = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    before = _account(node, "")
    until(lambda: _account(node, "")["received"] > before["received"], what="a flood")
    began = time.perf_counter()
    times = probe.times(lambda _: load.poll() is None or bool(_account(node, "")["requests"]))
    seconds = time.perf_counter() - began
    load.communicate(timeout=60)
    gone = _account(node, "")["new"] - before["new"]
    return {**_told(times), "flood_per_second": round(gone / seconds)}


def _behind(node: RunningNode, probe: _Probe, backlog: int) -> dict[str, Any]:
    """While the worker drains what piled up of the same sender."""
    inbox = Inbox(node.data / "inbox.sqlite3")
    start = time.time_ns() - 3600 * 10**9
    piled = [
        Accepted(
            id=f"{number:016x}", signal="traces", content_encoding="gzip", headers={"content-type": PROTOBUF},
            body=body, received=0, sender="quiet", digest=number.to_bytes(32, "big"), items=500,
        )
        for number, body in enumerate(requests(backlog, start=start, seed=9))
    ]  # fmt: skip
    worker = node.processes("worker")[0]
    worker.suspend()
    for first in range(0, len(piled), 64):
        group = piled[first : first + 64]
        inbox.accept(group, [Entry(sender="quiet", what="received", items=500) for _ in group])
    time.sleep(6)  # old enough to be a backlog
    began = time.perf_counter()
    worker.resume()
    times = probe.times(lambda _: bool(_account(node, "quiet")["requests"]))
    seconds = time.perf_counter() - began
    return {
        **_told(times),
        "backlog_items": backlog * 500,
        "drained_per_second": round(backlog * 500 / seconds),
    }


def _account(node: RunningNode, sender: str) -> dict[str, Any]:
    ask = urllib.request.Request(
        f"{node.web}/api/v1/accounting", headers={"Authorization": f"Bearer {node.token}"}
    )
    with urllib.request.urlopen(ask, timeout=60) as answer:
        found = json.load(answer)["senders"]
    return next((one for one in found if one["sender"] == sender), {})


def _told(times: list[float]) -> dict[str, Any]:
    ordered = sorted(times)
    return {
        "probes": len(ordered),
        "p50_ms": round(ordered[len(ordered) // 2]),
        "p95_ms": round(ordered[int(len(ordered) * 0.95)]),
        "most_ms": round(ordered[-1]),
    }


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--probes", type=int, default=40)
    parser.add_argument("--flood", type=int, default=600, help="requests of 500 spans")
    parser.add_argument("--backlog", type=int, default=600, help="requests of 500 spans")
    options = parser.parse_args()
    print(json.dumps(measure(options.probes, options.flood, options.backlog), indent=1), flush=True)


if __name__ == "__main__":
    main()
