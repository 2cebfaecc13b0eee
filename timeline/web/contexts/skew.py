"""What is known of clocks that disagree, in sentences; no time is ever moved by it."""

from __future__ import annotations

from timeline.domain import Skew, Timeline
from timeline.web import words

MOST = 12


def clocks_said(timeline: Timeline) -> list[str]:
    """One sentence per pair of services whose clocks are known to differ, the widest difference first."""
    told = [skew for skew in timeline.skew if _apart(skew)]
    return [_sentence(skew) for skew in sorted(told, key=lambda skew: (-_apart(skew), skew.service))[:MOST]]


def _apart(skew: Skew) -> int:
    """By how much they differ for certain; 0 where they may agree."""
    if skew.low is not None and skew.low > 0:
        return skew.low
    if skew.high is not None and skew.high < 0:
        return -skew.high
    return 0


def _sentence(skew: Skew) -> str:
    ahead, behind, low, high = skew.service, skew.against, skew.low, skew.high
    if high is not None and high < 0:
        ahead, behind, low, high = behind, ahead, -high, None if low is None else -low
    reach = words.length(low) if high is None else f"{words.length(low)} to {words.length(high)}"
    least = "at least " if high is None else ""
    return f"The clock of {ahead} runs {least}{reach} ahead of that of {behind}."
