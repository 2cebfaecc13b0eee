"""A fact is placed by its own time where that is usable, else by when it was received."""

import itertools

import pytest

from tests import builders as b
from tests.contract.pair import Pair, asking
from timeline.search.query import All, FieldIs, Window

FIRST, LAST = 946_684_800 * b.SECOND, 4_102_444_800 * b.SECOND
TIMES = [
    None,
    0,
    1,
    -1,
    -(1 << 62),
    FIRST - 1,
    FIRST,
    FIRST + 1,
    b.NOW,
    LAST - 1,
    LAST,
    1 << 62,
    (1 << 63) - 1,
]


def test_odd_times_are_kept_as_sent_and_placed_by_received_time(pair: Pair) -> None:
    facts = [
        b.stored(b.span(number=n, start=at, end=None), received=b.NOW + n * b.SECOND)
        for n, at in enumerate(TIMES)
    ]
    pair.write(facts)
    assert facts == pair.store.get([stored.receipt.id for stored in facts])
    assert len(TIMES) == pair.agree(asking(All()), page=2)


@pytest.mark.parametrize("on", ["event", "received", "either"])
def test_windows_are_half_open_on_either_clock(pair: Pair, on: str) -> None:
    times = [b.NOW + n for n in range(5)]
    facts = [
        b.stored(b.span(number=n, start=at), received=received)
        for n, (at, received) in enumerate(itertools.product([*times, None, 0], times))
    ]
    pair.write(facts)
    for start, end in itertools.product([None, *times], [None, *times]):
        pair.found(All(), window=Window(start=start, end=end, on=on))
    pair.agree(asking(All(), window=Window(start=times[1], end=times[3], on=on)))


@pytest.mark.parametrize(
    ("start", "end"), [(-(1 << 80), 1 << 80), (None, -(1 << 80)), (1 << 80, None), (5, 5), (9, 3)]
)
def test_windows_beyond_64_bits_and_empty_ones_are_answered(pair: Pair, start, end) -> None:
    pair.write([b.stored(b.span(number=n)) for n in range(3)])
    for on in ("event", "received", "either"):
        pair.found(All(), window=Window(start=start, end=end, on=on))


def test_a_log_record_without_a_time_is_placed_by_received_time(pair: Pair) -> None:
    own = b.stored(b.event(1, kind="log", at=None), received=b.NOW + b.HOUR)
    pair.write([own])
    pair.finds(FieldIs("fact", "event"), own, window=Window(start=b.NOW + b.HOUR, end=b.NOW + b.HOUR + 1))
    pair.finds(All(), window=Window(start=0, end=b.NOW))
