"""Inbox files as older versions wrote them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

_FIRST = """
CREATE TABLE requests (
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
CREATE TABLE digests (digest BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
CREATE INDEX digests_at ON digests (at);
CREATE TABLE tally (
    sender TEXT NOT NULL, what TEXT NOT NULL, reason TEXT NOT NULL,
    items INTEGER NOT NULL, requests INTEGER NOT NULL, last INTEGER NOT NULL,
    PRIMARY KEY (sender, what, reason)
) WITHOUT ROWID;
"""
_THIRD = """
CREATE INDEX waiting ON requests (received, items);
CREATE INDEX leases ON requests (lease_until, lease);
CREATE TABLE dirty (
    seq INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, touches INTEGER NOT NULL, names BLOB NOT NULL
);
CREATE TABLE settling (released INTEGER NOT NULL, oldest INTEGER NOT NULL);
CREATE TABLE lost_touches (
    one INTEGER PRIMARY KEY, first INTEGER NOT NULL, last INTEGER NOT NULL, touches INTEGER NOT NULL
);
"""


def write(path: Path, version: int) -> sqlite3.Connection:
    """An empty inbox of version 1 or 3, open."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.executescript(f"{_FIRST} {_THIRD if version == 3 else ''} PRAGMA user_version = {version};")
    return connection


def put(
    connection: sqlite3.Connection, name: str, *, lease: str = "", until: int = 0, attempts: int = 0
) -> None:
    """A waiting request of ten items by the sender ``feed``."""
    connection.execute(
        "INSERT INTO requests (id, signal, encoding, headers, body, received, workspace, sender, digest, items,"
        " retried, lease, lease_until, attempts) VALUES (?, 'traces', 'gzip', '{}', ?, 1790000000000000000,"
        " 'main', 'feed', ?, 10, 0, ?, ?, ?)",
        (name, name.encode(), name.encode(), lease, until, attempts),
    )
