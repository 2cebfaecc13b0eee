"""Inbox files of older versions: what waits in them is read, once."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests.timeline.inbox import old_files
from timeline.inbox.inbox import Entry, Inbox


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.sqlite3"


def _ids(inbox: Inbox) -> list[str]:
    return [claimed.request.id for claimed in inbox.claim()[1]]


@pytest.mark.parametrize("version", [1, 3])
def test_what_waits_in_an_older_file_is_claimed_and_accounted_for(path: Path, version: int) -> None:
    old = old_files.write(path, version)
    for name in ("a", "b"):
        old_files.put(old, name)
    old.execute("INSERT INTO tally VALUES ('feed', 'received', '', 20, 2, 1)")
    old.close()
    inbox = Inbox(path)
    assert (2, 20, 1790000000000000000) == tuple(
        getattr(inbox.backlog(), name) for name in ("requests", "items", "oldest")
    )
    lease, batch = inbox.claim()
    assert [("a", b"a", ""), ("b", b"b", "")] == [
        (one.request.id, one.request.body, one.request.environment) for one in batch
    ]
    lines = {one.request.id: [Entry(sender="feed", what="new", items=10)] for one in batch}
    assert 2 == inbox.release(lease, lines)
    backlog, tallies = inbox.snapshot()
    assert (0, {"received": 20, "new": 20}) == (backlog.items, {t.what: t.items for t in tallies})


def test_leases_and_attempts_of_an_older_file_still_hold(path: Path) -> None:
    old = old_files.write(path, 3)
    alive = f"{os.getpid()}.0.x"  # a start time of 0: not known, so only the clock ends it
    old_files.put(old, "held", lease=alive, until=time.time_ns() + 10**15, attempts=1)
    old_files.put(old, "tried", attempts=3)
    old_files.put(old, "free")
    old.close()
    inbox = Inbox(path)
    claims = [[(one.request.id, one.attempts) for one in inbox.claim()[1]] for _ in range(3)]
    assert [[], [("free", 0)], [("tried", 3)]] == sorted(claims)


def test_processes_that_find_an_older_file_together_bring_it_up_once(path: Path) -> None:
    old = old_files.write(path, 3)
    for number in range(50):
        old_files.put(old, str(number))
    old.close()
    together, faults = threading.Barrier(4), []

    def open_it() -> None:
        together.wait()
        try:
            Inbox(path)
        except Exception as error:  # noqa: BLE001 - any is a failure
            faults.append(error)

    threads = [threading.Thread(target=open_it) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert ([], 50) == (faults, Inbox(path).backlog().requests)


def test_what_an_older_process_released_meanwhile_is_not_handed_out_again(path: Path) -> None:
    old = old_files.write(path, 3)
    old_files.put(old, "a")
    old_files.put(old, "b")
    inbox = Inbox(path)
    old.execute("DELETE FROM requests WHERE id = 'a'")  # as version 3 does, which knows of no turns
    assert ["b"] == _ids(inbox)
    assert 1 == inbox.backlog().requests


def test_what_an_older_process_has_in_hand_is_released_by_one_of_both(path: Path) -> None:
    old = old_files.write(path, 3)
    old_files.put(old, "a")
    inbox = Inbox(path)
    lease, _ = inbox.claim()
    old.execute("DELETE FROM requests WHERE id = 'a'")
    assert 0 == inbox.release(lease, {"a": [Entry(sender="feed", what="new", items=10)]})
    assert [] == inbox.snapshot()[1]


def test_what_an_older_process_accepts_meanwhile_has_its_turn(path: Path) -> None:
    old = old_files.write(path, 3)
    inbox = Inbox(path)
    old_files.put(old, "late")  # as version 3 does, which knows of no turns
    assert (1, 10) == (inbox.backlog().requests, inbox.backlog().items)
    assert ["late"] == _ids(inbox)
