"""The accounting of a node under everything at once: even for every key, whenever it is asked."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, request, span
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]
KILLS = 4


class _Sender(threading.Thread):
    """Sends what is good, twice, changed, and bad, under one key, until told to stop."""

    def __init__(self, node: RunningNode, number: int, key: str) -> None:
        super().__init__(daemon=True)
        self._node, self._number = node, number
        self._headers = {"Authorization": f"Bearer {key}"} if key else {}
        self._stop_asked = threading.Event()
        self.acknowledged = 0

    def run(self) -> None:
        turn = 0
        while not self._stop_asked.is_set():
            turn += 1
            first = (self._number << 40) + 100 * turn
            good = request("books", [span(first, first + n, at=turn) for n in range(20)])
            changed = request("books", [span(first, first, name="other", at=turn)])
            bad = span(first, 0)
            mixed = request("books", [span(first, first + 50), bad])
            for body in (good, good, changed, mixed, b"\xff not a request"):
                self.acknowledged += 200 == self._node.send("/v1/traces", body, PROTOBUF, **self._headers)
            self._node.send("/v1/traces", good, PROTOBUF, Authorization="Bearer tl_ingest_unknown")
            self._stop_asked.wait(0.02)

    def stop(self) -> None:
        self._stop_asked.set()
        self.join(60)


def _set_aside(node: RunningNode) -> None:
    """A request that only the drain can judge: one that an older receiver took and nobody can read."""
    name = uuid.uuid4().hex[:16]
    poison = Accepted(
        id=name, signal="traces", content_encoding="gzip", headers={"content-type": PROTOBUF}, body=b"no gzip",
        received=0, sender="old", digest=name.encode(), items=3,
    )  # fmt: skip
    Inbox(node.data / "inbox.sqlite3").accept([poison], [Entry(sender="old", what="received", items=3)])


def _uneven(told: dict[str, Any]) -> list[dict[str, Any]]:
    parts = ("refused", "inbox", "new", "already", "variant", "quarantined")
    everybody = [*told["senders"], {"sender": "all", **told["total"]}]
    return [
        one for one in everybody if one["unaccounted"] or one["received"] != sum(one[part] for part in parts)
    ]


def test_every_account_is_even_at_every_moment_of_a_run_with_kills(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "node").start()
    try:
        quota = ("--items-per-second", "60", "--burst", "60")
        small = node.manage("token", "create", "--ingest", "--name", "small", *quota).strip()
        large = node.manage("token", "create", "--ingest", "--name", "large").strip()
        senders = [_Sender(node, number, key) for number, key in enumerate(("", small, large), 1)]
        over, asked, uneven = threading.Event(), 0, []

        def kill() -> None:
            chance = random.Random(26)
            for _ in range(KILLS):
                for role in ("worker", "receiver"):
                    until(lambda role=role: node.processes(role), what=f"a running {role}")
                    time.sleep(chance.uniform(0.2, 1.2))  # the moment of the kill is what is random here
                    node.kill(role)
                _set_aside(node)
            over.set()

        killer = threading.Thread(target=kill)
        for thread in [*senders, killer]:
            thread.start()
        while not over.is_set():
            uneven += _uneven(node.get("/api/v1/accounting"))
            asked += 1
        _finish(killer, *(sender.stop for sender in senders))
        until(lambda: node.processes("receiver") and node.processes("worker"), what="both back")
        node.drained()
        told = node.get("/api/v1/accounting")
        assert [] == uneven + _uneven(told)
        assert asked > 20
        assert all(sender.acknowledged for sender in senders)
        by = {one["sender"]: one for one in told["senders"]}
        assert {"", "small", "large", "old"} == set(by)
        for name in ("", "large"):
            for part in ("refused", "new", "already", "variant"):
                assert by[name][part] > 0, (name, part)
        assert (3 * KILLS, 0, None) == (by["old"]["quarantined"], by["old"]["inbox"], by["old"]["oldest"])
        reasons = {one["reason"] for sender in by.values() for one in sender["reasons"]}
        assert {"quota", "bad_span_id", "malformed", "bad_key", "undecodable"} <= reasons
        assert told["total"] | {"now": 0} == node.get("/api/v1/accounting")["total"] | {"now": 0}
    finally:
        node.stop()


def _finish(killer: threading.Thread, *stops: Callable[[], None]) -> None:
    killer.join()
    for stop in stops:
        stop()
