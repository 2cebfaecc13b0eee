"""Waiting for room in the inbox, for whatever reads faster than it is drained."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Inbox
from timeline.inbox.schema import RESERVE

BACKLOG: Final = 50_000  # items in the inbox beyond which it waits: live traffic goes first
_WAIT: Final = 0.2  # seconds


def wait_for_room(inbox: Inbox, folder: Path, go_on: Callable[[], bool] = lambda: True) -> bool:
    """Wait while the inbox has much to do; whether there is room, or ``go_on`` said no first. Raises
    ``QueueUnavailable`` where the disk is full."""
    while inbox.backlog().items > BACKLOG:
        if not go_on():
            return False
        time.sleep(_WAIT)
    if shutil.disk_usage(folder).free < RESERVE:
        raise QueueUnavailable(
            f"less than {RESERVE >> 20} MiB of disk are free", remedy="make room, then begin again"
        )
    return True
