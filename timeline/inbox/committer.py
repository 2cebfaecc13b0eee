"""Group commit: many senders wait on one fsync."""

from __future__ import annotations

import queue
import threading
from concurrent.futures import Future

from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted

_GROUP = 64  # requests per transaction: bounds how long the writer lock is held
_Job = tuple[list[Accepted], list[Entry], "Future[None]"]


class Committer:
    """Collects what threads want accepted and commits it together.

    One transaction at a time: while it is fsynced, the next group gathers. ``accept`` returns
    when the caller's request is durable or raises ``QueueUnavailable``.
    """

    def __init__(self, inbox: Inbox, *, waiting: int = 1024) -> None:
        self._inbox = inbox
        self._jobs: queue.Queue[_Job] = queue.Queue(maxsize=waiting)
        self._thread = threading.Thread(target=self._run, name="inbox-committer", daemon=True)
        self._thread.start()

    def accept(self, request: Accepted | None, entries: list[Entry], *, timeout: float = 20) -> None:
        """Wait until the request (if any) and its accounting are on disk."""
        done: Future[None] = Future()
        try:
            self._jobs.put(([request] if request else [], entries, done), timeout=1)
        except queue.Full as error:
            raise QueueUnavailable(
                "too many requests wait for the disk", remedy="send again in a second"
            ) from error
        try:
            done.result(timeout)
        except TimeoutError as error:
            raise QueueUnavailable(
                f"the disk took longer than {timeout} s", remedy="send again: what was stored is recognised"
            ) from error

    def _run(self) -> None:
        while True:
            group = [self._jobs.get()]
            while len(group) < _GROUP and not self._jobs.empty():
                group.append(self._jobs.get_nowait())
            requests = [request for job in group for request in job[0]]
            entries = [entry for job in group for entry in job[1]]
            try:
                self._inbox.accept(requests, entries)
            except Exception as error:  # noqa: BLE001 - handed to every waiting sender
                for _, _, done in group:
                    done.set_exception(error)
            else:
                for _, _, done in group:
                    done.set_result(None)
