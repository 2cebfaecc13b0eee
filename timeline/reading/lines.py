"""The lines under "rests on": what was looked at, and how it stands."""

from __future__ import annotations

from collections.abc import Iterator

from timeline.answers import CoverageLine
from timeline.search.times import DAY, format_moment, format_span
from timeline.search.verdict import Evidence, obstacles


def lines_of(
    evidence: Evidence, *, receivers: int, silent: int, declared: int, senders: int
) -> tuple[CoverageLine, ...]:
    """One line a topic, in the order people look for them."""
    return (
        _receivers(evidence, receivers, silent),
        _inbox(evidence),
        _retention(evidence),
        _items("Refused", "refused to their senders", sum(group.items for group in evidence.refused)),
        _items("Quarantined", "in quarantine", sum(group.items for group in evidence.quarantined)),
        _items("Partly indexed", "of which some values are not searchable", evidence.partly_indexed),
        *_declared(evidence),
        _senders(evidence, declared, senders),
    )


def _receivers(evidence: Evidence, receivers: int, silent: int) -> CoverageLine:
    if not receivers:
        return CoverageLine(topic="Receivers", state="warning", sentence="none has ever run")
    if silent:
        return CoverageLine(
            topic="Receivers", state="warning", sentence=f"{receivers - silent} of {receivers} up"
        )
    since = evidence.recorded[-1][0] if evidence.recorded else evidence.now
    sentence = f"{receivers} of {receivers} up since {format_moment(since, evidence.now)}"
    away = any(obstacle.kind in ("outage", "before recording") for obstacle in obstacles(evidence))
    if away:
        return CoverageLine(topic="Receivers", state="warning", sentence=f"{sentence}, not all of the range")
    return CoverageLine(topic="Receivers", state="ok", sentence=sentence)


def _inbox(evidence: Evidence) -> CoverageLine:
    """A warning only where something waits for longer than the ordinary way in takes."""
    count = evidence.pending_requests
    waits = evidence.now - (evidence.oldest_pending or evidence.up_to)
    if count and waits >= evidence.settling + evidence.visibility_lag:
        what = "1 request" if count == 1 else f"{count:,} requests"
        items = "1 item" if evidence.pending_items == 1 else f"{evidence.pending_items:,} items"
        sentence = f"stored, not yet searchable: {what} with {items}, the oldest for {format_span(waits)}"
        return CoverageLine(topic="Inbox", state="warning", sentence=sentence)
    up_to = f"searchable up to {format_moment(evidence.up_to, evidence.now)}"
    sentence = f"{count:,} on the way, {up_to}" if count else f"empty, {up_to}"
    return CoverageLine(topic="Inbox", state="ok", sentence=sentence)


def _declared(evidence: Evidence) -> Iterator[CoverageLine]:
    """Ranges that someone vouched for: there nothing of ours was needed to be up."""
    start, end = evidence.window.start, evidence.window.end
    for low, high in evidence.complete:
        if (end is None or low < end) and (start is None or high > start):
            between = f"{format_moment(low, high)} to {format_moment(high, low)}"
            yield CoverageLine(topic="Declared", state="info", sentence=f"{between} was sent in whole")


def _retention(evidence: Evidence) -> CoverageLine:
    if evidence.retention_edge is None:
        return CoverageLine(topic="Retention", state="info", sentence="nothing expires")
    start = evidence.window.start
    kept = f"{(evidence.now - evidence.retention_edge) // DAY} days"
    if start is not None and start < evidence.retention_edge:
        return CoverageLine(topic="Retention", state="warning", sentence=f"{kept}; the range begins before")
    return CoverageLine(topic="Retention", state="ok", sentence=kept)


def _items(topic: str, how: str, count: int) -> CoverageLine:
    if count:
        return CoverageLine(
            topic=topic, state="warning", sentence=f"{count:,} {'item' if count == 1 else 'items'} {how}"
        )
    return CoverageLine(topic=topic, state="ok", sentence="none in the range")


def _senders(evidence: Evidence, declared: int, senders: int) -> CoverageLine:
    if evidence.sampled:
        return CoverageLine(
            topic="Senders", state="warning", sentence=f"{', '.join(evidence.sampled[:3])} send only a sample"
        )
    if not senders:
        return CoverageLine(topic="Senders", state="info", sentence="none has sent yet")
    return CoverageLine(topic="Senders", state="info", sentence=f"{declared} of {senders} declared complete")
