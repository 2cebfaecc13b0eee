"""The verdict on a running node whose worker stands still."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, request, span

pytestmark = pytest.mark.server


def test_what_waits_is_cannot_say_and_turns_to_seen_by_itself(node: RunningNode) -> None:
    (worker,) = node.processes("worker")[:1]
    worker.send_signal(signal.SIGSTOP)
    try:
        for number in (1, 2, 3):
            body = request("shop", [span(9, number, attributes={"parcel": "late-1"})])
            assert 200 == node.send("/v1/traces", body, PROTOBUF)

        def waiting() -> Any:
            answer = node.get("/api/v1/search?q=parcel:late-1&range=30s")
            return answer["answer"] if "not yet indexed" in answer["answer"]["sentence"] else None

        answer = until(waiting, what="cannot say")
        assert "cannot_say" == answer["kind"]
        assert answer["sentence"].startswith("Cannot say: 3 requests not yet indexed")
        assert "backlog" == answer["causes"][0]["kind"]
    finally:
        worker.send_signal(signal.SIGCONT)
    until(
        lambda: node.get("/api/v1/search?q=parcel:late-1&range=1h")["verdict"] == "seen",
        what="seen",
    )


def test_a_second_start_is_ready_quickly_and_records_the_time_away(node: RunningNode) -> None:
    node.stop()
    node.start()
    log = node.log.read_text()
    assert "sign" in log
    outages = node.get("/api/v1/senders")["outages"]
    assert "the receiver was not running" in [reason for _, _, reason in outages]
