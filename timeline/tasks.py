"""What Celery runs: the drain's hint and the periodic tasks. No task carries a payload."""

from __future__ import annotations

import gc
import logging
import random
import threading
import time

from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import DatabaseError, close_old_connections
from django.utils import timezone

from timeline import records, wiring
from timeline.errors import ThroughlineError, Unavailable
from timeline.indexing import Drain
from timeline.models import Arrival, Audit, Node, PartlyIndexed, Quarantined, Refusal, SignInLink

log = logging.getLogger(__name__)
_DAY = 86400 * 10**9
_BACK_OFF = (0.2, 10.0)  # seconds, first and longest
_slots = threading.BoundedSemaphore(settings.THROUGHLINE["THROUGHLINE_WORKER_THREADS"])


def drain_now() -> int:
    """Drain until nothing waits, or at once return 0 where enough threads already do."""
    if not _slots.acquire(blocking=False):
        return 0
    try:
        close_old_connections()
        return Drain(wiring.inbox(), wiring.writer(), records.rules).run()
    finally:
        _slots.release()


@shared_task(name="timeline.tasks.drain")
def drain() -> None:
    """A hint that something waits. Losing it loses nothing: the sweeper looks by itself."""
    try:
        drain_now()
    except Unavailable as error:
        log.warning("drain put off: %s", error)


@shared_task(name="timeline.tasks.expire")
def expire() -> None:
    """Remove facts older than the retention, and say how many went."""
    edge = time.time_ns() - settings.THROUGHLINE["THROUGHLINE_RETENTION_DAYS"] * _DAY
    gone = wiring.writer().expire(edge)
    Arrival.objects.filter(at__lt=edge).delete()
    PartlyIndexed.objects.filter(at__lt=edge, received__lt=edge).delete()
    Refusal.objects.filter(last__lt=edge).delete()
    kept = Quarantined.objects.filter(at__lt=edge).delete()[0]
    if kept:
        Audit.objects.create(who="retention", what="expire", detail="items in quarantine", rows=kept)
    if gone:
        Audit.objects.create(
            who="retention", what="expire", detail=f"facts placed before {edge} ns", rows=gone
        )


@shared_task(name="timeline.tasks.tidy")
def tidy() -> None:
    """Forget what no longer serves: old digests, sessions and sign-in links."""
    wiring.inbox().forget_digests()
    Session.objects.filter(expire_date__lt=timezone.now()).delete()
    SignInLink.objects.filter(expires__lt=timezone.now()).delete()


class Sweeper(threading.Thread):
    """Empties the inbox even when every hint is lost, and is the worker's heartbeat."""

    def __init__(self) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._stop_asked = threading.Event()
        self._started_at = time.time_ns()
        self._beat_at = 0.0

    def stop(self) -> None:
        """Finish the batch in hand, then close the store."""
        self._stop_asked.set()
        self.join(30)
        wiring.writer().close()

    def run(self) -> None:
        """Look every half second; back off with jitter while something is away."""
        # A batch is tens of thousands of objects without cycles: looking through them at
        # Python's usual pace costs a tenth of the drain.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        wait, pause = _BACK_OFF[0], 0.5
        while not self._stop_asked.wait(pause):
            try:
                self._beat()
                wiring.writer()  # makes the index on the first start, so that readers find one
                if wiring.inbox().waits():
                    drain_now()
                wait, pause = _BACK_OFF[0], 0.5
            except (ThroughlineError, DatabaseError) as error:
                log.warning("the drain waits %.1f s: %s", wait, error)
                pause = random.uniform(wait / 2, wait)
                wait = min(wait * 2, _BACK_OFF[1])
            except Exception:
                log.exception("the sweeper met something unexpected and goes on")
                pause = wait

    def _beat(self) -> None:
        if time.monotonic() - self._beat_at < 1:
            return
        self._beat_at = time.monotonic()
        Node.objects.update_or_create(
            name=settings.THROUGHLINE["THROUGHLINE_NODE"],
            role="worker",
            defaults={"started": self._started_at, "beat": time.time_ns()},
            create_defaults={"since": self._started_at, "started": self._started_at, "beat": time.time_ns()},
        )
