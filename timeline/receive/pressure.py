"""Whether the inbox can take more: its high-water mark and the disk's reserve."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Final

from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Inbox
from timeline.inbox.schema import RESERVE

_AGE: Final = 0.25  # seconds a reading is believed


class Pressure:
    """Reads the inbox's size and the free disk at most four times a second."""

    def __init__(self, inbox: Inbox, folder: Path, *, most: int) -> None:
        self._inbox = inbox
        self._folder = folder
        self._most = most
        self._lock = threading.Lock()
        self._read_at = 0.0
        self._problem: QueueUnavailable | None = None

    @property
    def problem(self) -> QueueUnavailable | None:
        """What the last reading found, without reading again; ``None`` where it is old."""
        return self._problem if time.monotonic() - self._read_at < _AGE else None

    def check(self) -> None:
        """Raises ``QueueUnavailable`` while nothing more may be taken."""
        if time.monotonic() - self._read_at >= _AGE and self._lock.acquire(blocking=False):
            try:
                self._problem = self._find()
                self._read_at = time.monotonic()
            finally:
                self._lock.release()
        if self._problem is not None:
            raise self._problem

    def _find(self) -> QueueUnavailable | None:
        try:
            size = self._inbox.size()
            disk = os.statvfs(self._folder)
        except QueueUnavailable as error:
            return error
        except OSError as error:
            return QueueUnavailable(f"the data folder cannot be read: {error}", remedy="check the disk")
        if size >= self._most:
            return QueueUnavailable(
                f"the inbox holds {size >> 20} MiB, its limit is {self._most >> 20} MiB",
                remedy="send again; if this stays, look at the worker or raise THROUGHLINE_INBOX_MAX_MIB",
            )
        if disk.f_bavail * disk.f_frsize < RESERVE:
            return QueueUnavailable(
                f"less than {RESERVE >> 20} MiB of disk are free",
                remedy="send again in a second, and make room",
            )
        return None
