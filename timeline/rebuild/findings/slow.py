"""Waits far beyond what is usual for their destination, judged by the hops at hand."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import median_low
from typing import Literal

from timeline.domain import Finding
from timeline.rebuild.findings.story import Story, short
from timeline.rebuild.hops import Delivery
from timeline.search.times import format_span

_LEAST = 1_000_000_000  # shorter waits are never called slow
_FACTOR = 10
_ALONE = 30_000_000_000  # with nothing to compare, only this long a wait is worth a word
_ENOUGH = 3


def find(story: Story) -> Iterator[Finding]:
    """One finding per destination and consumer: its longest wait, and how many more there were."""
    waits: dict[tuple[str, str], list[tuple[int, Delivery]]] = {}
    everything: list[int] = []
    for one in story.deliveries:
        wait = one.hop.wait
        if wait is None or one.hop.attempt != 1 or one.hop.outcome == "unconsumed":
            continue
        waits.setdefault((one.hop.destination or "", one.consumer_key), []).append((wait, one))
        everything.append(wait)
    common = median_low(everything) if everything else None
    for (destination, consumer), rows in sorted(waits.items()):
        own = [wait for wait, _ in rows]
        usual, confidence = _usual(own, everything, common)
        bar = _ALONE if usual is None else max(_LEAST, _FACTOR * usual)
        slow = sorted(
            (row for row in rows if row[0] >= bar), key=lambda row: (-row[0], story.place[_side(row[1])])
        )
        if not slow:
            continue
        longest, worst = slow[0]
        more = f"; {len(slow) - 1:,} more as slow" if len(slow) > 1 else ""
        here = "usual here is" if len(own) > _ENOUGH else "the other hops of this story usually wait"
        said = f"; {here} {format_span(usual)}" if usual is not None else ""
        who, where = (
            short(worst.hop.consumer_service or consumer),
            short(destination) or "an unnamed destination",
        )
        yield Finding(
            rule="slow hop",
            severity="warning",
            sentence=f"A message of {where} waited {format_span(longest)} for {who}{said}{more}.",
            at=worst.hop.sent,
            evidence=story.evidence(
                index for _, one in slow for index in (one.producer, one.receiver, one.consumer)
            ),
            confidence=confidence,
        )


def _side(one: Delivery) -> int:
    return next(index for index in (one.consumer, one.receiver, one.producer, 0) if index is not None)


def _usual(
    own: list[int], everything: list[int], common: int | None
) -> tuple[int | None, Literal["likely", "weak"]]:
    """The median wait of this hop, else of all hops at hand, else none.

    Of two middle ones the lower counts: with few waits the slow one must not be its own measure.
    """
    if len(own) > _ENOUGH:
        return max(0, median_low(own)), "likely"
    others = len(everything) - len(own)
    if common is None or others < _ENOUGH - 1:
        return None, "weak"
    return max(0, common), "likely" if others >= _ENOUGH else "weak"
