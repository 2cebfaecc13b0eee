"""Tell me when it arrives: watches of people, looked after until their first match.

A watch counts what was received from the moment on up to which everything had been searched when it was
made: nothing falls between the answer and the watch. It is one question to the store each time it is looked at, and
none any more once it was told.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from django.db import transaction

from timeline.errors import BadQuery, Unavailable
from timeline.models import Watch
from timeline.reading.search import Ask, scoped, understand
from timeline.redaction.asking import Asking
from timeline.redactions import unsaid
from timeline.search.query import Node, Query, Window
from timeline.search.times import DAY
from timeline.store.port import Store

log = logging.getLogger(__name__)
MOST: Final = 50  # of one person
LIFETIME: Final = 7 * DAY
EVERY: Final = 10  # s between two looks
_LONGEST: Final = 8_192  # characters of a question


def watch(user: int, ask: Ask, *, since: int) -> Watch:
    """Begin to wait for the first match received from ``since`` on; asked again, the same watch.

    A range that ends is kept to by the fact's own time; one that runs up to now is not.
    Raises ``BadQuery`` where the question cannot be read, or somebody waits for too much.
    """
    if not ask.text.strip():
        raise BadQuery("an empty question waits for nothing", remedy="ask for something")
    if len(ask.text) > _LONGEST:
        raise BadQuery("this question is too long to be kept", remedy="wait for an id instead")
    now = time.time_ns()
    same = {"user_id": user, **_about(ask, now)}
    with transaction.atomic():
        mine = Watch.objects.filter(user_id=user)
        known = mine.filter(**same, arrived=None, expires__gt=now).first()
        if known is not None:
            return known
        mine.filter(expires__lte=now).delete()
        if mine.count() >= MOST:
            raise BadQuery(f"you wait for {MOST} things already", remedy="withdraw one of them")
        return Watch.objects.create(**same, since=since, made=now, expires=now + LIFETIME)


def _about(ask: Ask, now: int) -> dict[str, str | int | None]:
    """What makes two watches the same; the range only where it has ended."""
    fixed = ask.window.end is not None and ask.window.end < now - EVERY * 10**9
    return {
        "workspace": ask.workspace,
        "text": unsaid(ask.text, ask.workspace),
        "environment": ask.environment,
        "start": ask.window.start if fixed else None,
        "end": ask.window.end if fixed else None,
    }


def of(user: int) -> list[Watch]:
    """The watches of a person: what arrived first, newest first, then what is waited for."""
    mine = Watch.objects.filter(user_id=user, expires__gt=time.time_ns())
    return sorted(mine, key=lambda one: (one.arrived is None, -(one.arrived or one.made)))


def waits(user: int, ask: Ask) -> Watch | None:
    """The watch of a person for this question that has not been told yet, if there is one."""
    now = time.time_ns()
    mine = Watch.objects.filter(user_id=user, **_about(ask, now), arrived=None, problem="")
    return mine.filter(expires__gt=now).order_by("-made").first()


def arrived(user: int) -> int:
    """How many watches of a person have something to tell."""
    return Watch.objects.filter(user_id=user, arrived__isnull=False, expires__gt=time.time_ns()).count()


def withdraw(user: int, pk: int) -> bool:
    """Forget a watch of a person; whether it was there."""
    return bool(Watch.objects.filter(user_id=user, pk=pk).delete()[0])


def forget_expired() -> None:
    """Forget every watch whose time is over."""
    Watch.objects.filter(expires__lte=time.time_ns()).delete()


def look(
    store: Store,
    rules: Callable[[str], Mapping[str, str]],
    asking: Callable[[str], Asking],
    watches: Iterable[Watch] | None = None,
) -> int:
    """Ask for each watch that waits, of everybody where none are given; how many were told.

    A question that can be read no more says so on its watch. Raises ``Unavailable`` at the end, where
    one could not be asked.
    """
    waiting = Watch.objects.filter(arrived=None, expires__gt=time.time_ns(), problem="").order_by("made")
    told = 0
    away: Unavailable | None = None
    for one in waiting if watches is None else watches:
        if one.arrived is not None or one.problem:
            continue
        try:
            found = _first(store, understand(one.text, rules(one.workspace), asking(one.workspace)).node, one)
        except BadQuery as error:
            one.problem = error.message
            Watch.objects.filter(pk=one.pk).update(problem=one.problem)
            continue
        except Unavailable as error:
            away = away or error  # of one question; those after it may well be answered
            continue
        if found is not None:
            one.arrived, one.fact = found
            # another process may have told of it, or its owner withdrawn it
            told += Watch.objects.filter(pk=one.pk, arrived=None).update(arrived=one.arrived, fact=one.fact)
    if away is not None:
        raise away
    return told


def _first(store: Store, asked: Node, one: Watch) -> tuple[int, str] | None:
    """Received time and id of the earliest received match among the newest received ones."""
    where = scoped(asked, one.environment)
    fixed = one.end is not None
    window = Window(start=one.start, end=one.end) if fixed else Window(start=one.since, on="received")
    page = store.search(
        Query(where=where, window=window, workspace=one.workspace), order="received", limit=50
    )
    fresh = [stored for stored in page.facts if stored.receipt.received >= one.since]
    if not fresh:
        return None
    first = min(fresh, key=lambda stored: stored.receipt.received).receipt
    return first.received, first.id
