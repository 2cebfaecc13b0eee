"""Ranges of time as pairs ``start <= t < end``: what several cover together, and what is left."""

from __future__ import annotations

from collections.abc import Sequence


def union(ranges: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """The same moments in order, without overlaps or empty ranges."""
    merged: list[tuple[float, float]] = []
    for low, high in sorted(one for one in ranges if one[0] < one[1]):
        if merged and low <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
        else:
            merged.append((low, high))
    return merged


def minus(
    ranges: Sequence[tuple[float, float]], taken: Sequence[tuple[float, float]]
) -> list[tuple[float, float]]:
    """What of ``ranges`` no range of ``taken`` covers, in order."""
    left: list[tuple[float, float]] = []
    cover = union(taken)
    for start, end in union(ranges):
        low = start
        for first, last in cover:
            if last <= low:
                continue
            if first >= end:
                break
            if first > low:
                left.append((low, first))
            low = max(low, last)
        if low < end:
            left.append((low, end))
    return left
