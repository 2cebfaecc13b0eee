"""Whose turn it is: which of the waiting requests the next batch holds.

Senders get equal shares of a batch, in items, so that one that floods holds up nobody else. A
sender that is behind gets three of its newest requests for each of its oldest: what it sends now
is searchable soon, and what waits the longest goes on too.
"""

from __future__ import annotations

import heapq
import sqlite3
from collections.abc import Generator, Iterator
from typing import Final, NamedTuple

BEHIND: Final = 5 * 10**9  # ns that its oldest request waited, from which on a sender is behind
_LIVE: Final = 3  # of its newest requests for each of its oldest, while it is
_LATELY: Final = 20 * 10**9  # ns
_SENDERS: Final = 64  # at most that share a batch; others have their turn in the next

_FREE: Final = " FROM turns WHERE sender = ? AND lease_until < ? AND attempts = 0 ORDER BY seq"
_OLDEST: Final = "SELECT seq, received, items" + _FREE
_NEWEST: Final = _OLDEST + " DESC"


class Turn(NamedTuple):
    """A request that may be claimed, and whose it is."""

    seq: int
    sender: str


def turns(connection: sqlite3.Connection, now: int, after: str) -> Generator[Turn]:
    """Free requests that were never tried, in the order of their turns; ``after`` is whose turn was the last.

    Of all senders in the batch, the one that got the fewest items so far comes next.
    """
    senders = _after(connection, after)
    waiting = [_waiting(connection, sender, now) for sender in senders]
    got = [(0, place) for place in range(len(senders))]
    while got:
        items, place = got[0]
        found = next(waiting[place], None)
        if found is None:
            heapq.heappop(got)
            continue
        yield Turn(found[0], senders[place])
        heapq.heapreplace(got, (items + max(found[1], 1), place))


def several(connection: sqlite3.Connection, now: int) -> bool:
    """Whether more than one sender has sent in the last seconds."""
    found = connection.execute(
        "SELECT DISTINCT sender FROM flow WHERE slot >= ? AND came > 0 LIMIT 2", (now - _LATELY,)
    )
    return len(found.fetchall()) > 1


def tried(connection: sqlite3.Connection, now: int) -> int | None:
    """The oldest free request that was claimed before and never came back."""
    row = connection.execute(
        "SELECT seq FROM turns WHERE attempts > 0 AND lease_until < ? ORDER BY seq LIMIT 1", (now,)
    ).fetchone()
    return None if row is None else int(row[0])


def _after(connection: sqlite3.Connection, after: str) -> list[str]:
    """Who has requests here, by name from the one after ``after`` on, and round."""
    rows = connection.execute(
        "SELECT sender FROM held WHERE requests > 0 ORDER BY sender <= ?, sender LIMIT ?", (after, _SENDERS)
    )
    return [sender for (sender,) in rows]


def _waiting(connection: sqlite3.Connection, sender: str, now: int) -> Iterator[tuple[int, int]]:
    """Number and items of a sender's free requests, each once."""
    oldest = connection.execute(_OLDEST, (sender, now))
    first = next(oldest, None)
    if first is None:
        return
    yield first[0], first[2]
    ahead, back = first[0], 1 << 63  # all up to and all from these were given
    if first[1] < now - BEHIND:
        for count, (seq, received, items) in enumerate(connection.execute(_NEWEST, (sender, now)), 1):
            if seq <= ahead:
                return
            if received < now - BEHIND:
                break
            back = seq
            yield seq, items
            if count % _LIVE == 0:
                old = next(oldest, None)
                if old is None or old[0] >= back:
                    return
                ahead = old[0]
                yield ahead, old[2]
    for seq, _, items in oldest:
        if seq >= back:
            return
        yield seq, items
