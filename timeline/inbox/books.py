"""The books of an inbox: what became of every item, what waits, and how fast both change."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

_SLOT: Final = 10 * 10**9  # ns
_WINDOW: Final = 6  # whole slots that a rate is taken over, and the one that passes
_KEPT: Final = 60  # slots


class Backlog(msgspec.Struct, frozen=True, kw_only=True):
    """What waits: requests, items, bytes, and when the oldest was received (ns)."""

    requests: int
    items: int
    oldest: int | None


class Tally(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the accounting, in items (and requests)."""

    sender: str
    what: str  # received, refused, new, already, variant, quarantined, discarded, retried
    reason: str
    items: int
    requests: int
    last: int  # ns


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """A change to the accounting, applied in the transaction of what it accounts for."""

    sender: str
    what: str
    items: int
    reason: str = ""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """What waits of one sender, since when (ns), and its items a second over the last minute."""

    sender: str
    requests: int = 0
    items: int = 0
    oldest: int | None = None
    came: float = 0.0
    went: float = 0.0


class Books(msgspec.Struct, frozen=True, kw_only=True):
    """Everything of one instant."""

    backlog: Backlog
    tallies: list[Tally]
    waiting: list[Waiting]


def add(connection: sqlite3.Connection, entries: Sequence[Entry]) -> None:
    """Put entries into the accounting."""
    now = time.time_ns()
    connection.executemany(
        "INSERT INTO tally VALUES (?, ?, ?, ?, 1, ?) ON CONFLICT DO UPDATE SET"
        " items = items + excluded.items, requests = requests + 1, last = excluded.last",
        [(entry.sender, entry.what, entry.reason, entry.items, now) for entry in entries],
    )


def flowed(
    connection: sqlite3.Connection,
    at: int,
    *,
    came: Mapping[str, int] | None = None,
    went: Mapping[str, int] | None = None,
) -> None:
    """Note that items were accepted or released at ``at`` (ns), by sender."""
    slot = at - at % _SLOT
    rows = [(slot, sender, items, 0) for sender, items in (came or {}).items()]
    rows += [(slot, sender, 0, items) for sender, items in (went or {}).items()]
    connection.executemany(
        "INSERT INTO flow VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " came = came + excluded.came, went = went + excluded.went",
        rows,
    )
    if went:
        connection.execute("DELETE FROM flow WHERE slot < ?", (slot - _KEPT * _SLOT,))


def read(connection: sqlite3.Connection, now: int) -> Books:
    """The books as they are within the transaction under way."""
    tallies = [
        Tally(sender=row[0], what=row[1], reason=row[2], items=row[3], requests=row[4], last=row[5])
        for row in connection.execute("SELECT * FROM tally")
    ]
    since = now - now % _SLOT - _WINDOW * _SLOT
    waiting = [
        Waiting(
            sender=row[0],
            requests=row[1],
            items=row[2],
            oldest=row[3],
            came=row[4] * 1e9 / (now - since),
            went=row[5] * 1e9 / (now - since),
        )
        for row in connection.execute(_WAITING, (since,))
    ]
    return Books(backlog=backlog(connection), tallies=tallies, waiting=waiting)


def backlog(connection: sqlite3.Connection) -> Backlog:
    """What waits, in all, by one statement: of one instant."""
    row = connection.execute(
        "SELECT coalesce(sum(requests), 0), coalesce(sum(items), 0), (SELECT min(received) FROM turns) FROM held"
    ).fetchone()
    return Backlog(requests=row[0], items=row[1], oldest=row[2])


_WAITING: Final = """
SELECT sender, sum(requests), sum(items), min(oldest), sum(came), sum(went) FROM (
    SELECT sender, requests, items, (
        SELECT received FROM turns WHERE turns.sender = held.sender ORDER BY seq LIMIT 1
    ) AS oldest, 0 AS came, 0 AS went FROM held WHERE requests > 0
    UNION ALL
    SELECT sender, 0, 0, NULL, sum(came), sum(went) FROM flow WHERE slot >= ? GROUP BY sender
) GROUP BY sender ORDER BY sender
"""
