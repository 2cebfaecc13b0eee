"""The sweeper empties an inbox of which no hint was heard, with as many threads as may drain."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.receiving import wait_for
from tests.timeline.receive import otlp
from timeline import records, tasks, wiring
from timeline.domain import Stored
from timeline.inbox.inbox import Inbox
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted
from timeline.store.port import ItemReport


class Meeting:
    """A store in which nobody can write alone, until two have met."""

    elsewhere = False
    visibility_lag = 0

    def __init__(self) -> None:
        self._met = threading.Barrier(2)
        self.names: set[str] = set()

    def write(self, facts: Sequence[Stored], *, visible: bool = False) -> list[ItemReport]:
        if len(self.names) < 2:
            self._met.wait(30)
        self.names.add(threading.current_thread().name)
        return [ItemReport(outcome="stored", id=one.receipt.id) for one in facts]

    def close(self) -> None:
        """Nothing to let go of."""


class Quiet:
    """Tells nobody."""

    def __init__(self, *told: object) -> None:
        """Of nothing."""

    def start(self) -> None:
        """Nothing."""

    def stop(self) -> None:
        """Nothing."""


@pytest.mark.django_db(transaction=True)
def test_all_threads_that_may_drain_a_backlog_of_which_nobody_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inbox, store = Inbox(tmp_path / "inbox.sqlite3"), Meeting()
    body = otlp.traces()
    for number in range(40):
        request = Accepted(
            id=f"request-{number}",
            signal="traces",
            content_encoding="",
            headers={"content-type": "application/json"},
            body=body,
            digest=f"{number}".encode(),
            received=number + 1,
            items=1_000,  # so that one claim does not take them all
        )
        inbox.accept([request])
    for name, value in (("inbox", inbox), ("writer", store)):
        monkeypatch.setattr(wiring, name, lambda value=value: value)
    monkeypatch.setattr(records, "rules", lambda workspace: Rules.default())
    monkeypatch.setattr(tasks, "Heartbeat", Quiet)
    sweeper = tasks.Sweeper()
    sweeper.start()
    try:
        wait_for(lambda: not inbox.waits() and inbox.backlog().requests == 0, "an empty inbox", 60)
    finally:
        sweeper.stop()
    assert {"sweeper", "sweeper 2"} == store.names
