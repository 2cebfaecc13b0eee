"""Refusals, kept for people to see, without ever holding up a sender.

Any thread notes what was refused; one thread adds it up and writes five times a second, to
the inbox's accounting and to the ``Refusal`` rows. A flood costs additions, not writes.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

import msgspec
from django.db import Error, close_old_connections

from timeline import records
from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Entry, Inbox

log = logging.getLogger(__name__)
_PERIOD: Final = 0.2  # seconds between writes
_SAMPLE: Final = 64 << 10  # bytes of a sample
_MESSAGE: Final = 1000
_KINDS: Final = 2000  # different refusals held while the database is away
_MINUTE: Final = 60 * 10**9


class _Key(msgspec.Struct, frozen=True):
    minute: int
    workspace: str
    sender: str
    signal: str
    reason: str


class _Sum(msgspec.Struct):
    items: int
    first: int
    last: int
    message: str
    sample: bytes


class Refusals(threading.Thread):
    """Adds up what was refused or discarded and writes it down behind the senders' backs."""

    def __init__(self, inbox: Inbox) -> None:
        super().__init__(name="refusals", daemon=True)
        self._inbox = inbox
        self._lock = threading.Lock()
        self._sums: dict[_Key, _Sum] = {}
        self._counts: dict[tuple[str, str, str], int] = {}
        self._stop_asked = threading.Event()
        self._noted = threading.Event()

    def note(
        self,
        *,
        workspace: str,
        sender: str,
        signal: str,
        reason: str,
        message: str,
        items: int = 1,
        sample: bytes = b"",
    ) -> None:
        """Remember refused items; ``sample`` is some of their bytes, cut to 64 KiB."""
        now = time.time_ns()
        key = _Key(now - now % _MINUTE, workspace, sender[:100], signal, reason[:64])
        with self._lock:
            known = self._sums.get(key)
            if known is not None:
                known.items += items
                known.last = now
            elif len(self._sums) < _KINDS:
                self._sums[key] = _Sum(items, now, now, message[:_MESSAGE], bytes(sample[:_SAMPLE]))
        self._noted.set()

    def count(self, *lines: tuple[str, str, str]) -> None:
        """Account for an item that never becomes a request, by sender, kind and reason; all lines at once."""
        with self._lock:
            for line in lines:
                self._counts[line] = self._counts.get(line, 0) + 1
        self._noted.set()

    @property
    def waiting(self) -> int:
        """How many kinds of refusals are not yet written."""
        return len(self._sums)

    def stop(self) -> None:
        """Write what is left, then end."""
        self._stop_asked.set()
        self._noted.set()
        self.join(5)

    def run(self) -> None:
        """Write as long as there is something; a locked database is asked again."""
        while not self._stop_asked.is_set():
            self._noted.wait()
            self._noted.clear()
            self._stop_asked.wait(_PERIOD)
            if not self.flush():
                self._stop_asked.wait(1)
                self._noted.set()
        self.flush()

    def flush(self) -> bool:
        """Write everything noted so far; false where something must be tried again."""
        with self._lock:
            counts, self._counts = self._counts, {}
            sums, self._sums = self._sums, {}
        return self._account(counts) & self._keep(sums)

    def _account(self, counts: dict[tuple[str, str, str], int]) -> bool:
        if not counts:
            return True
        try:
            self._inbox.account(
                [Entry(sender=s, what=w, reason=r, items=n) for (s, w, r), n in counts.items()]
            )
        except QueueUnavailable as error:
            log.warning("the accounting of refusals waits: %s", error)
            with self._lock:
                for key, items in counts.items():
                    self._counts[key] = self._counts.get(key, 0) + items
            return False
        return True

    def _keep(self, sums: dict[_Key, _Sum]) -> bool:
        try:
            for key, found in list(sums.items()):
                records.refused(
                    workspace=key.workspace,
                    sender=key.sender,
                    signal=key.signal,
                    reason=key.reason,
                    message=found.message,
                    items=found.items,
                    first=found.first,
                    last=found.last,
                    sample=found.sample,
                )
                del sums[key]
        except Error as error:
            log.warning("%d kinds of refusals wait for the database: %s", len(sums), error)
            close_old_connections()
            self._put_back(sums)
            return False
        return True

    def _put_back(self, sums: dict[_Key, _Sum]) -> None:
        with self._lock:
            for key, found in sums.items():
                newer = self._sums.get(key)
                if newer is not None:
                    found.items += newer.items
                    found.last = newer.last
                self._sums[key] = found
