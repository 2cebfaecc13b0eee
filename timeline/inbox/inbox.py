"""Accept, claim, release: the life of a request between its sender and the store."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

from timeline.errors import QueueUnavailable
from timeline.inbox import dirty as touches
from timeline.inbox.books import Backlog, Books, Entry, Tally, add, backlog, flowed, read
from timeline.inbox.dirty import Behind, Notes, Touched
from timeline.inbox.requests import Claimed, fetched, insert, let_go, remember
from timeline.inbox.schema import connect
from timeline.inbox.turns import several, tried, turns
from timeline.ingest.request import Accepted

__all__ = ["Backlog", "Books", "Claimed", "Entry", "Inbox", "Tally"]

LEASE = 60 * 10**9  # ns; far beyond the longest write, short enough to be waited for
SHARED = 500  # items of a batch while several send: what arrives meanwhile waits for no longer one
SETTLED = 60 * 10**9  # ns after its release when a fact is seen by every search of any store
RETRY_MEMORY = 7 * 86400 * 10**9  # how long the digest of a body is remembered


class Inbox:
    """One node's inbox. Safe to share between threads; each call is one transaction."""

    divisible = True  # of what was claimed together, some may be released before the others

    def __init__(self, path: Path) -> None:
        self._path = path
        self._local = threading.local()
        self._room = touches.Room()
        self._last = ""  # who was the last to have a turn
        self._alone_next = False  # whether one that was tried before has the next claim
        self._holder = f"{os.getpid()}.{_started(os.getpid())}"
        connect(path).close()

    @property
    def _connection(self) -> sqlite3.Connection:
        existing: sqlite3.Connection | None = getattr(self._local, "connection", None)
        if existing is None:
            existing = self._local.connection = connect(self._path)
        return existing

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        connection = self._connection
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
                raise
        except sqlite3.Error as error:
            raise QueueUnavailable(
                f"the inbox {self._path.name} did not take a write: {error}",
                remedy="check that the disk has room and is healthy; nothing was acknowledged",
            ) from error

    def accept(
        self, requests: Sequence[Accepted], entries: Sequence[Entry] = (), *, mark: bytes = b""
    ) -> None:
        """Commit requests and their accounting to disk; returns when they are durable. ``mark`` is remembered
        like a digest, for ``knows``."""
        with self._transaction() as connection:
            # stamped when the commit is at hand: what waited for the disk was not received before
            received = time.time_ns()
            came: Counter[str] = Counter()
            for request in requests:
                known = connection.execute(
                    "SELECT 1 FROM digests WHERE digest = ?", (request.digest,)
                ).fetchone()
                if known is not None:
                    add(connection, [Entry(sender=request.sender, what="retried", items=request.items)])
                insert(connection, request, received, retried=known is not None)
                came[request.sender] += request.items
            if mark:
                remember(connection, mark, received)
            add(connection, entries)
            flowed(connection, received, came=came)

    def account(self, entries: Sequence[Entry]) -> None:
        """Record what never became a request: refusals and discarded metrics."""
        with self._transaction() as connection:
            add(connection, entries)

    def claim(self, *, items: int = 4000, size: int = 16 << 20) -> tuple[str, list[Claimed]]:
        """Lease free requests, up to ``items`` and ``size`` bytes (at least one), by turns of their senders.

        Returns the lease and the requests, in the order in which they came. A request that was
        claimed before and never came back comes alone, so that a poison one harms no neighbours, and
        in turns with the others, so that it holds up none. Leases of dead processes of this machine
        count as free at once, others when they run out.
        """
        now = time.time_ns()
        lease = f"{self._holder}.{uuid.uuid4().hex}"
        with self._transaction() as connection:
            self._free_dead(connection)
            if items > SHARED and several(connection, now):
                items = SHARED
            alone = tried(connection, now)
            batch: dict[int, Claimed] = {}
            if alone is None or not self._alone_next:
                batch = self._by_turns(connection, now, items, size)
            self._alone_next = alone is not None and bool(batch)
            if alone is not None and not batch:
                batch = {alone: fetched(connection, alone)}
            connection.executemany(
                "UPDATE turns SET lease = ?, lease_until = ?, attempts = attempts + 1 WHERE seq = ?",
                [(lease, now + LEASE, seq) for seq in batch],
            )
        return lease, [batch[seq] for seq in sorted(batch)]

    def _by_turns(
        self, connection: sqlite3.Connection, now: int, items: int, size: int
    ) -> dict[int, Claimed]:
        batch: dict[int, Claimed] = {}
        had: set[str] = set()
        total = weight = 0
        with closing(turns(connection, now, self._last)) as order:
            for turn in order:
                claimed = fetched(connection, turn.seq)
                total += max(claimed.request.items, 1)
                weight += len(claimed.request.body)
                if batch and (total > items or weight > size):
                    break
                batch[turn.seq] = claimed
                self._last = self._last if turn.sender in had else turn.sender
                had.add(turn.sender)
        return batch

    def release(
        self, lease: str, outcome: Mapping[str, Sequence[Entry]], *, dirty: Iterable[Touched] = ()
    ) -> int:
        """Let go of requests whose every item is stored or quarantined.

        ``outcome`` maps request id to its accounting; ``dirty`` names the entities that their
        facts touched, as (workspace, ``type:id``). Requests that another worker has
        taken over meanwhile are left alone and not counted; returns how many were ours.
        """
        released, oldest = 0, time.time_ns()
        with self._transaction() as connection:
            entries: list[Entry] = []
            for request, lines in outcome.items():
                received = let_go(connection, request, lease)
                if received is not None:
                    released += 1
                    oldest = min(oldest, received)
                    entries.extend(lines)
            now = time.time_ns()
            connection.execute("DELETE FROM settling WHERE released < ?", (now - SETTLED,))
            if released:
                connection.execute("INSERT INTO settling VALUES (?, ?)", (now, oldest))
            add(connection, entries)
            flowed(connection, now, went=_items_by_sender(entries))
            touches.note(connection, dirty, self._room)
        return released

    def split(self, lease: str, request: str, pieces: Sequence[Accepted], *, attempts: int) -> bool:
        """Put pieces in the place of a request that is held under this lease, each as if claimed ``attempts``
        times; whether it was. Together they have the items of the whole."""
        with self._transaction() as connection:
            received = let_go(connection, request, lease)
            if received is None:
                return False
            for piece in pieces:
                insert(connection, piece, received, retried=piece.retried)
                connection.execute(
                    "UPDATE turns SET attempts = ? WHERE seq = (SELECT seq FROM requests WHERE id = ?)",
                    (attempts, piece.id),
                )
            return True

    def knows(self, digest: bytes) -> bool:
        """Whether a request of this digest was accepted in the last seven days."""
        return bool(self._read("SELECT 1 FROM digests WHERE digest = ?", (digest,)))

    def touch(self, entities: Iterable[Touched]) -> None:
        """Note entities, as (workspace, ``type:id``), whose summaries are to be made anew."""
        with self._transaction() as connection:
            touches.note(connection, entities, self._room)

    def touched(self, before: int, *, limit: int) -> Notes:
        """Entities that were touched before ``before`` (ns), the longest ago first, about ``limit``."""
        with self._reading() as connection:
            return touches.notes(connection, before, limit)

    def summarised(self, notes: Notes, *, left: Sequence[Touched] = ()) -> None:
        """Drop these notes: all their entities but those ``left`` have their summaries."""
        with self._transaction() as connection:
            touches.drop(connection, notes, left)

    def behind(self) -> Behind:
        """How far the summaries of what this node received are behind."""
        with self._reading() as connection:
            return touches.behind(connection)

    def found_again(self, before: int) -> None:
        """All touches that found no room before ``before`` (ns) have been noted again."""
        with self._transaction() as connection:
            touches.found_again(connection, before)

    def give_back(self, lease: str, *, attempted: bool = False, wait: int = 0) -> None:
        """Free a lease. Where what failed passes by itself (a store that is away) it was no
        attempt; ``attempted`` keeps the count, so that a request at fault ends up alone. Nobody
        takes the requests again before ``wait`` ns have passed, so that others have their turn."""
        with self._transaction() as connection:
            connection.execute(
                "UPDATE turns SET lease = '', lease_until = ?, attempts = max(attempts - ?, 0)"
                " WHERE lease = ? AND lease != ''",
                (time.time_ns() + wait if wait else 0, 0 if attempted else 1, lease),
            )

    def survived(self, lease: str) -> None:
        """These requests have harmed nobody: whatever ends their worker from here on is not their doing."""
        with self._transaction() as connection:
            connection.execute("UPDATE turns SET attempts = 0 WHERE lease = ? AND lease != ''", (lease,))

    def backlog(self) -> Backlog:
        """What is accepted and not yet released, as of now."""
        with self._reading() as connection:
            return backlog(connection)

    def settling(self, lag: int) -> int | None:
        """When the oldest of what was released in the last ``lag`` ns was received; ask for the backlog first."""
        if not lag:
            return None
        rows = self._read("SELECT min(oldest) FROM settling WHERE released > ?", (time.time_ns() - lag,))
        return rows[0][0]

    def waits(self) -> bool:
        """Whether any request is free to be claimed."""
        return bool(self._read("SELECT 1 FROM turns WHERE lease_until < ? LIMIT 1", (time.time_ns(),)))

    def size(self) -> int:
        """Bytes in use by what waits (free pages left out)."""
        page, pages, free = (
            self._read(f"PRAGMA {name}")[0][0] for name in ("page_size", "page_count", "freelist_count")
        )
        return int(page * (pages - free))

    def snapshot(self) -> tuple[Backlog, list[Tally]]:
        """Backlog and accounting of one instant: together they always add up."""
        books = self.books()
        return books.backlog, books.tallies

    def books(self) -> Books:
        """Accounting and what waits, of each sender, all of one instant."""
        with self._reading() as connection:
            connection.execute("BEGIN")
            try:
                return read(connection, time.time_ns())
            finally:
                connection.execute("COMMIT")

    def forget_digests(self) -> None:
        """Drop digests older than the retry memory; called by a periodic task."""
        with self._transaction() as connection:
            connection.execute("DELETE FROM digests WHERE at < ?", (time.time_ns() - RETRY_MEMORY,))

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            yield self._connection
        except sqlite3.Error as error:
            raise QueueUnavailable(f"the inbox cannot be read: {error}", remedy="check the disk") from error

    def _read(self, sql: str, values: tuple[object, ...] = ()) -> list[tuple[int, ...]]:
        with self._reading() as connection:
            return connection.execute(sql, values).fetchall()

    def _free_dead(self, connection: sqlite3.Connection) -> None:
        holders = connection.execute("SELECT DISTINCT lease FROM turns WHERE lease != ''").fetchall()
        dead = [(lease,) for (lease,) in holders if not _alive(lease)]
        connection.executemany(
            "UPDATE turns SET lease = '', lease_until = 0 WHERE lease = ? AND lease != ''", dead
        )


def _items_by_sender(entries: Sequence[Entry]) -> Counter[str]:
    found: Counter[str] = Counter()
    for entry in entries:
        found[entry.sender] += entry.items
    return found


def _started(pid: int) -> str:
    """Start time of a process, so that a reused pid is not taken for the old one."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except (OSError, IndexError):
        return "0"


def _alive(lease: str) -> bool:
    try:
        pid, started, _ = lease.split(".", 2)
        return started == "0" or _started(int(pid)) == started
    except (ValueError, AttributeError):
        return False  # the disk changed it: nobody can hold that
