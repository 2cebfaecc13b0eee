"""How long one question waits for a store in all, however many requests it takes.

Only waiting counts: what a question computes with the answers is its own affair. Who writes, or
works in the background, sets no limit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_left: ContextVar[list[float] | None] = ContextVar("patience", default=None)


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """What is asked inside waits for so many seconds in all.

    Inside another limit no longer than that one has left, and what is waited counts there, too.
    """
    around, most = _left.get(), left()
    limit = seconds if most is None else min(seconds, most)
    inner = [limit, limit]
    token = _left.set(inner)
    try:
        yield
    finally:
        _left.reset(token)
        if around is not None:
            around[0] -= inner[1] - inner[0]


def left() -> float | None:
    """Seconds that may still be waited, 0 at least; ``None`` where nobody set a limit."""
    limit = _left.get()
    return None if limit is None else max(limit[0], 0.0)


def spent() -> float:
    """Seconds of the limit that are gone; 0 where nobody set one."""
    limit = _left.get()
    return 0.0 if limit is None else limit[1] - limit[0]


@contextmanager
def waiting() -> Iterator[None]:
    """What is done inside is waiting, and counts."""
    began = time.monotonic()
    try:
        yield
    finally:
        limit = _left.get()
        if limit is not None:
            limit[0] -= time.monotonic() - began


def renewed() -> None:
    """Wait as long again: a long answer has brought its next part."""
    limit = _left.get()
    if limit is not None:
        limit[0] = limit[1]


def rest(seconds: float) -> None:
    """Let time pass before another try."""
    with waiting():
        time.sleep(seconds)
