"""The time a message waited before it was handled, as segments to draw before a bar."""

from __future__ import annotations

import msgspec

from timeline.domain import Timeline


class Wait(msgspec.Struct, frozen=True, kw_only=True):
    """Waiting in front of the entry ``before``, ``start`` to ``end`` ns.

    ``received`` splits the wait in the broker from the wait in the consumer. ``again`` is the pause
    before another attempt. ``messages`` counts the messages of a batch; the longest of their waits is
    drawn. An ``open`` wait follows the entry ``before``: nobody has taken its message, and there is no end.
    """

    before: str  # fact id
    start: int
    end: int | None
    hop: int  # index in ``Timeline.hops``
    received: int | None = None
    again: bool = False
    open: bool = False
    slow: bool = False
    messages: int = 1


def waits(timeline: Timeline) -> dict[str, tuple[Wait, ...]]:
    """Waits by the id of the entry they belong to; only those with a length."""
    shown = {entry.fact for entry in timeline.entries}
    slow = {ref for finding in timeline.findings if finding.rule == "slow hop" for ref in finding.evidence}
    ends: dict[tuple[object, ...], int] = {}  # when the attempt before ended
    found: dict[str, list[Wait]] = {}
    for place, hop in enumerate(timeline.hops):
        side = hop.consumer or hop.receiver
        if hop.outcome in ("unconsumed", "unknown") and side is None:
            if hop.producer in shown and hop.sent is not None:
                row = found.setdefault(hop.producer, [])
                row.append(Wait(before=hop.producer, start=hop.sent, end=None, hop=place, open=True))
            continue
        begun = hop.started if hop.started is not None else hop.received
        delivery = (
            hop.event,
            hop.destination,
            hop.partition,
            hop.offset,
            hop.producer,
            hop.group,
            hop.consumer_service,
        )
        before = ends.get(delivery) if hop.attempt > 1 else None
        start = hop.sent if before is None else before
        if hop.done is not None:
            ends[delivery] = hop.done
        if side is None or side not in shown or start is None or begun is None or begun <= start:
            continue
        inside = hop.received is not None and start < hop.received < begun and before is None
        found.setdefault(side, []).append(
            Wait(
                before=side,
                start=start,
                end=begun,
                hop=place,
                received=hop.received if inside else None,
                again=before is not None,
                slow=side in slow and before is None,
            )
        )
    return {side: _longest(rows) for side, rows in found.items()}


def _longest(rows: list[Wait]) -> tuple[Wait, ...]:
    """One closed and one open wait per entry, the longest of each."""
    kept: list[Wait] = []
    for kind in (False, True):
        same = [wait for wait in rows if wait.open == kind]
        if same:
            first = min(same, key=lambda wait: (wait.start, wait.hop))
            kept.append(msgspec.structs.replace(first, messages=len(same)))
    return tuple(kept)
