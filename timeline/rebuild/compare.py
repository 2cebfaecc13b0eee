"""Two stories side by side, step by step: where do they first differ?

In: two timelines. Out: their entries in pairs, aligned by service and what was done, each
half ``None`` where the other story has a step that this one lacks.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Final, TypeAlias

import msgspec

from timeline.domain import Entry, Timeline

MOST: Final = 500  # entries of each story that are aligned: the work grows with their product
_SLOWER: Final = 10  # times as long, and at least as much longer as ``_FELT``, is worth a word
_FELT: Final = 1_000_000_000  # ns

_Key: TypeAlias = tuple[str, str, str]


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """The same step in both stories, or a step of one of them; ``difference`` is empty where they agree."""

    here: Entry | None
    there: Entry | None
    difference: str = ""

    @property
    def step(self) -> Entry:
        """Whichever half there is."""
        step = self.here or self.there
        assert step is not None  # noqa: S101 - a pair has a half
        return step


def compare(here: Timeline, there: Timeline) -> tuple[Pair, ...]:
    """The entries of both, those on which an entity only came along left out."""
    left, right = _steps(here), _steps(there)
    return tuple(_pairs(left, right))


def first_difference(pairs: Sequence[Pair]) -> int | None:
    """The place of the first pair that differs, or ``None`` where the stories agree."""
    return next((place for place, pair in enumerate(pairs) if pair.difference), None)


def _steps(timeline: Timeline) -> list[Entry]:
    placed = (entry for entry in timeline.entries if entry.at is not None and "context" not in entry.badges)
    return list(islice(placed, MOST))


def _pairs(left: list[Entry], right: list[Entry]) -> Iterator[Pair]:
    """Along a longest common sequence of steps; of what stands between two common ones, ours comes first."""
    here = there = 0
    for mine, other in _common([_key(one) for one in left], [_key(one) for one in right]):
        yield from (Pair(here=one, there=None, difference="only here") for one in left[here:mine])
        yield from (Pair(here=None, there=one, difference="only there") for one in right[there:other])
        yield Pair(here=left[mine], there=right[other], difference=_difference(left[mine], right[other]))
        here, there = mine + 1, other + 1
    yield from (Pair(here=one, there=None, difference="only here") for one in left[here:])
    yield from (Pair(here=None, there=one, difference="only there") for one in right[there:])


def _common(left: Sequence[_Key], right: Sequence[_Key]) -> Iterator[tuple[int, int]]:
    """Places of a longest common sequence; the earliest of several."""
    longest = [[0] * (len(right) + 1) for _ in range(len(left) + 1)]
    for i in range(len(left) - 1, -1, -1):
        row, below, key = longest[i], longest[i + 1], left[i]
        for j in range(len(right) - 1, -1, -1):
            row[j] = below[j + 1] + 1 if key == right[j] else max(below[j], row[j + 1])
    i = j = 0
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            yield i, j
            i, j = i + 1, j + 1
        elif longest[i + 1][j] >= longest[i][j + 1]:
            i += 1
        else:
            j += 1


def _key(entry: Entry) -> _Key:
    return entry.kind, entry.lane, entry.what


def _difference(here: Entry, there: Entry) -> str:
    if (here.status == "error") != (there.status == "error"):
        return "failed here" if here.status == "error" else "failed there"
    mine, other = _took(here), _took(there)
    if mine is None or other is None:
        return ""
    if mine - other >= _FELT and mine >= _SLOWER * other:
        return "slower here"
    if other - mine >= _FELT and other >= _SLOWER * mine:
        return "slower there"
    return ""


def _took(entry: Entry) -> int | None:
    return (
        None if entry.until is None or entry.at is None or entry.kind == "event" else entry.until - entry.at
    )
