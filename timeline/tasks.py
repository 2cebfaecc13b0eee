"""What Celery runs: the drain's hint and the periodic tasks. No task carries a payload."""

from __future__ import annotations

import gc
import logging
import random
import threading
import time
from typing import Any

import msgspec
from celery import shared_task
from django.conf import settings
from django.contrib.sessions.models import Session
from django.db import Error, close_old_connections
from django.utils import timezone

from timeline import leases, markers, records, redactions, wiring
from timeline.cohorts.summarise import Summariser
from timeline.errors import ThroughlineError, Unavailable
from timeline.heartbeats import Heartbeat
from timeline.inbox.inbox import SETTLED
from timeline.indexing import Drain
from timeline.models import Arrival, Audit, PartlyIndexed, Quarantined, Refusal, SignInLink
from timeline.reading import watches
from timeline.search.times import retention_edge

log = logging.getLogger(__name__)
_BACK_OFF = (0.2, 10.0)  # seconds, first and longest
# seconds for summaries in every 10 while requests wait: usually, and when far behind
_SUMMARIES, _SUMMARIES_LATE, _LATE = 0.25, 2.5, 300 * 10**9
_summarising = threading.Lock()
_THREADS: int = settings.THROUGHLINE["THROUGHLINE_WORKER_THREADS"]
_slots = threading.BoundedSemaphore(_THREADS)


def drain_now() -> int:
    """Drain until nothing waits, or at once return 0 where enough threads already do."""
    if not _slots.acquire(blocking=False):
        return 0
    try:
        close_old_connections()
        return Drain(wiring.inbox(), wiring.writer(), records.rules, wiring.decoder()).run()
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
    """Remove facts older than the retention, and say how many went; one node of several does it.

    Harmless when done late or twice: what is older than an edge stays older than it.
    """
    with leases.turn(f"expire{_of_this_store()}", node=_node(), every=600) as mine:
        if mine:
            _expire(retention_edge(time.time_ns(), settings.THROUGHLINE["THROUGHLINE_RETENTION_DAYS"]))


def _expire(edge: int) -> None:
    for workspace in records.workspaces():
        gone = wiring.writer().expire(edge, workspace=workspace)
        if gone:
            of = "" if workspace == "main" else f" of {workspace}"
            Audit.objects.create(
                who="retention", what="expire", detail=f"facts{of} placed before {edge} ns", rows=gone
            )
    Arrival.objects.filter(at__lt=edge).delete()
    PartlyIndexed.objects.filter(at__lt=edge, received__lt=edge).delete()
    Refusal.objects.filter(last__lt=edge).delete()
    markers.forget(edge)
    kept = Quarantined.objects.filter(at__lt=edge).delete()[0]
    if kept:
        Audit.objects.create(who="retention", what="expire", detail="items in quarantine", rows=kept)


def _node() -> str:
    name: str = settings.THROUGHLINE["THROUGHLINE_NODE"]
    return name


def _of_this_store() -> str:
    """An index in a folder belongs to this node alone, and only its own worker can tend it."""
    embedded = settings.THROUGHLINE["THROUGHLINE_STORE_URL"].startswith("tantivy")
    return f" {_node()}" if embedded else ""


@shared_task(name="timeline.tasks.tidy")
def tidy() -> None:
    """Forget what no longer serves anybody: old sessions and sign-in links; one node of several does it."""
    with leases.turn("tidy", node=_node(), every=3600) as mine:
        if mine:
            Session.objects.filter(expire_date__lt=timezone.now()).delete()
            SignInLink.objects.filter(expires__lt=timezone.now()).delete()
            watches.forget_expired()


@shared_task(name="timeline.tasks.watch")
def watch() -> None:
    """Look for what people wait for; one node of several does it."""
    try:
        with leases.turn(f"watch{_of_this_store()}", node=_node(), every=watches.EVERY - 1) as mine:
            if mine:
                watches.look(
                    wiring.writer(),
                    lambda workspace: records.rules(workspace).attributes,
                    redactions.asking,
                )
    except Unavailable as error:
        log.warning("what people wait for was not looked for: %s", error)


@shared_task(name="timeline.tasks.tidy_node")
def tidy_node() -> None:
    """Forget old digests in this node's inbox; every node does it."""
    with leases.turn(f"tidy {_node()}", node=_node(), every=3600) as mine:
        if mine:
            wiring.inbox().forget_digests()


@shared_task(name="timeline.tasks.summarise")
def summarise() -> None:
    """Rebuild the summaries of entities that this node's facts touched; every node does its own.

    Storing comes first: while requests wait it ends early, and the rest is behind for longer.
    """
    if not _summarising.acquire(blocking=False):
        return  # the tick before has not ended
    try:
        inbox, store = wiring.inbox(), wiring.writer()
        # a store elsewhere works for each of our questions: waiting for it counts as work
        clock = time.monotonic if store.elsewhere else time.thread_time
        began = clock()
        late = (inbox.behind().oldest or time.time_ns()) < time.time_ns() - _LATE
        budget = _SUMMARIES_LATE if late else _SUMMARIES
        Summariser(inbox, store).run(lambda: clock() - began < budget or not inbox.waits())
    except Unavailable as error:
        log.warning("summaries put off: %s", error)
    finally:
        _summarising.release()


def _visibility_lag() -> int:
    try:
        return wiring.writer().visibility_lag
    except Unavailable:
        return SETTLED  # the store cannot be opened now: assume the longest


class Sweeper(threading.Thread):
    """Empties the inbox even when every hint is lost."""

    def __init__(self) -> None:
        super().__init__(name="sweeper", daemon=True)
        self._stop_asked = threading.Event()
        self._heartbeat = Heartbeat(_node(), "worker", _held)
        # as many as may drain: after an outage a backlog waits for which no hint is left
        self._others = [
            threading.Thread(target=self._look, name=f"sweeper {number}", daemon=True)
            for number in range(2, _THREADS + 1)
        ]

    def stop(self) -> None:
        """Finish the batches in hand, then close the store."""
        self._stop_asked.set()
        for thread in (self, *self._others):
            thread.join(30)
        self._heartbeat.stop()
        wiring.writer().close()

    def run(self) -> None:
        """Look for what waits until asked to stop."""
        # A batch is tens of thousands of objects without cycles: looking through them at
        # Python's usual pace costs a tenth of the drain.
        gc.freeze()
        gc.set_threshold(50_000, 20, 50)
        self._heartbeat.start()
        for thread in self._others:
            thread.start()
        self._look()

    def _look(self) -> None:
        """Every half second; back off with jitter while something is away."""
        wait, pause = _BACK_OFF[0], 0.5
        while not self._stop_asked.wait(pause):
            try:
                wiring.writer()  # makes the index on the first start, so that readers find one
                if wiring.inbox().waits():
                    drain_now()
                wait, pause = _BACK_OFF[0], 0.5
            except (ThroughlineError, Error) as error:
                log.warning("the drain waits %.1f s: %s", wait, error)
                pause = random.uniform(wait / 2, wait)
                wait = min(wait * 2, _BACK_OFF[1])
            except Exception:
                log.exception("the sweeper met something unexpected and goes on")
                pause = wait


def _held() -> dict[str, Any]:
    """What waits in this node's inbox, and what it released a moment ago and nobody can find yet.

    The receiver reports too: one of them may be away.
    """
    inbox = wiring.inbox()
    books = inbox.books()
    backlog = books.backlog
    settling = inbox.settling(_visibility_lag())
    oldest = [at for at in (backlog.oldest, settling) if at is not None]
    behind = inbox.behind()
    return {
        "pending_requests": backlog.requests,
        "pending_items": backlog.items,
        "oldest_pending": min(oldest, default=None),
        "tally": msgspec.to_builtins(books.tallies),
        "waiting": msgspec.to_builtins(books.waiting),
        "summaries_behind": behind.oldest,
        "touches_lost": behind.lost,
    }
