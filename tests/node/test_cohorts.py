"""On a running node, who is stuck is found within seconds, without anybody asking for it beforehand."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from examples.matchday.history import record
from examples.matchday.send import Door, send_all
from examples.matchday.story import HANGING, Clock
from tests.node.harness import RunningNode, until

pytestmark = pytest.mark.server
EVENTS = "application/cloudevents-batch+json"
_moved_on = "TicketClosed"


def _event(kind: str, ticket: str) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{kind}-{ticket}",
        "source": "/desk",
        "type": kind,
        "subject": f"tickets/{ticket}",
    }


def _send(node: RunningNode, *events: dict[str, Any]) -> None:
    assert node.send("/v1/events", json.dumps(events).encode(), EVENTS) in (200, 202)


def _stuck(node: RunningNode, kind: str, **asked: str) -> Any:
    return node.get(f"/api/v1/entities/{kind}?{urlencode(asked)}")


def _until_stuck(node: RunningNode, kind: str, *expected: str, **asked: str) -> Any:
    def there() -> Any:
        answer = _stuck(node, kind, **asked)
        return answer if sorted(expected) == sorted(one["id"] for one in answer["entities"]) else None

    return until(there, seconds=120, what=f"{expected} as the stuck ones")


def test_those_who_did_not_move_on_are_found_and_leave_when_they_do(node: RunningNode) -> None:
    asked = {"reached": "TicketOpened", "missing": _moved_on}
    _send(node, *(_event("TicketOpened", str(n)) for n in range(20)))
    _send(node, *(_event(_moved_on, str(n)) for n in range(17)))
    answer = _until_stuck(node, "tickets", "17", "18", "19", **asked)
    assert 3 == answer["total"]
    assert [["TicketOpened"]] * 3 == [[step["name"] for step in one["steps"]] for one in answer["entities"]]
    _send(node, _event(_moved_on, "18"))
    _until_stuck(node, "tickets", "17", "19", **asked)
    assert 0 == _stuck(node, "tickets", **asked, quiet_for="1h")["total"]
    assert 20 == _stuck(node, "tickets")["total"]


def test_a_killed_worker_forgets_no_entity(node: RunningNode) -> None:
    _send(node, *(_event("ParcelSent", f"p{n}") | {"subject": f"parcels/p{n}"} for n in range(50)))
    node.drained()
    node.kill("worker")
    answer = until(
        lambda: (found := _stuck(node, "parcels", reached="ParcelSent"))["total"] == 50 and found,
        what="50 parcels",
    )
    assert 50 == len(answer["entities"])


def test_on_match_day_997_bets_were_paid_and_the_three_others_are_named(node: RunningNode) -> None:
    send_all(record(Clock.ending(time.time_ns())), Door(node.receiver))
    node.drained()
    until(
        lambda: _stuck(node, "bet", reached="PayoutCompleted", limit="1")["total"] == 997,
        what="997 bets that were paid",
    )
    answer = _until_stuck(node, "bet", *HANGING, reached="BetSettled", missing="PayoutCompleted")
    assert 3 == answer["total"]
    assert 997 == _stuck(node, "bet", reached="PayoutCompleted", limit="1")["total"]
    assert all(one["current"] for one in answer["entities"])


def test_lost_summaries_are_made_anew_from_the_facts(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "node").start()
    try:
        _send(node, *(_event("TicketOpened", str(n)) for n in range(30)))
        until(lambda: _stuck(node, "tickets")["total"] == 30, what="30 tickets")
        node.stop()
        shutil.rmtree(node.data / "index" / "entities")
        node.start()
        assert 0 == _stuck(node, "tickets")["total"]
        assert "summarised anew" in node.manage("resummarise")
        assert 30 == _stuck(node, "tickets", reached="TicketOpened")["total"]
    finally:
        node.stop()
