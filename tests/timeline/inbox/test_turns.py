"""Who comes next: no sender holds up another, and no backlog what arrives now."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

import pytest

from timeline.inbox.inbox import SHARED, Claimed, Entry, Inbox
from timeline.inbox.turns import BEHIND
from timeline.ingest.request import Accepted

SECOND = 10**9


class Clock:
    """The inbox's clock, set by hand."""

    def __init__(self) -> None:
        self.now = 1_790_000_000 * SECOND

    def time_ns(self) -> int:
        return self.now

    def monotonic(self) -> float:
        return time.monotonic()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("timeline.inbox.inbox.time", made)
    return made


@pytest.fixture
def inbox(tmp_path: Path, clock: Clock) -> Inbox:
    return Inbox(tmp_path / "inbox.sqlite3")


def _accept(inbox: Inbox, sender: str, count: int, *, items: int = 100, first: int = 0) -> None:
    names = [f"{sender}-{number}" for number in range(first, first + count)]
    inbox.accept(
        [
            Accepted(
                id=name,
                signal="traces",
                content_encoding="",
                headers={},
                body=b"x",
                received=0,
                sender=sender,
                digest=name.encode(),
                items=items,
            )
            for name in names
        ]
    )


def _release(inbox: Inbox, lease: str, batch: list[Claimed]) -> None:
    lines = {
        one.request.id: [Entry(sender=one.request.sender, what="new", items=one.request.items)]
        for one in batch
    }
    assert len(batch) == inbox.release(lease, lines)


def test_a_request_behind_a_flood_of_another_sender_is_in_the_next_claim(inbox: Inbox) -> None:
    for number in range(20):
        _accept(inbox, "flood", 100, first=100 * number)
        _accept(inbox, "quiet", 1, first=number)
        lease, batch = inbox.claim()
        assert 1 == sum(one.request.sender == "quiet" for one in batch)
        assert SHARED // 100 == len(batch)  # the flood has all the rest, so nothing is wasted
        _release(inbox, lease, batch)
    assert 20 * 101 - 20 * SHARED // 100 == inbox.backlog().requests


def test_batches_are_small_while_several_send_and_large_again_afterwards(inbox: Inbox, clock: Clock) -> None:
    _accept(inbox, "feed", 100)
    assert 40 == len(inbox.claim()[1])
    _accept(inbox, "quiet", 1)
    assert SHARED // 100 == len(inbox.claim()[1])  # nobody waits long for a batch of another
    assert 2 == len(inbox.claim(items=200)[1])
    clock.now += 40 * SECOND
    assert 40 == len(inbox.claim()[1])


def test_senders_share_a_batch_by_items_and_not_by_requests(inbox: Inbox) -> None:
    _accept(inbox, "large", 100, items=125)
    _accept(inbox, "small", 1000, items=5)
    got: Counter[str] = Counter()
    for one in inbox.claim()[1]:
        got[one.request.sender] += one.request.items
    assert abs(got["large"] - got["small"]) <= 125
    assert sum(got.values()) >= SHARED - 125


def test_of_very_many_senders_everybody_has_a_turn(inbox: Inbox) -> None:
    for number in range(150):
        _accept(inbox, f"sender-{number:03}", 5, items=100)
    _accept(inbox, "flood", 500, items=100)
    served: Counter[str] = Counter()
    for _ in range(151 * 100 // SHARED + 1):
        served.update(one.request.sender for one in inbox.claim()[1])
    assert 151 == len(served)
    assert max(served.values()) <= 2


def test_what_arrives_now_passes_a_backlog_and_the_oldest_goes_on_too(inbox: Inbox, clock: Clock) -> None:
    _accept(inbox, "feed", 2000)
    clock.now += 600 * SECOND
    for number in range(20):
        _accept(inbox, "feed", 5, first=2000 + 5 * number)
        clock.now += SECOND
        before = inbox.backlog().oldest
        lease, batch = inbox.claim()
        ids = [int(one.request.id.partition("-")[2]) for one in batch]
        assert set(range(2000 + 5 * number, 2005 + 5 * number)) <= set(ids)
        old = [name for name in ids if name < 2000]
        assert (35, list(range(min(old), min(old) + 35))) == (len(old), old)  # the oldest, none left out
        assert ids == sorted(ids)
        _release(inbox, lease, batch)
        assert before == inbox.backlog().oldest  # all of the backlog came at once


def test_the_oldest_that_waits_is_told_whatever_the_order(inbox: Inbox, clock: Clock) -> None:
    for number in range(300):
        _accept(inbox, "feed", 1, first=number)
        clock.now += SECOND
    left = {f"feed-{number}": (1_790_000_000 + number) * SECOND for number in range(300)}
    while left:
        assert (min(left.values()), len(left)) == (inbox.backlog().oldest, inbox.backlog().requests)
        lease, batch = inbox.claim(items=1000)
        assert min(left, key=left.__getitem__) in {one.request.id for one in batch}
        _release(inbox, lease, batch)
        for one in batch:
            del left[one.request.id]
    assert inbox.backlog().oldest is None


def test_a_sender_that_keeps_up_is_served_in_the_order_of_arrival(inbox: Inbox, clock: Clock) -> None:
    for number in range(100):
        _accept(inbox, "feed", 1, first=number)
        clock.now += BEHIND // 200
    assert [f"feed-{number}" for number in range(40)] == [one.request.id for one in inbox.claim()[1]]


def test_a_live_rate_of_three_quarters_of_a_batch_is_never_late(inbox: Inbox, clock: Clock) -> None:
    _accept(inbox, "feed", 400)
    clock.now += 600 * SECOND
    for number in range(30):
        _accept(inbox, "feed", 29, first=400 + 29 * number)
        clock.now += SECOND // 2
        lease, batch = inbox.claim()
        late = [clock.now - one.request.received for one in batch if int(one.request.id[5:]) >= 400]
        assert (29, SECOND // 2) == (len(late), max(late))
        _release(inbox, lease, batch)
    assert 400 - 30 * (40 - 29) == inbox.backlog().requests


def test_more_than_can_be_stored_arrives_and_the_oldest_goes_on(inbox: Inbox, clock: Clock) -> None:
    _accept(inbox, "feed", 400)
    clock.now += 600 * SECOND
    for number in range(30):
        _accept(inbox, "feed", 60, first=400 + 60 * number)
        clock.now += SECOND // 10
        lease, batch = inbox.claim()
        old = [one for one in batch if int(one.request.id[5:]) < 400]
        assert (10, 30) == (len(old), len(batch) - len(old))
        _release(inbox, lease, batch)


def test_requests_that_were_tried_hold_up_nobody(inbox: Inbox, clock: Clock) -> None:
    _accept(inbox, "poison", 3)
    lease, _ = inbox.claim()
    inbox.give_back(lease, attempted=True)
    _accept(inbox, "feed", 100)
    claims = [[one.request.id for one in inbox.claim()[1]] for _ in range(6)]
    many = SHARED // 100
    assert [many, 1, many, 1, many, 1] == [len(batch) for batch in claims]
    assert [["poison-0"], ["poison-1"], ["poison-2"]] == claims[1::2]


def test_rates_are_told_by_sender(inbox: Inbox, clock: Clock) -> None:
    clock.now -= clock.now % (10 * SECOND)
    for number in range(12):
        _accept(inbox, "feed", 2, first=2 * number)
        clock.now += 10 * SECOND
    for _ in range(3):
        lease, batch = inbox.claim(items=300)
        _release(inbox, lease, batch)
    clock.now += SECOND
    (waiting,) = inbox.books().waiting
    assert ("feed", 15, 1500) == (waiting.sender, waiting.requests, waiting.items)
    # the last six whole slots, and the second that has passed of this one
    assert pytest.approx((1200 / 61, 900 / 61)) == (waiting.came, waiting.went)
