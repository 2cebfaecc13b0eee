"""What the inbox promises: durable, leased, accounted for."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sqlite3
import threading
from pathlib import Path

import msgspec
import pytest

from timeline.errors import QueueUnavailable
from timeline.inbox import inbox as module
from timeline.inbox.committer import Committer
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted


def _request(name: str, *, items: int = 10, digest: bytes | None = None, body: bytes = b"body") -> Accepted:
    return Accepted(
        id=name,
        signal="traces",
        content_encoding="gzip",
        headers={"content-type": "application/x-protobuf"},
        body=body,
        received=1_790_000_000_000_000_000,
        sender="feed",
        digest=digest or name.encode(),
        items=items,
    )


def _received(items: int) -> Entry:
    return Entry(sender="feed", what="received", items=items)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "inbox.sqlite3"


def test_what_was_accepted_is_claimed_as_it_was(path: Path) -> None:
    request = _request("a")
    Inbox(path).accept([request])
    _, batch = Inbox(path).claim()
    (found,) = [claimed.request for claimed in batch]
    assert msgspec.structs.replace(request, received=found.received) == found
    assert request.received < found.received  # stamped when it was committed


def test_a_leased_request_is_not_claimed_again_while_its_holder_lives(path: Path) -> None:
    inbox = Inbox(path)
    inbox.accept([_request("a")])
    assert 1 == len(inbox.claim()[1])
    assert [] == inbox.claim()[1]
    assert not inbox.waits()


def test_requests_come_oldest_first_and_bounded_by_items(path: Path) -> None:
    inbox = Inbox(path)
    inbox.accept([_request(name, items=60) for name in "abc"])
    assert ["a"] == [claimed.request.id for claimed in inbox.claim(items=100)[1]]
    assert ["b"] == [claimed.request.id for claimed in inbox.claim(items=1)[1]]


def test_a_batch_is_bounded_by_bytes_and_never_empty(path: Path) -> None:
    inbox = Inbox(path)
    inbox.accept([_request(name, body=b"x" * 100) for name in "abc"])
    assert ["a", "b"] == [claimed.request.id for claimed in inbox.claim(size=250)[1]]
    assert ["c"] == [claimed.request.id for claimed in inbox.claim(size=1)[1]]


def test_release_removes_and_accounts_in_one_step(path: Path) -> None:
    inbox = Inbox(path)
    inbox.accept([_request("a")], [_received(10)])
    lease, _ = inbox.claim()
    lines = [
        Entry(sender="feed", what="new", items=8),
        Entry(sender="feed", what="quarantined", items=2, reason="too_deep"),
    ]
    assert 1 == inbox.release(lease, {"a": lines})
    backlog, tallies = inbox.snapshot()
    assert 0 == backlog.requests
    assert {("received", ""): 10, ("new", ""): 8, ("quarantined", "too_deep"): 2} == {
        (t.what, t.reason): t.items for t in tallies
    }


def test_a_late_release_after_a_takeover_changes_nothing(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LEASE", -1)  # run out at once, as after a long pause
    inbox = Inbox(path)
    inbox.accept([_request("a")])
    paused, _ = inbox.claim()
    other, _ = inbox.claim()
    assert 0 == inbox.release(paused, {"a": [Entry(sender="feed", what="new", items=10)]})
    assert 1 == inbox.release(other, {"a": [Entry(sender="feed", what="new", items=10)]})
    assert [10] == [tally.items for tally in inbox.snapshot()[1]]


def _claim_and_die(path: Path) -> None:
    Inbox(path).claim()
    os.kill(os.getpid(), signal.SIGKILL)


def test_the_lease_of_a_killed_process_is_free_at_once_and_comes_alone(path: Path) -> None:
    inbox = Inbox(path)
    inbox.accept([_request("a"), _request("b")])
    child = multiprocessing.get_context("spawn").Process(target=_claim_and_die, args=(path,))
    child.start()
    child.join()
    assert [("a", 1)] == [(claimed.request.id, claimed.attempts) for claimed in inbox.claim()[1]]
    assert [("b", 1)] == [(claimed.request.id, claimed.attempts) for claimed in inbox.claim()[1]]


def test_giving_back_is_not_an_attempt(path: Path) -> None:
    inbox = Inbox(path)
    inbox.accept([_request("a")])
    for _ in range(7):
        lease, batch = inbox.claim()
        assert [0] == [claimed.attempts for claimed in batch]
        inbox.give_back(lease)


def test_a_request_at_fault_is_given_back_as_an_attempt_and_comes_alone(path: Path) -> None:
    inbox = Inbox(path)
    inbox.accept([_request("a"), _request("b")])
    lease, batch = inbox.claim()
    assert 2 == len(batch)
    inbox.give_back(lease, attempted=True)
    assert [("a", 1)] == [(claimed.request.id, claimed.attempts) for claimed in inbox.claim()[1]]


def test_the_same_body_again_is_marked_as_retried(path: Path) -> None:
    inbox = Inbox(path)
    inbox.accept([_request("a", digest=b"same")])
    inbox.accept([_request("b", digest=b"same")])
    assert [("a", False), ("b", True)] == [(c.request.id, c.request.retried) for c in inbox.claim()[1]]
    assert [("retried", 10)] == [(tally.what, tally.items) for tally in inbox.snapshot()[1]]


def test_the_books_balance_at_every_instant(path: Path) -> None:
    inbox = Inbox(path)
    committer = Committer(inbox)
    done = threading.Event()
    unbalanced: list[object] = []

    def watch() -> None:
        watcher = Inbox(path)
        while not done.is_set():
            backlog, tallies = watcher.snapshot()
            by = {tally.what: tally.items for tally in tallies}
            if by.get("received", 0) != backlog.items + by.get("new", 0) + by.get("refused", 0):
                unbalanced.append((backlog, by))

    def drain() -> None:
        drainer = Inbox(path)
        while not done.is_set() or drainer.waits():
            lease, batch = drainer.claim(items=30)
            drainer.release(
                lease,
                {c.request.id: [Entry(sender="feed", what="new", items=c.request.items)] for c in batch},
            )

    def send(number: int) -> None:
        for index in range(40):
            committer.accept(
                _request(f"{number}-{index}", items=9),
                [_received(10), Entry(sender="feed", what="refused", items=1)],
            )

    watchers = [threading.Thread(target=watch), threading.Thread(target=drain)]
    senders = [threading.Thread(target=send, args=(number,)) for number in range(4)]
    for thread in watchers + senders:
        thread.start()
    for thread in senders:
        thread.join()
    done.set()
    for thread in watchers:
        thread.join()
    assert [] == unbalanced
    assert {"received": 1600, "refused": 160, "new": 1440} == {t.what: t.items for t in inbox.snapshot()[1]}


def test_a_failed_commit_reaches_the_sender_that_waits(path: Path) -> None:
    inbox = Inbox(path)
    committer = Committer(inbox)
    committer.accept(_request("a"), [])
    with pytest.raises(QueueUnavailable, match="did not take a write"):
        committer.accept(_request("a"), [])  # the same id cannot be accepted twice
    committer.accept(_request("b"), [])
    assert 2 == inbox.backlog().requests


def test_a_file_of_a_newer_version_is_left_alone(path: Path) -> None:
    Inbox(path)
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    with pytest.raises(QueueUnavailable, match="newer version") as caught:
        Inbox(path)
    assert "newer version" in caught.value.remedy


def test_a_folder_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(QueueUnavailable) as caught:
        Inbox(tmp_path / "file" / "inbox.sqlite3")
    assert "writable" in caught.value.remedy
