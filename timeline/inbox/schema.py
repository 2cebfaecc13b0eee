"""The inbox file: its tables and how a connection is opened."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from timeline.errors import QueueUnavailable

VERSION = 4
RESERVE = 64 << 20  # bytes of disk that stay free: the index and the database need room too
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
    environment TEXT NOT NULL DEFAULT ''
);
-- apart from the bodies, which counting and claiming must neither walk past nor write again
CREATE TABLE IF NOT EXISTS turns (
    seq INTEGER PRIMARY KEY,
    sender TEXT NOT NULL,
    received INTEGER NOT NULL,
    items INTEGER NOT NULL,
    lease TEXT NOT NULL DEFAULT '',
    lease_until INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS turns_by_sender ON turns (sender, seq, received, lease_until, attempts, items);
CREATE INDEX IF NOT EXISTS turns_by_age ON turns (received);
CREATE INDEX IF NOT EXISTS turns_leased ON turns (lease) WHERE lease != '';
CREATE INDEX IF NOT EXISTS turns_tried ON turns (seq) WHERE attempts > 0;
-- what waits of each sender: counted as it comes and goes, since it is asked every second
CREATE TABLE IF NOT EXISTS held (
    sender TEXT PRIMARY KEY, requests INTEGER NOT NULL, items INTEGER NOT NULL
) WITHOUT ROWID;
-- by triggers, so that a process of an older version, which knows of none of this, keeps it right as well
CREATE TRIGGER IF NOT EXISTS turn_came AFTER INSERT ON turns BEGIN
    INSERT INTO held VALUES (NEW.sender, 1, NEW.items)
    ON CONFLICT (sender) DO UPDATE SET requests = requests + 1, items = items + excluded.items; END;
CREATE TRIGGER IF NOT EXISTS turn_went AFTER DELETE ON turns BEGIN
    UPDATE held SET requests = requests - 1, items = items - OLD.items WHERE sender = OLD.sender; END;
CREATE TRIGGER IF NOT EXISTS request_came AFTER INSERT ON requests BEGIN
    INSERT INTO turns (seq, sender, received, items)
    VALUES (NEW.seq, NEW.sender, NEW.received, NEW.items); END;
CREATE TRIGGER IF NOT EXISTS request_went AFTER DELETE ON requests BEGIN
    DELETE FROM turns WHERE seq = OLD.seq; END;
CREATE TABLE IF NOT EXISTS digests (digest BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS digests_at ON digests (at);
CREATE TABLE IF NOT EXISTS tally (
    sender TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL,
    items INTEGER NOT NULL, requests INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (sender, what, reason)
) WITHOUT ROWID;
-- items that came and went lately, by ten seconds
CREATE TABLE IF NOT EXISTS flow (
    slot INTEGER NOT NULL, sender TEXT NOT NULL, came INTEGER NOT NULL, went INTEGER NOT NULL,
    PRIMARY KEY (slot, sender)
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
_UNSUMMARISED = """
INSERT OR IGNORE INTO lost_touches SELECT 1, now, now, 1
    FROM (SELECT strftime('%s', 'now') * 1000000000 AS now);
"""
# up to the third, leases lay beside the bodies: those columns stay in its files, unused, since dropping them
# would write every body again
_TURNS = """
DROP INDEX IF EXISTS waiting;
DROP INDEX IF EXISTS leases;
ALTER TABLE requests ADD COLUMN environment TEXT NOT NULL DEFAULT '';
INSERT INTO turns SELECT seq, sender, received, items, lease, lease_until, attempts FROM requests;
"""


def connect(path: Path) -> sqlite3.Connection:
    """A connection to the inbox file, created where it is missing and brought up to this version.

    Raises ``QueueUnavailable`` where the file cannot be opened or was written by a newer
    version.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=20, isolation_level=None, check_same_thread=False)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA journal_size_limit = 67108864")
        version = _version(connection)
        if version > VERSION:
            raise QueueUnavailable(
                f"{path} was written by a newer version ({version}, this one knows {VERSION})",
                remedy="start the newer version again, or point THROUGHLINE_DATA_DIR elsewhere",
            )
        if version < VERSION:
            _bring_up(connection)
    except (sqlite3.Error, OSError) as error:
        raise QueueUnavailable(
            f"cannot open the inbox {path}: {error}",
            remedy="check that the folder is writable and the disk has room",
        ) from error
    return connection


def _bring_up(connection: sqlite3.Connection) -> None:
    """One transaction, by the first of the processes that find an older file."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        version = _version(connection)
        script = _TABLES if version < VERSION else ""
        script += _UNSUMMARISED if version == 1 else ""
        script += _TURNS if 0 < version < 4 else ""
        for statement in script.split(";\n"):
            connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])
