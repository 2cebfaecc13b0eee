"""The dictionaries of an index, as files beside it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final


def write_durably(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` so that a crash leaves all of it or nothing."""
    draft = path.with_suffix(path.suffix + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


class FolderShelf:
    """One file a dictionary; the folder has one writer, so no number is ever taken."""

    remedy: Final = (
        "stop the worker and restore the index folder from its backup as a whole: its files belong together"
    )

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def _path(self, number: int) -> Path:
        return self._folder / f"facts-{number}.dictionary"

    def numbers(self) -> list[int]:
        """The dictionaries in the folder."""
        return sorted(int(path.stem.split("-")[1]) for path in self._folder.glob("facts-*.dictionary"))

    def load(self, number: int) -> bytes | None:
        """A dictionary, if it can be read."""
        try:
            return self._path(number).read_bytes()
        except OSError:
            return None

    def keep(self, number: int, data: bytes) -> bool:
        """Keep a new dictionary durably."""
        write_durably(self._path(number), data)
        return True
