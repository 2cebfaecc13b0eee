"""How long one question waits for a store in all, however many requests it takes.

Only waiting counts: what a question computes with the answers is its own affair. Who writes, or
works in the background, sets no limit.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(slots=True)
class _Limit:
    """Seconds: of waiting in all, what is left of it, and what may be given back for answers."""

    whole: float
    left: float
    spare: float


_limit: ContextVar[_Limit | None] = ContextVar("patience", default=None)


@contextmanager
def patience(seconds: float, *, spare: float = 0.0) -> Iterator[None]:
    """What is asked inside waits for so many seconds in all; with ``spare``, so many more for answers that came:
    a large question to a slow store gets on, and a silent one is given up as soon as before.

    Inside another limit no longer than that one has left, and what is waited counts there, too.
    """
    around, most = _limit.get(), left()
    whole = seconds if most is None else min(seconds, most)
    inner = _Limit(whole, whole, spare)
    token = _limit.set(inner)
    try:
        yield
    finally:
        _limit.reset(token)
        if around is not None:
            around.left -= inner.whole - inner.left


def left() -> float | None:
    """Seconds that may still be waited, 0 at least; ``None`` where nobody set a limit."""
    limit = _limit.get()
    return None if limit is None else max(limit.left, 0.0)


def spent() -> float:
    """Seconds of the limit that are gone; 0 where nobody set one."""
    limit = _limit.get()
    return 0.0 if limit is None else limit.whole - limit.left


@contextmanager
def waiting() -> Iterator[None]:
    """What is done inside is waiting, and counts."""
    began = time.monotonic()
    try:
        yield
    finally:
        limit = _limit.get()
        if limit is not None:
            limit.left -= time.monotonic() - began


@contextmanager
def asking() -> Iterator[None]:
    """As ``waiting``, for an answer: where it comes, the wait is given back, as far as there is spare time."""
    before = spent()
    with waiting():
        yield
    limit = _limit.get()
    if limit is not None:
        back = min(spent() - before, limit.spare)
        limit.left, limit.spare = limit.left + back, limit.spare - back


def renewed() -> None:
    """Wait as long again: a long answer has brought its next part."""
    limit = _limit.get()
    if limit is not None:
        limit.left = limit.whole


def rest(seconds: float) -> None:
    """Let time pass before another try."""
    with waiting():
        time.sleep(seconds)
