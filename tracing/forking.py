"""Which process this is: what was begun before a fork is the parent's to end.

A forked child has a copy of every open span and of every lock. ``generation`` tells a copy from an own one; ``track``
has locks renewed that a thread may have held which the child has not got.
"""

from __future__ import annotations

import os
import weakref
from typing import Protocol

from tracing.guard import guarded

generation = 0  # how many forks lie between this process and the first


class Forked(Protocol):
    """Something that a fork concerns."""

    def forked(self) -> None:
        """Called in the child."""


_tracked: weakref.WeakSet[Forked] = weakref.WeakSet()


def track(one: Forked) -> None:
    """Have ``forked`` called in every child, for as long as it lives."""
    _tracked.add(one)


def _in_child() -> None:
    global generation
    generation += 1
    for one in list(_tracked):
        with guarded("fork"):
            one.forked()


os.register_at_fork(after_in_child=_in_child)
