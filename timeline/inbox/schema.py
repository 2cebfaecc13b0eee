"""The inbox file: its tables and how a connection is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from timeline.errors import QueueUnavailable

VERSION = 3
_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY AUTOINCREMENT,
    id TEXT NOT NULL UNIQUE,
    signal TEXT NOT NULL,
    encoding TEXT NOT NULL,
    headers TEXT NOT NULL,
    body BLOB NOT NULL,
    received INTEGER NOT NULL,
    workspace TEXT NOT NULL,
    sender TEXT NOT NULL,
    digest BLOB NOT NULL,
    items INTEGER NOT NULL,
    retried INTEGER NOT NULL,
    lease TEXT NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
);
-- what is asked every second must not walk past the bodies
CREATE INDEX IF NOT EXISTS waiting ON requests (received, items);
CREATE INDEX IF NOT EXISTS leases ON requests (lease_until, lease);
CREATE TABLE IF NOT EXISTS digests (digest BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS digests_at ON digests (at);
CREATE TABLE IF NOT EXISTS tally (
    sender TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL,
    items INTEGER NOT NULL, requests INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (sender, what, reason)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS dirty (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, touches INTEGER NOT NULL, names BLOB NOT NULL
);
-- released a moment ago, perhaps not yet seen by every search
CREATE TABLE IF NOT EXISTS settling (released INTEGER NOT NULL, oldest INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS lost_touches (
    one INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, touches INTEGER NOT NULL
);
"""

# the first version noted no entities: what it stored is in no summary until somebody asks for that
_UNSUMMARISED = (
    "INSERT OR IGNORE INTO lost_touches SELECT 1, now, now, 1"
    " FROM (SELECT strftime('%s', 'now') * 1000000000 AS now);"
)


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the inbox file, created where it is missing.

    Raises ``QueueUnavailable`` where the file cannot be opened or was written by a newer
    version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if version > VERSION:
            raise QueueUnavailable(
                f"{path} was written by a newer version ({version}, this one knows {VERSION})",
                remedy="start the newer version again, or point THROUGHLINE_DATA_DIR elsewhere",
            )
        if version < VERSION:
            more = _UNSUMMARISED if version == 1 else ""
            connection.executescript(
                f"BEGIN IMMEDIATE; {_TABLES} {more} PRAGMA user_version = {VERSION}; COMMIT;"
            )
    except (sqlite3.Error, OSError) as error:
        raise QueueUnavailable(
            f"cannot open the inbox {path}: {error}",
            remedy="check that the folder is writable and the disk has room",
        ) from error
    return connection
