"""How far the tap has read, in a file beside the inbox: what is in the inbox may lie before it, never behind."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from timeline.errors import Rejected

_TABLES: Final = """
CREATE TABLE IF NOT EXISTS positions (
    cluster TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
    PRIMARY KEY (cluster, topic, partition)
) WITHOUT ROWID;
"""
_SETTINGS: Final = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL;"
_PATIENCE: Final = 5  # s; one that was stopped a moment ago lets go
Place = tuple[str, int]  # topic, partition


class Positions:
    """The next offset of each partition that was ever read; of one process alone, until it is closed.

    Raises ``Rejected`` where another has it: they would share one heartbeat, and the silence of one of them
    would not be seen.
    """

    def __init__(self, folder: Path) -> None:
        self._file = sqlite3.connect(
            folder / "tap.sqlite3", isolation_level=None, timeout=_PATIENCE, check_same_thread=False
        )
        try:
            self._file.executescript(f"PRAGMA locking_mode = EXCLUSIVE; {_SETTINGS} {_TABLES}")
        except sqlite3.OperationalError as error:
            self._file.close()
            raise Rejected(
                f"the tap's positions in {folder} cannot be opened ({error}): another tap runs there",
                remedy="name all topics in one tap; for another cluster, set up another node",
            ) from error

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

    def close(self) -> None:
        """Let go of the file."""
        self._file.close()
