"""Notes of touched entities: made with the release, dropped only for what a summary has seen."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.timeline.inbox import old_files
from timeline.inbox import dirty
from timeline.inbox.inbox import Inbox
from timeline.ingest.request import Accepted

BET, ORDER = ("main", "bet:1"), ("main", "order:1")
EVER = 1 << 62


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    return Inbox(tmp_path / "inbox.sqlite3")


def _named(inbox: Inbox, before: int = EVER, limit: int = 100) -> list[tuple[str, str]]:
    return list(inbox.touched(before, limit=limit).entities)


def test_a_release_notes_what_its_facts_touched(inbox: Inbox) -> None:
    request = Accepted(
        id="a", signal="traces", content_encoding="", headers={}, body=b"", received=1, digest=b"a", items=1
    )
    inbox.accept([request])
    lease, _ = inbox.claim()
    before = time.time_ns()
    assert 1 == inbox.release(lease, {"a": []}, dirty=[BET, BET, ORDER, ("other", "bet:1")])
    assert [BET, ORDER, ("other", "bet:1")] == _named(inbox)
    told = inbox.behind()
    assert (3, 0, None) == (told.touches, told.lost, told.lost_since)
    assert told.oldest is not None
    assert before <= told.oldest <= time.time_ns()


def test_a_release_that_touches_nothing_leaves_no_note(inbox: Inbox) -> None:
    inbox.release("lease", {})
    assert (0, None) == (inbox.behind().touches, inbox.behind().oldest)


def test_the_longest_behind_come_first_and_one_note_at_least(inbox: Inbox) -> None:
    inbox.touch([ORDER, BET])
    inbox.touch([("main", "bet:2")])
    inbox.touch([BET])
    assert [ORDER, BET, ("main", "bet:2")] == _named(inbox)
    assert [ORDER, BET] == _named(inbox, limit=1)
    assert [ORDER, BET, ("main", "bet:2")] == _named(inbox, limit=3)


def test_only_notes_from_before_the_moment_are_taken(inbox: Inbox) -> None:
    inbox.touch([ORDER])
    moment = time.time_ns()
    inbox.touch([BET])
    assert [ORDER] == _named(inbox, before=moment)
    assert [] == _named(inbox, before=0)


def test_what_was_summarised_is_dropped_and_what_is_left_stays_as_old_as_it_was(inbox: Inbox) -> None:
    inbox.touch([BET, ORDER])
    taken = inbox.touched(EVER, limit=9)
    inbox.touch([BET])
    inbox.summarised(taken, left=[ORDER])
    assert {ORDER, BET} == set(_named(inbox))
    assert taken.oldest == inbox.behind().oldest
    inbox.summarised(inbox.touched(EVER, limit=9))
    assert [] == _named(inbox)
    assert None is inbox.behind().oldest


def test_what_was_touched_meanwhile_stays_noted(inbox: Inbox) -> None:
    inbox.touch([BET])
    taken = inbox.touched(EVER, limit=9)
    inbox.touch([BET])
    inbox.summarised(taken)
    assert [BET] == _named(inbox)


def test_beyond_the_room_touches_are_lost_and_counted(inbox: Inbox, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dirty, "MAX_BYTES", 100)
    inbox.touch([("main", f"bet:{n}") for n in range(5)])
    inbox.touch([("main", f"order:{n}") for n in range(5)])
    told = inbox.behind()
    assert (5, 5) == (told.touches, told.lost)
    assert told.lost_since is not None
    inbox.found_again(told.lost_since)
    assert 5 == inbox.behind().lost
    inbox.found_again(time.time_ns())
    assert (0, None) == (inbox.behind().lost, inbox.behind().lost_since)


def test_an_inbox_of_the_first_version_says_that_its_entities_were_never_noted(tmp_path: Path) -> None:
    path = tmp_path / "inbox.sqlite3"
    old_files.write(path, 1).close()
    inbox = Inbox(path)
    inbox.touch([BET])
    assert [BET] == _named(inbox)
    assert 1 == inbox.behind().lost
    inbox.found_again(time.time_ns())
    assert 0 == Inbox(path).behind().lost
