"""Notes of the entities that new facts touched: what the summaries do not know yet.

A note is one row for all entities of one release, written in its transaction. It is dropped
after their summaries were put; everything between may be repeated.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from typing import Final

import msgspec

MAX_BYTES: Final = 64 << 20  # of all notes
_COUNTED: Final = 5.0  # seconds that a count of the bytes serves

Touched = tuple[str, str]  # workspace and entity (type:id)
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Touched]).decode


class Notes(msgspec.Struct, frozen=True, kw_only=True):
    """Entities whose summaries are behind, each once, since ``oldest`` (ns) at most."""

    entities: tuple[Touched, ...] = ()
    oldest: int = 0
    rows: tuple[int, ...] = ()


class Behind(msgspec.Struct, frozen=True, kw_only=True):
    """How far the summaries are behind: touches of entities, since when, and what was lost.

    ``lost`` counts touches that found no room since ``lost_since``; only reading everything
    again (``manage.py resummarise``) makes up for them.
    """

    touches: int
    oldest: int | None  # ns
    lost: int = 0
    lost_since: int | None = None  # ns


class Room:
    """How many more bytes there is room for; counted now and then, else reckoned."""

    def __init__(self) -> None:
        self._left, self._until = 0, 0.0

    def take(self, connection: sqlite3.Connection, size: int) -> bool:
        """Whether ``size`` bytes more fit; if so they count as used."""
        if time.monotonic() >= self._until:
            used = connection.execute("SELECT coalesce(sum(length(names)), 0) FROM dirty").fetchone()[0]
            self._left, self._until = MAX_BYTES - used, time.monotonic() + _COUNTED
        self._left -= size
        return self._left >= 0


def note(connection: sqlite3.Connection, entities: Iterable[Touched], room: Room) -> None:
    """Write down that these entities were touched; what finds no room is counted as lost."""
    touched = list(dict.fromkeys(entities))
    if not touched:
        return
    names, now = _encode(touched), time.time_ns()
    if room.take(connection, len(names)):
        connection.execute(
            "INSERT INTO dirty (at, touches, names) VALUES (?, ?, ?)", (now, len(touched), names)
        )
        return
    connection.execute(
        "INSERT INTO lost_touches VALUES (1, ?, ?, ?) ON CONFLICT DO UPDATE SET"
        " last = excluded.last, touches = touches + excluded.touches",
        (now, now, len(touched)),
    )


def notes(connection: sqlite3.Connection, before: int, limit: int) -> Notes:
    """The oldest notes of before ``before`` (ns): one at least, and no further than ``limit`` touches."""
    found: dict[Touched, None] = {}
    rows: list[int] = []
    touches, oldest = 0, before
    cursor = connection.execute(
        "SELECT seq, at, touches, names FROM dirty WHERE at < ? ORDER BY seq", (before,)
    )
    for seq, at, count, names in cursor:
        if rows and touches + count > limit:
            break
        rows.append(seq)
        touches, oldest = touches + count, min(oldest, at)
        found.update(dict.fromkeys(_decode(names)))
    cursor.close()
    return Notes(entities=tuple(found), oldest=oldest, rows=tuple(rows))


def drop(connection: sqlite3.Connection, done: Notes, left: Sequence[Touched]) -> None:
    """Drop notes but for the entities that are ``left``, which stay noted as of then."""
    connection.executemany("DELETE FROM dirty WHERE seq = ?", [(seq,) for seq in done.rows])
    if left:
        connection.execute(
            "INSERT INTO dirty (at, touches, names) VALUES (?, ?, ?)",
            (done.oldest, len(left), _encode(list(left))),
        )


def behind(connection: sqlite3.Connection) -> Behind:
    """How far the summaries are behind."""
    touches, oldest = connection.execute("SELECT coalesce(sum(touches), 0), min(at) FROM dirty").fetchone()
    lost = connection.execute("SELECT touches, first FROM lost_touches").fetchone() or (0, None)
    return Behind(touches=touches, oldest=oldest, lost=lost[0], lost_since=lost[1])


def found_again(connection: sqlite3.Connection, before: int) -> None:
    """Everything that was lost before ``before`` (ns) has been noted again."""
    connection.execute("DELETE FROM lost_touches WHERE last < ?", (before,))
