"""The receiver's heartbeat: what it holds, and when it was away.

Absence is only proven over a time in which a receiver ran, so every stretch without one is
written down as an ``Outage``, restarts included.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Final

import msgspec
from django.db import Error, close_old_connections, transaction

from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Inbox
from timeline.models import Node, Outage

log = logging.getLogger(__name__)
_ROLE: Final = "receiver"
_PERIOD: Final = 1.0  # seconds
_PAUSED: Final = 5.0  # seconds between two beats after which the process must have stood still


class Heartbeat(threading.Thread):
    """Writes one row a second; a database that is away is asked again, patiently."""

    def __init__(self, inbox: Inbox, node: str) -> None:
        super().__init__(name="heartbeat", daemon=True)
        self._inbox = inbox
        self._node = node
        self._started_at = time.time_ns()
        self._gaps: list[tuple[int, str]] = []  # ends of stretches away, not yet written, with their reason
        self._first = True
        self._failing = False
        self._stop_asked = threading.Event()

    def stop(self) -> None:
        """Beat once more, then end."""
        self._stop_asked.set()
        self.join(3)

    def run(self) -> None:
        """Beat until asked to stop."""
        stopping = False
        while not stopping:
            self._try()
            before = time.monotonic()
            stopping = self._stop_asked.wait(_PERIOD)
            if time.monotonic() - before > _PAUSED:
                self._gaps.append((time.time_ns(), "the receiver was paused"))
        self._try()

    def _try(self) -> None:
        try:
            self.beat()
            self._failing = False
        except (Error, QueueUnavailable) as error:
            if not self._failing:
                log.warning("the heartbeat waits: %s", error)
            self._failing = True
            close_old_connections()

    def beat(self) -> None:
        """Write what the inbox holds now, and any stretch since the last beat in which nothing ran."""
        now = time.time_ns()  # before the snapshot: what is accepted later is not vouched for
        books = self._inbox.books()
        backlog = books.backlog
        state = {
            "started": self._started_at,
            "beat": now,
            "pending_requests": backlog.requests,
            "pending_items": backlog.items,
            "oldest_pending": backlog.oldest,
            "tally": msgspec.to_builtins(books.tallies),
            "waiting": msgspec.to_builtins(books.waiting),
        }
        with transaction.atomic():
            known = Node.objects.filter(name=self._node, role=_ROLE).first()
            if known is None:
                Node.objects.create(name=self._node, role=_ROLE, since=self._started_at, **state)
            else:
                self._record_gaps(known.beat)
                Node.objects.filter(pk=known.pk).update(**state)
        self._first = False
        self._gaps.clear()

    def _record_gaps(self, last: int) -> None:
        gaps = (
            [(self._started_at, "the receiver was not running"), *self._gaps] if self._first else self._gaps
        )
        for end, reason in gaps:
            if end > last:
                Outage.objects.create(node=self._node, start=last, end=end, reason=reason)
                last = end
