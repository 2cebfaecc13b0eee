"""Moving a running node's facts to another store, with the command killed in the middle."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.node.harness import ROOT, RunningNode, until
from tests.node.otlp import PROTOBUF, request, span
from timeline.domain import Stored
from timeline.search.query import All, Query
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.server
PER_REQUEST = 500


def _send(node: RunningNode, first: int, requests: int) -> None:
    for number in range(first, first + requests):
        spans = [
            span(number + 1, n + 1, name="place bet", attributes={"bet.id": f"b{number}-{n // 5}", "n": n})
            for n in range(PER_REQUEST)
        ]
        assert 200 == node.send("/v1/traces", request("bets", spans), PROTOBUF)
    node.drained()


def _facts(folder: Path) -> list[Stored]:
    with TantivyStore(folder, writable=False) as store:
        return list(store.facts_of(Query(where=All())))


def _held(folder: Path) -> int:
    if not (folder / "meta.json").exists():
        return 0
    with TantivyStore(folder, writable=False) as store:
        return store.size()["facts"]


def test_a_live_index_is_copied_whole_though_the_command_is_killed(node: RunningNode, tmp_path: Path) -> None:
    _send(node, 0, 60)
    target = tmp_path / "other"
    command = [sys.executable, "manage.py", "reindex", "tantivy", f"tantivy://{target}"]
    copying = subprocess.Popen(command, cwd=ROOT, env=node.environ, stderr=subprocess.DEVNULL)
    until(lambda: _held(target) >= 5_000, what="5,000 facts in the target")
    copying.send_signal(signal.SIGKILL)
    copying.wait()
    assert _held(target) < 60 * PER_REQUEST
    _send(node, 60, 4)

    def whole() -> str:
        """What the command tells, once it vouches for the last request."""
        told = node.manage(*command[2:])
        return told if "32,000 facts in the source, 32,000 in the target" in told else ""

    until(whole, what="32,000 facts in both")
    assert _facts(node.data / "index") == _facts(target)
    assert "\n0 facts copied" in node.manage(*command[2:])
