"""Processes that must not outlive the one that watches them."""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import signal
import sys


def spawner() -> int:
    """The pid of the process that made this one, also where it is dead by now: whoever asks the
    kernel then is told of process 1, which may be a real parent in a container."""
    parent = multiprocessing.parent_process()
    return os.getppid() if parent is None or parent.pid is None else parent.pid


def die_with(parent: int) -> None:
    """End this process with its parent (``parent`` is the parent's pid), so that nobody is left behind
    holding a port or a lock. Linux only; elsewhere an orphan ends when it is asked to."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)
