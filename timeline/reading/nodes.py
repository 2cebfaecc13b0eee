"""What the other nodes last said of themselves: each has an inbox that only it can read."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from timeline.models import Node
from timeline.reading.rows import NodeRow

SILENT = 5 * 10**9  # ns without a heartbeat after which a process counts as down
GONE = 15 * 10**9  # ns without any report after which nobody knows what a node holds


READERS = ("consumer", "tap")  # processes that hold what still lies elsewhere


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What one inbox, one Kafka consumer or one tap held at the moment ``beat``."""

    name: str
    role: str
    beat: int
    requests: int
    items: int
    oldest: int | None
    tally: Sequence[dict[str, Any]]
    waiting: Sequence[dict[str, Any]] | None = None  # None of an older version, which does not tell


def reports(rows: Iterable[Node | NodeRow], now: int, *, own: str) -> list[Report]:
    """The last report of every inbox but that of node ``own``, which can be asked itself.

    Worker and receiver of a node speak of the same inbox. The worker is believed while it is alive, since
    it alone knows what it released a moment ago and nobody can find yet.
    """
    inboxes: dict[tuple[str, str], list[Node | NodeRow]] = defaultdict(list)
    for row in rows:
        reads = row.role if row.role in READERS else ""
        if reads or row.name != own:
            inboxes[row.name, reads].append(row)
    return [_report(_last(found, now)) for _, found in sorted(inboxes.items())]


def _last(found: Sequence[Node | NodeRow], now: int) -> Node | NodeRow:
    alive = [row for row in found if row.role == "worker" and now - row.beat <= SILENT]
    return alive[0] if alive else max(found, key=lambda row: row.beat)


def _report(row: Node | NodeRow) -> Report:
    return Report(
        name=row.name,
        role=row.role,
        beat=row.beat,
        requests=row.pending_requests,
        items=row.pending_items,
        oldest=row.oldest_pending,
        tally=row.tally,
        waiting=row.waiting,
    )
