"""Fail open: nothing in ``tracing`` reaches the application as an exception.

What goes wrong inside the library is swallowed, counted by reason and readable through
``losses()``, so that a service can publish the figures as metrics.
"""

from __future__ import annotations

import os
import threading
from collections import Counter
from types import TracebackType

_counts: Counter[str] = Counter()
# reentrant: a collected loop ends its span, which may count, while its thread is in here
_lock = threading.RLock()


def lost(reason: str, count: int = 1) -> None:
    """Count something that was dropped or could not be recorded."""
    with _lock:
        _counts[reason] += count


def losses() -> dict[str, int]:
    """Everything this process dropped so far, by reason; empty where nothing was."""
    with _lock:
        return dict(_counts)


def _renew() -> None:
    global _lock
    _lock = threading.RLock()


# another thread may hold the lock while this one forks; in the child nobody would release it
os.register_at_fork(after_in_child=_renew)


class guarded:  # noqa: N801  used like a statement, as contextlib.suppress is
    """``with guarded("send span"):`` swallows any ``Exception`` inside and counts it."""

    __slots__ = ("_reason",)

    def __init__(self, reason: str) -> None:
        self._reason = reason

    def __enter__(self) -> None:
        return None

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> bool:
        if kind is None or not issubclass(kind, Exception):
            return False
        lost(self._reason)
        return True
