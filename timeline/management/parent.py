"""Processes that must not outlive the one that watches them."""

from __future__ import annotations

import ctypes
import os
import signal
import sys


def die_with(parent: int) -> None:
    """End this process with its parent (``parent`` is the parent's pid), so that nobody is left behind
    holding a port or a lock. Linux only; elsewhere an orphan ends when it is asked to."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:  # it ended before the kernel was told
            os._exit(1)
