"""How far the tap has read, in a file beside the inbox: what is in the inbox may lie before it, never behind."""

from __future__ import annotations

import fcntl
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from timeline.errors import QueueUnavailable

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS positions (
    cluster TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (cluster, topic, partition)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS followed (
    cluster TEXT NOT NULL, name TEXT NOT NULL, PRIMARY KEY (cluster, name)
) WITHOUT ROWID;
"""
Place = tuple[str, int]  # topic, partition


class Positions:
    """The next offset of each partition that was ever read.

    One process at a time has them: two would move each other's, and share the one row of the node by which
    verdicts know what waits. Raises ``QueueUnavailable`` for the second.
    """

    def __init__(self, folder: Path) -> None:
        self._lock = (folder / "tap.lock").open("w")  # goes with the process, however that ends
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            self._lock.close()
            raise QueueUnavailable(
                f"another tap runs with the data folder {folder}",
                remedy="give it all topics, or run this one as a node of its own, with another THROUGHLINE_NODE"
                " and THROUGHLINE_DATA_DIR",
            ) from error
        self._file = sqlite3.connect(
            folder / "tap.sqlite3", isolation_level=None, timeout=20, check_same_thread=False
        )
        self._file.executescript(f"PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; {_TABLES}")

    def known(self, cluster: str) -> dict[Place, int]:
        """Of one cluster."""
        rows = self._file.execute(
            "SELECT topic, partition, next FROM positions WHERE cluster = ?", (cluster,)
        )
        return {(topic, partition): following for topic, partition, following in rows}

    def reached(self, cluster: str, nexts: Mapping[Place, int]) -> None:
        """Note how far it is; durable when this returns."""
        self._file.execute("BEGIN IMMEDIATE")
        self._file.executemany(
            "INSERT INTO positions VALUES (?, ?, ?, ?) ON CONFLICT DO UPDATE SET next = excluded.next",
            [(cluster, topic, partition, following) for (topic, partition), following in nexts.items()],
        )
        self._file.execute("COMMIT")

    def followed(self, cluster: str) -> set[str]:
        """Names and patterns of topics that a tap has looked for."""
        rows = self._file.execute("SELECT name FROM followed WHERE cluster = ?", (cluster,))
        return {name for (name,) in rows}

    def follows(self, cluster: str, names: Iterable[str]) -> None:
        """Note what is looked for: what appears under these from now on is read from its first record."""
        self._file.executemany(
            "INSERT INTO followed VALUES (?, ?) ON CONFLICT DO NOTHING", [(cluster, name) for name in names]
        )

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
        self._lock.close()
