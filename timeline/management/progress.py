"""Long commands: how far they are, on a line of their own, and where to go on after an interruption."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path
from typing import Final, TextIO

import msgspec

_EVERY: Final = (0.5, 10.0)  # seconds between two lines: on a terminal, elsewhere
_WIDTH: Final = 24


class Progress:
    """A bar on a terminal, a line now and then elsewhere."""

    def __init__(self, what: str, total: int, stream: TextIO | None = None) -> None:
        self._what, self._total = what, max(total, 1)
        self._stream = stream or sys.stderr
        self._live = self._stream.isatty()
        self._began = self._shown = time.monotonic()
        self._done = 0

    def add(self, count: int) -> None:
        """So many more are done."""
        self._done += count
        now = time.monotonic()
        if now - self._shown >= _EVERY[0 if self._live else 1]:
            self._shown = now
            self._write(self.line())

    def line(self) -> str:
        """How far it is, in words."""
        share = min(self._done / self._total, 1.0)
        pace = self._done / max(time.monotonic() - self._began, 0.001)
        left = (self._total - self._done) / pace if pace and self._done < self._total else 0
        bar = "#" * round(share * _WIDTH)
        return (
            f"{self._what} [{bar:<{_WIDTH}}] {share:4.0%}  {self._done:,} of {self._total:,}"
            f"  {pace:,.0f}/s  {left / 60:.0f} min left"
        )

    def end(self) -> None:
        """Show the last state."""
        self._write(self.line())
        if self._live:
            self._stream.write("\n")

    def _write(self, line: str) -> None:
        self._stream.write(f"\r\x1b[2K{line}" if self._live else f"{line}\n")
        self._stream.flush()


class Checkpoint:
    """A moment that a command got to, kept in a file; forgotten with that file."""

    def __init__(self, folder: Path, *names: str) -> None:
        digest = hashlib.sha256("\0".join(names).encode()).hexdigest()[:12]
        self._path = folder / f"{names[0]}-{digest}.json"

    def read(self) -> dict[str, int]:
        """What was kept; nothing where the file is missing or damaged: then it starts anew."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=dict[str, int])
        except (FileNotFoundError, msgspec.DecodeError):
            return {}

    def write(self, **moments: int) -> None:
        """Keep these, whole or not at all."""
        draft = self._path.with_suffix(".new")
        with draft.open("wb") as file:
            file.write(msgspec.json.encode(moments))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)

    def forget(self) -> None:
        """Start anew next time."""
        self._path.unlink(missing_ok=True)
