"""What could hide a fact from a question, and by which rule it counts (design, section 7).

In: the evidence about a range: our gaps, our backlog, what was refused. Out: the obstacles that
overlap the range. Times are ns UTC. Nothing is looked up here.

**What is judged.** A range that reaches beyond the watermark ``up_to`` is split there: the
verdict covers the part before it, and "not seen" then says "up to". A range of which no
part lies before the watermark cannot be judged. Requests that have waited for less than
``settling`` are the ordinary way in: they only move the watermark.

**When an obstacle counts.** A fact placed in the range ``[start, end)`` can be received at
any moment after ``start``: at once, or late. If every later moment counted, one refused item
today would spoil every answer about last week, so lateness is bounded: a fact is taken
to arrive within ``lateness`` of its own time (default one hour; exporters give up after
minutes, and what waits longer shows as backlog). Obstacles known by the moment of receiving
(outages, refusals, quarantine, backlog) therefore count where they overlap
``[start, end + lateness)``. That bound is an assumption, so the judgement states it. Where
the range is asked on the received time, nothing can be late and the bound is zero.
Obstacles known by the facts' own time (before recording, retention) count where they
overlap ``[start, end)``. A range that was declared complete (a finished backfill) is free of
outages and of the time before recording.

An open start asks about all time and meets both ends of what we hold; so it can be *seen*, never
*not seen*.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, Literal

import msgspec

from timeline.search.query import Window
from timeline.search.ranges import minus, union
from timeline.search.times import HOUR, SECOND, format_bound, format_moment, format_span, same_day

MAX_NAMED: Final = 20  # obstacles of one kind that are named one by one
_MORE: Final = {
    "outage": "more stretches without a receiver",
    "refused": "more groups of refused items",
    "quarantined": "more groups of quarantined items",
}

Kind = Literal[
    "backlog",
    "refresh",
    "silent",
    "outage",
    "before recording",
    "retention",
    "refused",
    "quarantined",
    "partly indexed",
    "failed read",
    "sampled",
    "future",
]


class Obstacle(msgspec.Struct, frozen=True, kw_only=True):
    """One reason why absence is not proven, and what would settle it."""

    kind: Kind
    sentence: str
    remedy: str
    start: int | None = None
    end: int | None = None
    items: int = 0
    link: str = ""  # a path on this site


class Missed(msgspec.Struct, frozen=True, kw_only=True):
    """Items that reached us between ``start`` and ``end`` and cannot be searched."""

    start: int
    end: int
    items: int
    reason: str


class Evidence(msgspec.Struct, frozen=True, kw_only=True):
    """What is known when a question is judged.

    ``up_to`` is the watermark: everything received before it has been searched. ``recorded``
    are the ranges in which receivers were up (received time); the last one runs to
    ``now`` while they are. ``complete`` are ranges of event time declared complete.
    """

    window: Window
    now: int
    up_to: int
    count: int = 0
    at_least: bool = False
    variants: int = 0
    first: int | None = None
    last: int | None = None
    pending_requests: int = 0
    pending_items: int = 0
    oldest_pending: int | None = None  # received time; None: unknown, so any
    visibility_lag: int = 0
    settling: int = 3 * SECOND // 2  # what waits shorter is on its way: it moves the watermark, no more
    silent: tuple[
        tuple[str, int], ...
    ] = ()  # nodes that stopped reporting, and the last that is known of each
    receivers: int = 1
    recorded_since: int | None = None  # None: nothing was ever recorded
    recorded: tuple[tuple[int, int], ...] = ()
    complete: tuple[tuple[int, int], ...] = ()
    retention_edge: int | None = None  # facts placed before it may be gone
    refused: tuple[Missed, ...] = ()
    quarantined: tuple[Missed, ...] = ()
    partly_indexed: int = 0  # facts in the range of which some values cannot be found
    redacted: tuple[str, ...] = ()  # what a rule drops or masks and this question names
    unlooked: tuple[str, ...] = ()  # what a rule drops or masks that a question for any value would look at
    failed: tuple[str, ...] = ()  # one sentence for each read that was not whole
    sampled: tuple[str, ...] = ()  # senders with evidence that they do not send everything
    lateness: int = HOUR


def obstacles(evidence: Evidence) -> tuple[Obstacle, ...]:
    """Everything that could hide a match from the range asked, gravest first."""
    return (
        *_failed_reads(evidence),
        *_not_yet(evidence),
        *_backlog(evidence),
        *_silent(evidence),
        *_unrecorded(evidence),
        *_retention(evidence),
        *_missed(evidence, "refused", evidence.refused),
        *_missed(evidence, "quarantined", evidence.quarantined),
        *_unsearchable(evidence),
        *_sampled(evidence),
    )


def _start(evidence: Evidence) -> float:
    return -math.inf if evidence.window.start is None else evidence.window.start


def _end(evidence: Evidence) -> float:
    return math.inf if evidence.window.end is None else evidence.window.end


def allowed_lateness(evidence: Evidence) -> int:
    """How late a fact of the range may arrive."""
    return 0 if evidence.window.on == "received" else evidence.lateness


def _arrivals(evidence: Evidence) -> tuple[float, float]:
    """When a fact of the range may have been received: ``start <= t < end``."""
    return _start(evidence), _end(evidence) + allowed_lateness(evidence)


def _failed_reads(evidence: Evidence) -> Iterator[Obstacle]:
    for sentence in evidence.failed:
        yield Obstacle(
            kind="failed read",
            sentence=sentence,
            remedy="Ask again; if it stays, look at the store's health.",
            link="/senders",
        )


def _not_yet(evidence: Evidence) -> Iterator[Obstacle]:
    """A range of which nothing lies before the watermark."""
    start = evidence.window.start
    if start is None or start < evidence.up_to:
        return
    if start >= evidence.now:
        yield Obstacle(
            kind="future",
            sentence=f"The range begins at {format_moment(start, evidence.now)}, which is still to come.",
            remedy="Choose a range that has begun, or ask to be told when it arrives.",
            start=start,
            end=evidence.window.end,
        )
    elif not tuple(_backlog(evidence)):
        lag = format_span(max(evidence.visibility_lag, evidence.now - evidence.up_to))
        yield Obstacle(
            kind="refresh",
            sentence=f"What arrived in the last {lag} cannot be searched yet.",
            remedy=f"Ask again in {format_span(max(evidence.visibility_lag, SECOND))}.",
            start=evidence.up_to,
            end=evidence.now,
            link="/senders",
        )


def _backlog(evidence: Evidence) -> Iterator[Obstacle]:
    requests, items = evidence.pending_requests, evidence.pending_items
    if not requests and not items:
        return
    oldest = evidence.up_to if evidence.oldest_pending is None else evidence.oldest_pending
    start, end = _arrivals(evidence)
    if oldest >= end or evidence.now < start:
        return
    if evidence.now - oldest < evidence.settling + evidence.visibility_lag and _start(evidence) < oldest:
        return
    what = plural(requests, "request") if requests else plural(items, "item")
    yield Obstacle(
        kind="backlog",
        sentence=f"{what} not yet indexed.",
        remedy="Wait until they are indexed: none is lost, and this changes by itself.",
        start=oldest,
        end=evidence.now,
        items=items,
        link="/senders",
    )


def _silent(evidence: Evidence) -> Iterator[Obstacle]:
    """Nodes that may hold what nobody else knows of."""
    start, end = _arrivals(evidence)
    for name, reported in evidence.silent:
        if reported < end and evidence.now >= start:
            yield Obstacle(
                kind="silent",
                sentence=f"Node {name} has not reported since {format_moment(reported, evidence.now)}.",
                remedy="Start it again, so that what it holds is indexed; if it is gone for good, retire it.",
                start=reported,
                end=evidence.now,
                link="/senders",
            )


def _unrecorded(evidence: Evidence) -> Iterator[Obstacle]:
    """Stretches in which nobody was there to receive: before recording, and outages."""
    since = evidence.recorded_since
    start, end = _start(evidence), min(_end(evidence), evidence.up_to)
    if since is None:
        yield Obstacle(
            kind="before recording",
            sentence="Nothing has been recorded yet.",
            remedy="Send a first span; the start page shows how.",
            start=evidence.window.start,
            end=evidence.window.end,
            link="/",
        )
        return
    open_parts = minus([(start, end)], evidence.complete)
    for low, high in minus([(low, min(high, since)) for low, high in open_parts], evidence.recorded):
        yield Obstacle(
            kind="before recording",
            sentence=f"Nothing was recorded before {format_bound(int(high), evidence.now)}.",
            remedy="Start the range there, or import what came before and declare it complete.",
            start=None if math.isinf(low) else int(low),
            end=int(high),
            link="/senders",
        )
    late_parts = [
        (max(low, since), min(high + allowed_lateness(evidence), evidence.up_to)) for low, high in open_parts
    ]
    outages = minus(union(late_parts), evidence.recorded)
    yield from _bounded([_outage(int(low), int(high), evidence) for low, high in outages])


def _outage(start: int, end: int, evidence: Evidence) -> Obstacle:
    what = (
        "No receiver was up" if evidence.receivers < 2 else f"Not all {evidence.receivers} receivers were up"
    )
    return Obstacle(
        kind="outage",
        sentence=f"{what} {_between(start, end, evidence.now)}.",
        remedy="Have the senders send that stretch again, then declare it complete.",
        start=start,
        end=end,
        link="/senders",
    )


def _retention(evidence: Evidence) -> Iterator[Obstacle]:
    edge = evidence.retention_edge
    if edge is None or _start(evidence) >= edge:
        return
    yield Obstacle(
        kind="retention",
        sentence=f"Facts from before {format_moment(edge, evidence.now)} have been expired.",
        remedy="Start the range there, or look into files that were exported before.",
        start=evidence.window.start,
        end=edge if evidence.window.end is None else min(edge, evidence.window.end),
        link="/senders",
    )


def _missed(
    evidence: Evidence, kind: Literal["refused", "quarantined"], groups: Sequence[Missed]
) -> Iterator[Obstacle]:
    start, end = _arrivals(evidence)
    remedy = (
        "Correct the sender and send them again."
        if kind == "refused"
        else "Look at them, then replay or discard them."
    )
    found = []
    for group in groups:
        if group.items <= 0 or group.end < start or group.start >= end:
            continue
        verb = "was" if group.items == 1 else "were"
        because = f" ({group.reason})" if group.reason else ""
        found.append(
            Obstacle(
                kind=kind,
                sentence=f"{plural(group.items, 'item')} {verb} {kind}{because}.",
                remedy=remedy,
                start=group.start,
                end=group.end,
                items=group.items,
                link="/senders#refused" if kind == "refused" else "/senders/quarantine",
            )
        )
    yield from _bounded(found)


def _unsearchable(evidence: Evidence) -> Iterator[Obstacle]:
    """Facts that are held, with values that no question finds."""
    if evidence.partly_indexed:
        verb = "is" if evidence.partly_indexed == 1 else "are"
        yield Obstacle(
            kind="partly indexed",
            sentence=f"{plural(evidence.partly_indexed, 'fact')} of the range {verb} only partly indexed.",
            remedy="Narrow the question to a field or an entity and read those facts whole.",
            start=evidence.window.start,
            end=evidence.window.end,
            items=evidence.partly_indexed,
            link="/senders",
        )
    for key in evidence.redacted:
        yield Obstacle(
            kind="partly indexed",
            sentence=f"A redaction rule takes {key} out before it is stored.",
            remedy="Ask by another key, or let the rule hash the value so that it can be found.",
            start=evidence.window.start,
            end=evidence.window.end,
            link="/settings/redaction",
        )


def _sampled(evidence: Evidence) -> Iterator[Obstacle]:
    names = evidence.sampled
    if not names:
        return
    shown = ", ".join(names[:3]) + (f" and {len(names) - 3:,} more" if len(names) > 3 else "")
    yield Obstacle(
        kind="sampled",
        sentence=f"{shown} {'sends' if len(names) == 1 else 'send'} only a sample.",
        remedy="Have it send everything, or at least the events, which are small.",
        start=evidence.window.start,
        end=evidence.window.end,
        items=len(names),
        link="/senders",
    )


def _bounded(found: Sequence[Obstacle]) -> Iterator[Obstacle]:
    """The first obstacles of a kind as they are, the rest as one."""
    yield from found[:MAX_NAMED]
    rest = found[MAX_NAMED:]
    if rest:
        yield Obstacle(
            kind=rest[0].kind,
            sentence=f"{len(rest):,} {_MORE[rest[0].kind]}.",
            remedy=rest[0].remedy,
            start=min((one.start for one in rest if one.start is not None), default=None),
            end=max((one.end for one in rest if one.end is not None), default=None),
            items=sum(one.items for one in rest),
            link=rest[0].link,
        )


def _between(start: int, end: int, now: int) -> str:
    later = format_moment(end, end if same_day(start, end) else now)
    return f"from {format_moment(start, now)} to {later} UTC"


def plural(number: int, noun: str) -> str:
    """``1 request``, ``1,204 requests``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
