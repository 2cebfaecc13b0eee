"""What the database knows of our own gaps, by statements that are written once.

Every answer asks all of these; building each anew from a model costs ten times what the
database takes to answer it.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db import connection

from timeline.search.query import Window
from timeline.search.times import HOUR

Range = tuple[int, int]


class NodeRow(NamedTuple):
    """One process of a node by its last heartbeat; without its accounting."""

    name: str
    role: str
    since: int
    beat: int
    pending_requests: int
    pending_items: int
    oldest_pending: int | None
    tally: tuple[Any, ...] = ()
    waiting: None = None


class Group(NamedTuple):
    """Items that were refused or set aside for one reason, and when (ns)."""

    reason: str
    first: int
    last: int
    items: int


class SenderRow(NamedTuple):
    """A service that sends; ``sampled_at`` is the last evidence of sampling (ns)."""

    service: str
    complete: bool
    sampled_at: int | None


_NODES: Final = (
    "SELECT name, role, since, beat, pending_requests, pending_items, oldest_pending"
    " FROM timeline_node ORDER BY name, role"
)
_OUTAGES: Final = 'SELECT start, "end" FROM timeline_outage ORDER BY start, "end"'
_DECLARED: Final = 'SELECT start, "end" FROM timeline_declaration ORDER BY start, "end"'
_REFUSED: Final = (
    'SELECT reason, min("first"), max("last"), sum(items) FROM timeline_refusal'
    ' WHERE workspace = %s AND "last" >= %s AND "first" < %s GROUP BY reason'
)
_SET_ASIDE: Final = (
    "SELECT reason, min(at), max(at), sum(items) FROM timeline_quarantined"
    " WHERE workspace = %s AND at >= %s AND at < %s AND state <> 'replayed' GROUP BY reason"
)
_PARTLY: Final = "SELECT count(*) FROM timeline_partlyindexed WHERE workspace = %s AND at >= %s AND at < %s"
_SENDERS: Final = "SELECT service, complete, sampled_at FROM timeline_sender WHERE workspace = %s"
_LOWEST, _HIGHEST = -(1 << 63), (1 << 63) - 1


def _ask(statement: str, *values: str | int) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
        return found


def _bounds(window: Window, slack: int = 0) -> Range:
    low = _LOWEST if window.start is None else max(window.start, _LOWEST)
    return low, _HIGHEST if window.end is None else min(window.end + slack, _HIGHEST)


def nodes() -> list[NodeRow]:
    """Every process that ever reported."""
    return [NodeRow(*row) for row in _ask(_NODES)]


def outages() -> list[Range]:
    """When no receiver was up, in order."""
    return [(start, end) for start, end in _ask(_OUTAGES)]


def declared() -> list[Range]:
    """Ranges that somebody vouched for, in order."""
    return [(start, end) for start, end in _ask(_DECLARED)]


def refused(window: Window, workspace: str) -> list[Group]:
    """What was refused in a range, and in the hour after it."""
    return [
        Group(reason, first, last, int(items))
        for reason, first, last, items in _ask(_REFUSED, workspace, *_bounds(window, HOUR))
    ]


def set_aside(window: Window, workspace: str) -> list[Group]:
    """What was put in quarantine in a range, and in the hour after it."""
    found = _ask(_SET_ASIDE, workspace, *_bounds(window, HOUR))
    return [Group(reason, first, last, int(items)) for reason, first, last, items in found]


def partly_indexed(window: Window, workspace: str) -> int:
    """Facts of a range of which some values cannot be found."""
    count: int = _ask(_PARTLY, workspace, *_bounds(window))[0][0]
    return count


def senders(workspace: str) -> list[SenderRow]:
    """Every service that ever sent."""
    return [
        SenderRow(service, bool(complete), sampled)
        for service, complete, sampled in _ask(_SENDERS, workspace)
    ]
