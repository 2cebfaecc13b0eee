"""Killing the node's processes: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import pytest

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, request, span

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]
KILLS = 50


class _Loader(threading.Thread):
    """Sends small requests until told to stop and writes down what was acknowledged."""

    def __init__(self, node: RunningNode, number: int) -> None:
        super().__init__(daemon=True)
        self._node = node
        self._number = number
        self._stop_asked = threading.Event()
        self.acknowledged: list[str] = []
        self.unanswered: list[str] = []

    def run(self) -> None:
        index = 0
        while not self._stop_asked.is_set():
            index += 1
            first = (self._number << 40) + index * 10
            body = request(
                "ledger",
                [span(first, first + n, attributes={"ledger.id": f"{first + n:016x}"}) for n in range(10)],
            )
            ids = [f"{first + n:016x}" for n in range(10)]
            known = (
                self.acknowledged if self._node.send("/v1/traces", body, PROTOBUF) == 200 else self.unanswered
            )
            known.extend(ids)
            self._stop_asked.wait(0.01)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(60)


def _kill(node: RunningNode, role: str, seed: int, kills: int) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        until(lambda: node.processes(role), what=f"a running {role}")
        time.sleep(chance.uniform(0.0, 1.5))  # the moment of the kill is what is random here
        node.kill(role)


def _stored(node: RunningNode) -> Counter[str]:
    url = f"{node.web}/api/v1/export/search?q=service:ledger&range=all&format=ndjson"
    ask = urllib.request.Request(url, headers={"Authorization": f"Bearer {node.token}"})
    with urllib.request.urlopen(ask, timeout=300) as answer:
        lines = [json.loads(line) for line in answer]
    assert "end" in lines[-1], "the export broke off"
    return Counter(line["fact"]["span_id"] for line in lines if "fact" in line)


def test_fifty_kills_of_worker_and_of_receiver_lose_and_double_nothing(tmp_path: Path) -> None:
    _survives(tmp_path, KILLS)


@pytest.mark.soak
def test_a_thousand_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    _survives(tmp_path, 500)  # of each


def _survives(tmp_path: Path, kills: int) -> None:
    node = RunningNode(tmp_path / "node").start()
    try:
        loaders = [_Loader(node, number) for number in (1, 2)]
        killers = [
            threading.Thread(target=_kill, args=(node, role, seed, kills))
            for seed, role in enumerate(("worker", "receiver"))
        ]
        for thread in [*loaders, *killers]:
            thread.start()
        for killer in killers:
            killer.join()
        for loader in loaders:
            loader.stop()
        until(lambda: node.processes("receiver") and node.processes("worker"), what="both back")
        node.drained()
        stored = _stored(node)
        acknowledged = {name for loader in loaders for name in loader.acknowledged}
        unanswered = {name for loader in loaders for name in loader.unanswered}
        assert len(acknowledged) > 1000, "the load was too small to prove anything"
        assert set() == acknowledged - set(stored)
        assert set() == set(stored) - acknowledged - unanswered
        assert {} == {name: count for name, count in stored.items() if count > 1}
        for role in ("worker", "beat", "web"):
            assert 1 == len(_roots(node, role)), role
        assert 1 == len(_roots(node, "receiver"))
    finally:
        node.stop()


def _roots(node: RunningNode, role: str) -> list[int]:
    """Processes of a role that the supervisor itself started: granian has a child of its own."""
    assert node.process is not None
    return [process.pid for process in node.processes(role) if process.ppid() == node.process.pid]


def test_one_request_sent_a_hundred_times_across_restarts_is_stored_once(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "node").start()
    try:
        body = request("ledger", [span(7, n) for n in range(1, 501)])
        statuses: list[int] = []

        def send() -> None:
            statuses.extend(node.send("/v1/traces", body, PROTOBUF) for _ in range(25))

        senders = [threading.Thread(target=send) for _ in range(4)]
        for sender in senders:
            sender.start()
        while any(sender.is_alive() for sender in senders):
            node.kill("worker")
            time.sleep(0.5)  # paces the restarts; what is asserted does not depend on it
        for sender in senders:
            sender.join()
        assert {200: 100} == Counter(statuses)
        until(lambda: node.processes("worker"), what="a running worker")
        node.drained()
        stored = _stored(node)
        assert (500, 500) == (len(stored), sum(stored.values()))
        tally = node.get("/api/v1/senders")["tally"]
        assert (50_000, 500, 49_500) == (tally["received"], tally["new"], tally["already"])
    finally:
        node.stop()
