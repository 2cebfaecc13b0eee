"""Markers of deploys and changes: kept beside the facts, drawn wherever time is.

A marker told twice is kept once. They go when facts of their time have gone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from django.db import Error
from django.db.models import Q

from timeline.errors import QueueUnavailable, TooLarge
from timeline.ingest.markers import Mark
from timeline.models import Marker

MOST: Final = 20_000  # of a workspace
DRAWN: Final = 60  # of one range, the newest


def keep(marks: Sequence[Mark], *, by: str, workspace: str) -> int:
    """Keep them all and answer how many were new. Raises ``QueueUnavailable`` where the database is away,
    ``TooLarge`` where a workspace has ``MOST`` already."""
    try:
        if Marker.objects.filter(workspace=workspace).count() + len(marks) > MOST:
            raise TooLarge(
                f"there are {MOST:,} markers already", remedy="tell of less: they go with their retention"
            )
        before = Marker.objects.filter(
            workspace=workspace, digest__in=[one.digest() for one in marks]
        ).count()
        Marker.objects.bulk_create(
            (
                Marker(
                    workspace=workspace,
                    at=one.at,
                    until=one.until,
                    kind=one.kind,
                    title=one.title,
                    service=one.service,
                    version=one.version,
                    environment=one.environment,
                    url=one.url,
                    by=by,
                    digest=one.digest(),
                )
                for one in marks
            ),
            ignore_conflicts=True,
        )
    except Error as error:
        raise _away(error) from error
    return max(0, len({one.digest() for one in marks}) - before)


def between(
    start: int | None,
    end: int | None,
    *,
    environment: str = "",
    services: Sequence[str] = (),
    workspace: str = "main",
) -> list[Marker]:
    """The newest 60 markers that touch a range, oldest first.

    With ``environment`` those of it and those of none; with ``services`` those of them and those of none.
    """
    found = Marker.objects.filter(workspace=workspace)
    if start is not None:
        found = found.filter(Q(at__gte=start) | Q(until__gte=start))
    if end is not None:
        found = found.filter(at__lt=end)
    if environment:
        found = found.filter(environment__in=("", environment))
    if services:
        found = found.filter(service__in=("", *services))
    try:
        return list(found.order_by("-at", "-pk")[:DRAWN])[::-1]
    except Error as error:
        raise _away(error) from error


def drawn(
    start: int | None, end: int | None, *, environment: str = "", services: Sequence[str] = ()
) -> list[Marker]:
    """As ``between``, but none where the database is away: a drawing without them is a drawing all the same."""
    try:
        return between(start, end, environment=environment, services=services)
    except QueueUnavailable:
        return []


def _away(error: Error) -> QueueUnavailable:
    return QueueUnavailable(
        f"the database did not answer: {error}", remedy="it may be asked and sent again in a second"
    )


def forget(before: int) -> None:
    """Forget those that were over before a moment (ns)."""
    Marker.objects.filter(Q(until=None, at__lt=before) | Q(until__lt=before)).delete()
