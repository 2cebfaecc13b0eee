"""Accepts the rows of a file, each once: it may be killed at any moment and begun again.

How far it is, and which rows stood before, lies in a file beside the inbox. A part of the file is
accepted first and noted after that; what was accepted and not noted comes again with the same
identity, which the store knows.
"""

from __future__ import annotations

import hashlib
import secrets
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from timeline import records
from timeline.errors import BadQuery
from timeline.importing.mapping import BadRowError, Mapping, row_of
from timeline.importing.reading import Record
from timeline.inbox.books import Entry
from timeline.inbox.inbox import Inbox
from timeline.inbox.room import wait_for_room
from timeline.ingest.request import Accepted, digest_of
from timeline.ingest.rows import MEDIA, Row, Rows, encode
from timeline.redaction.requests import redacted_row
from timeline.redaction.rules import Redaction

PART: Final = 1_000  # rows of one request
_TABLES: Final = """
CREATE TABLE IF NOT EXISTS state (
    one INTEGER PRIMARY KEY, file TEXT, rows INTEGER, refused INTEGER, first INTEGER, last INTEGER
);
CREATE TABLE IF NOT EXISTS seen (content BLOB PRIMARY KEY, count INTEGER) WITHOUT ROWID;
"""
_ADVANCE: Final = """
UPDATE state SET rows = rows + ?1, refused = refused + ?2,
    first = coalesce(min(first, ?3), first, ?3), last = coalesce(max(last, ?4), last, ?4)
"""


class Sum(msgspec.Struct):
    """What became of a file's rows in this run, and in all of them."""

    accepted: int = 0
    refused: dict[str, int] = {}  # by reason
    before: int = 0  # rows of earlier runs, accepted or refused
    ever_refused: int = 0
    first: int | None = None  # ns UTC, of all runs
    last: int | None = None


class Refused(msgspec.Struct, frozen=True):
    """One row that was not taken."""

    line: int
    reason: str
    message: str
    sample: bytes


class Import:
    """One import of one file under one name."""

    def __init__(
        self,
        inbox: Inbox,
        folder: Path,
        mapping: Mapping,
        file: str,
        redaction: Callable[[], Redaction | None] = lambda: None,
    ) -> None:
        """``file`` tells this file from others; ``redaction`` gives the rules in force. Raises ``BadQuery`` where the name stands for another."""
        self._inbox, self._folder, self._mapping = inbox, folder, mapping
        self._redaction = redaction
        self._sender = f"import {mapping.name}"[:100]
        slug = hashlib.sha256(mapping.name.encode()).hexdigest()[:16]
        self._state = sqlite3.connect(folder / f"import-{slug}.sqlite3", isolation_level=None, timeout=20)
        self._state.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_TABLES}")
        self._state.execute("INSERT OR IGNORE INTO state VALUES (1, ?, 0, 0, NULL, NULL)", (file,))
        (known,) = self._state.execute("SELECT file FROM state").fetchone()
        if known != file:
            self._state.close()
            raise BadQuery(
                f"the import {mapping.name!r} was begun with another file or mapping",
                remedy="give this one a name of its own; rows that both have would else be told apart by it",
            )

    def close(self) -> None:
        """Let go of the file that says how far it is."""
        self._state.close()

    def run(
        self,
        found: Iterable[Record],
        *,
        told: Callable[[Refused], None] = lambda refused: None,
        stepped: Callable[[int], None] = lambda rows: None,
    ) -> Sum:
        """Accept all rows that were not accepted before; returns when the last is on disk.

        Raises ``QueueUnavailable`` where the inbox takes no more; begun again, it goes on there.
        """
        total = Sum()
        (total.before,) = self._state.execute("SELECT rows FROM state").fetchone()
        stepped(total.before)
        records = islice(iter(found), total.before, None)
        while part := list(islice(records, PART)):
            self._take(part, total, told)
            stepped(len(part))
        total.ever_refused, total.first, total.last = self._state.execute(
            "SELECT refused, first, last FROM state"
        ).fetchone()
        return total

    def _take(self, part: list[Record], total: Sum, told: Callable[[Refused], None]) -> None:
        rows, refused = self._judged(part)
        wait_for_room(self._inbox, self._folder)
        now = time.time_ns()
        contents: Counter[bytes] = Counter()
        ready = [msgspec.structs.replace(row, ordinal=self._ordinal(row, contents)) for row in rows]
        entries = [Entry(sender=self._sender, what="received", items=len(part))]
        reasons = Counter(each.reason for each in refused)
        entries += [
            Entry(sender=self._sender, what="refused", items=count, reason=reason)
            for reason, count in reasons.items()
        ]
        self._inbox.accept([self._request(ready)] if ready else [], entries)
        _noted(self._sender, refused, now)
        self._state.execute("BEGIN IMMEDIATE")
        self._state.executemany(
            "INSERT INTO seen VALUES (?, ?) ON CONFLICT DO UPDATE SET count = count + excluded.count",
            contents.items(),
        )
        times = [row.at for row in ready]
        self._state.execute(
            _ADVANCE,
            (len(part), len(refused), min(times, default=None), max(times, default=None)),
        )
        self._state.execute("COMMIT")
        total.accepted += len(ready)
        for each in refused:
            total.refused[each.reason] = total.refused.get(each.reason, 0) + 1
            told(each)

    def _judged(self, part: list[Record]) -> tuple[list[Row], list[Refused]]:
        rows: list[Row] = []
        refused: list[Refused] = []
        now, redaction = time.time_ns(), self._redaction()
        for record in part:
            if record.values is None:
                refused.append(Refused(record.line, record.reason, record.message, record.sample))
                continue
            try:
                row = row_of(self._mapping, record.values, now)
            except BadRowError as error:
                sample = msgspec.json.encode(record.values)[:4096]
                refused.append(Refused(record.line, error.reason, str(error), sample))
            else:
                rows.append(redacted_row(row, redaction) if redaction else row)
        if redaction is not None:  # nothing of what could not be read is kept
            refused = [Refused(each.line, each.reason, redaction.text(each.message), b"") for each in refused]
        return rows, refused

    def _ordinal(self, row: Row, contents: Counter[bytes]) -> int:
        content = row.content()
        before = self._state.execute("SELECT count FROM seen WHERE content = ?", (content,)).fetchone()
        contents[content] += 1
        return (before[0] if before else 0) + contents[content] - 1

    def _request(self, rows: list[Row]) -> Accepted:
        body = encode(Rows(name=self._mapping.name, rows=rows))
        request = Accepted(
            id=secrets.token_hex(8),
            signal="rows",
            content_encoding="",
            headers={"content-type": MEDIA},
            body=body,
            received=0,
            sender=self._sender,
            items=len(rows),
        )
        return msgspec.structs.replace(request, digest=digest_of(request))


def preview(found: Iterable[Record], mapping: Mapping, rows: int) -> Iterator[Row | Refused]:
    """The first rows as they would be taken, and refused; nothing is kept."""
    now = time.time_ns()
    for record in islice(found, rows):
        if record.values is None:
            yield Refused(record.line, record.reason, record.message, record.sample)
            continue
        try:
            yield row_of(mapping, record.values, now)
        except BadRowError as error:
            yield Refused(record.line, error.reason, str(error), b"")


def _noted(sender: str, refused: list[Refused], now: int) -> None:
    """For people to see on the senders page, one line a minute and reason."""
    by_reason: dict[str, list[Refused]] = {}
    for each in refused:
        by_reason.setdefault(each.reason, []).append(each)
    for reason, found in by_reason.items():
        records.refused(
            sender=sender,
            signal="rows",
            reason=reason,
            message=f"line {found[0].line}: {found[0].message}",
            items=len(found),
            first=now,
            last=now,
            sample=found[0].sample,
        )
