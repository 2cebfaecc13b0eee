"""Messages that a group which reads their destination has not taken."""

from __future__ import annotations

from collections.abc import Iterator

from timeline.domain import Finding
from timeline.rebuild.findings.story import Story, count, short
from timeline.rebuild.hops import Delivery
from timeline.search.times import format_span

_SETTLING = 5_000_000_000  # a message this young is on its way, not stuck


def find(story: Story) -> Iterator[Finding]:
    """One finding per destination and group."""
    rows: dict[tuple[str, str], list[Delivery]] = {}
    for one in story.deliveries:
        hop = one.hop
        if hop.outcome != "unconsumed":
            continue
        if story.now is not None and hop.sent is not None and story.now - hop.sent < _SETTLING:
            continue
        rows.setdefault((hop.destination or "", hop.group or ""), []).append(one)
    for (destination, group), waiting in sorted(rows.items()):
        sent = min((one.hop.sent for one in waiting if one.hop.sent is not None), default=None)
        age = f" for {format_span(story.now - sent)}" if story.now is not None and sent is not None else ""
        messages = count(len(waiting), "message")
        yield Finding(
            rule="unconsumed",
            severity="warning",
            sentence=f"{short(group)} has not taken {messages} of {short(destination)}{age}.",
            at=sent,
            evidence=story.evidence(one.producer for one in waiting),
        )
