"""A request as its row: put in, read back, and what is left of one that the disk has changed."""

from __future__ import annotations

import json
import logging
import sqlite3
import time

import msgspec

from timeline.ingest.request import Accepted

log = logging.getLogger(__name__)
_COLUMNS = (
    "id, signal, encoding, headers, body, received, workspace, sender, digest, items, retried, environment"
)


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """A leased request and how often it has been claimed before."""

    request: Accepted
    attempts: int


def insert(connection: sqlite3.Connection, request: Accepted, received: int, *, retried: bool) -> None:
    """Put a request in, to be claimed from now on."""
    connection.execute(
        f"INSERT INTO requests ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - fixed column names
        (
            request.id,
            request.signal,
            request.content_encoding,
            json.dumps(request.headers),
            request.body,
            received,
            request.workspace,
            request.sender,
            request.digest,
            request.items,
            retried,
            request.environment,
        ),
    )
    remember(connection, request.digest, received)


def remember(connection: sqlite3.Connection, digest: bytes, at: int) -> None:
    """Know this digest again."""
    connection.execute(
        "INSERT INTO digests VALUES (?, ?) ON CONFLICT DO UPDATE SET at = excluded.at", (digest, at)
    )


def fetched(connection: sqlite3.Connection, seq: int) -> Claimed:
    """The request of a turn; one whose row cannot be read is a damaged one, and stops no other."""
    try:
        row = connection.execute(
            f"SELECT {_COLUMNS}, (SELECT attempts FROM turns WHERE turns.seq = requests.seq)"  # noqa: S608 - fixed column names
            " FROM requests WHERE seq = ?",
            (seq,),
        ).fetchone()
        return Claimed(request=_request(row), attempts=row[12])
    except (sqlite3.OperationalError, ValueError, TypeError) as error:
        # text that is no UTF-8, JSON that is none, a value of another type: the disk changed it
        log.warning("request %d of the inbox is damaged: %s", seq, error)
        return _damaged(connection, seq)


def _damaged(connection: sqlite3.Connection, seq: int) -> Claimed:
    """What is left of a row: it can be set aside and let go of, under an id of its own."""
    name = f"damaged-{seq}"
    connection.execute("UPDATE requests SET id = ? WHERE seq = ?", (name, seq))
    (body,) = connection.execute("SELECT CAST(body AS BLOB) FROM requests WHERE seq = ?", (seq,)).fetchone()
    items, received, attempts, sender = connection.execute(
        "SELECT items, received, attempts, CAST(sender AS BLOB) FROM turns WHERE seq = ?", (seq,)
    ).fetchone()
    request = Accepted(
        id=name,
        signal="logs",
        content_encoding="",
        headers={"content-type": "none, since its row was damaged on the disk"},
        body=body if isinstance(body, bytes) else b"",
        received=received if isinstance(received, int) else time.time_ns(),
        sender=(sender or b"").decode("utf-8", "replace"),
        items=items if isinstance(items, int) and items > 0 else 1,
    )
    return Claimed(request=request, attempts=attempts if isinstance(attempts, int) else 0)


def let_go(connection: sqlite3.Connection, request: str, lease: str) -> int | None:
    """Drop a request that is held under this lease; when it was received, or ``None`` where it is not."""
    gone = connection.execute(
        "DELETE FROM requests WHERE id = ? AND EXISTS"
        " (SELECT 1 FROM turns WHERE turns.seq = requests.seq AND lease = ?) RETURNING received",
        (request, lease),
    ).fetchone()
    if gone is None:
        return None
    return gone[0] if isinstance(gone[0], int) else time.time_ns()


def _request(row: tuple[object, ...]) -> Accepted:
    return msgspec.convert(
        {
            "id": row[0],
            "signal": row[1],
            "content_encoding": row[2],
            "headers": json.loads(str(row[3])),
            "body": row[4],
            "received": row[5],
            "workspace": row[6],
            "sender": row[7],
            "digest": row[8],
            "items": row[9],
            "retried": bool(row[10]),
            "environment": row[11],
        },
        Accepted,
    )
