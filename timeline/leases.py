"""Periodic work that one node of several does: a row per task says whose turn it is.

Every node's clock ticks; whoever finds a task due and free takes it for a while and renews that while
working. A holder that dies lets the lease run out, one that was paused finds it taken: what it
still does must be harmless, and its end is not recorded.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import Error, connection

from timeline.models import Lease

log = logging.getLogger(__name__)
LENGTH = 60 * 10**9  # ns a holder may be silent before others take over
_RENEWAL = 15.0  # seconds


@contextmanager
def turn(task: str, *, node: str, every: float) -> Iterator[bool]:
    """Whether this process is to do ``task`` now, which is due ``every`` so many seconds.

    Where it is, the lease is renewed until the block ends, and the task counts as done unless the
    block raised: then it is due again at once, for any node.
    """
    now = time.time_ns()
    holder = f"{os.getpid()}.{uuid.uuid4().hex}"
    Lease.objects.get_or_create(task=task)
    due = Lease.objects.filter(task=task, until__lt=now, done__lte=now - int(every * 10**9))
    if not due.update(node=node, holder=holder, until=now + LENGTH):
        yield False
        return
    mine = Lease.objects.filter(task=task, holder=holder)
    ended = threading.Event()
    renewing = threading.Thread(target=_renew, args=(task, holder, ended), name=f"lease {task}", daemon=True)
    renewing.start()
    try:
        yield True
    except BaseException:
        ended.set()
        mine.update(until=0)
        raise
    ended.set()
    if not mine.update(until=0, done=now):
        log.warning("%s was taken over by another node while this one stood still", task)


def _renew(task: str, holder: str, ended: threading.Event) -> None:
    while not ended.wait(_RENEWAL):
        try:
            if not Lease.objects.filter(task=task, holder=holder).update(until=time.time_ns() + LENGTH):
                break
        except Error as error:
            log.warning("the lease of %s could not be renewed: %s", task, error)
        finally:
            connection.close()
