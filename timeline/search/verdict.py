"""Seen, not seen, or cannot say: judged from evidence alone (design, section 7).

In: what the store answered and what is known about our own gaps. Out: a ``Judgement``
whose sentence can be read out loud. Times are ns UTC. Nothing is looked up here.

The rules by which an obstacle counts are those of ``obstacles``. "Not seen" is said only where none
overlaps.
"""

from __future__ import annotations

from typing import Final, Literal

import msgspec

from timeline.search.obstacles import Evidence, Missed, Obstacle, allowed_lateness, obstacles, plural
from timeline.search.times import format_bound, format_moment, format_span, same_day

__all__ = ["Evidence", "Judgement", "Missed", "Obstacle", "judge", "obstacles"]

# causes whose sentence may begin with a name
_NAMED: Final = ("failed read", "sampled")


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """The verdict: ``causes`` are the obstacles that overlap the range, whatever the kind."""

    kind: Literal["seen", "not_seen", "cannot_say"]
    sentence: str
    count: int = 0
    variants: int = 0
    at_least: bool = False
    first: int | None = None
    last: int | None = None
    up_to: int | None = None
    causes: tuple[Obstacle, ...] = ()
    assumptions: tuple[str, ...] = ()


def judge(evidence: Evidence) -> Judgement:
    """The verdict that the evidence allows; *not seen* only where no obstacle overlaps."""
    causes = obstacles(evidence)
    at_least = evidence.at_least or bool(evidence.failed)
    if evidence.count or evidence.variants:
        return Judgement(
            kind="seen",
            sentence=_seen(evidence, at_least=at_least),
            count=evidence.count,
            variants=evidence.variants,
            at_least=at_least,
            first=evidence.first,
            last=evidence.last,
            up_to=evidence.up_to,
            causes=causes,
        )
    if causes:
        more = len(causes) - 1
        others = f", and {more:,} more {'reason' if more == 1 else 'reasons'}" if more else ""
        sentence = f"Cannot say: {_clause(causes[0])}{others}."
        return Judgement(kind="cannot_say", sentence=sentence, up_to=evidence.up_to, causes=causes)
    assumptions = (
        ()
        if allowed_lateness(evidence) == 0
        else (f"No sender delivers later than {format_span(evidence.lateness)} after a fact's own time.",)
    )
    if evidence.unlooked:
        names = ", ".join(evidence.unlooked[:4]) + (" and more" if len(evidence.unlooked) > 4 else "")
        assumptions = (*assumptions, f"It did not stand in {names}, which redaction rules take out.")
    return Judgement(
        kind="not_seen", sentence=_not_seen(evidence), up_to=evidence.up_to, assumptions=assumptions
    )


def _clause(cause: Obstacle) -> str:
    """The sentence of a cause as it goes on after a colon."""
    text = cause.sentence.removesuffix(".")
    return text if cause.kind in _NAMED else text[:1].lower() + text[1:]


def _seen(evidence: Evidence, *, at_least: bool) -> str:
    count, first, last, now = evidence.count, evidence.first, evidence.last, evidence.now
    if not count:
        variants = plural(evidence.variants, "variant")
        return f"Seen only as {variants}: other content sent again under a known id."
    few = "at least " if at_least else ""
    times = f"{few}once" if count == 1 else f"{few}{count:,} times"
    if first is None or last is None:
        return f"Seen {times}."
    if count == 1 and first == last:
        return f"Seen {times}, at {format_moment(first, now)} UTC."
    return f"Seen {times}, first {format_moment(first, now)}, last {format_moment(last, now)} UTC."


def _not_seen(evidence: Evidence) -> str:
    start, end = evidence.window.start, evidence.window.end
    now = evidence.now - evidence.settling  # a range that ends just now was meant to run up to now
    if start is None or end is None or end > min(evidence.up_to, now):
        return f"Not seen up to {format_moment(evidence.up_to, evidence.now)} UTC."
    low, high = format_bound(start, evidence.now), format_bound(end, end)
    if not same_day(start, end):  # then each side names its day, today included
        low, high = format_bound(start, end), format_bound(end, start)
    return f"Not seen between {low} and {high} UTC."
