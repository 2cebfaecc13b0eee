"""What is in hand when a process ends is claimed by the next one in ever smaller parts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NoReturn

import pytest
from django.db import OperationalError, connection

from timeline.broker.hand import Hand, Taken
from timeline.errors import QueueUnavailable
from timeline.ingest.request import Accepted
from timeline.models import Consumed

pytestmark = pytest.mark.django_db
PLACE = ("otlp_spans", 0)
POISON = 777


def _records(first: int, last: int) -> list[Taken]:
    return [
        Taken(
            place=PLACE,
            offset=offset,
            items=1,
            request=Accepted(
                id=str(offset),
                signal="traces",
                content_encoding="",
                headers={},
                body=b"x",
                received=0,
                sender="kafka",
                items=1,
            ),
        )
        for offset in range(first, last)
    ]


def _begin(first: int = 0) -> Hand:
    """A process that has just been given the partition."""
    hand = Hand("group", commit=lambda nexts: None, touch=lambda dirty: None)
    hand.assigned({PLACE: first})
    hand.put(_records(first, 1_000))
    return hand


def _claims(hand: Hand) -> Iterable[tuple[list[int], int]]:
    """Claims and releases until nothing is left: offsets, and attempts of the first."""
    while True:
        lease, claimed = hand.claim()
        if not claimed:
            return
        yield [int(one.request.id) for one in claimed], claimed[0].attempts
        hand.release(lease, {one.request.id: () for one in claimed})


def test_a_record_that_ends_its_process_is_found_and_known_by_its_attempts() -> None:
    deaths, next_ = [], 0
    while len(deaths) < 20:
        died = False
        for offsets, attempts in _claims(_begin(next_)):
            if POISON in offsets and attempts < 5:
                deaths.append((len(offsets), attempts))
                died = True
                break
            next_ = offsets[-1] + 1
        if not died:
            break
    assert [(1_000, 0), (500, 1), (62, 2), (7, 3), (1, 4)] == deaths
    assert 1_000 == next_


def test_what_was_released_is_suspected_of_nothing() -> None:
    assert [1_000] == [len(offsets) for offsets, _ in _claims(_begin())]
    assert [1_000] == [len(offsets) for offsets, _ in _claims(_begin())]


def test_what_survived_is_no_longer_suspected() -> None:
    _begin().claim()
    hand = _begin()
    lease, claimed = hand.claim()
    assert (500, 1) == (len(claimed), claimed[0].attempts)
    hand.survived(lease)
    assert 0 == Consumed.objects.get().attempts
    assert [1_000] == [len(offsets) for offsets, _ in _claims(_begin())]


def _away(*_: object) -> NoReturn:
    raise OperationalError("away")


def test_a_database_that_was_away_at_first_is_asked_again_before_anything_is_claimed() -> None:
    for _ in range(3):
        _begin().claim()
    with connection.execute_wrapper(_away):
        hand = _begin()
        with pytest.raises(QueueUnavailable):
            hand.claim()
    _, claimed = hand.claim()
    assert (7, 3) == (len(claimed), claimed[0].attempts)
    assert 4 == Consumed.objects.get().attempts


def test_what_another_member_stored_meanwhile_is_suspected_of_nothing() -> None:
    _begin().claim()
    hand = _begin()
    hand.drop([PLACE])
    other = _begin()
    lease, claimed = other.claim()
    other.release(lease, {one.request.id: () for one in claimed})
    hand.assigned({PLACE: 500})
    hand.put(_records(500, 1_000))
    _, claimed = hand.claim()
    assert (500, 0) == (len(claimed), claimed[0].attempts)
