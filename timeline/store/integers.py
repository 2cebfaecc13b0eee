"""The integers that both stores can hold, and bounds of numbers as bounds of integers."""

from __future__ import annotations

import math
from typing import Final

MIN_INT, MAX_INT = -(1 << 63), (1 << 63) - 1
MS: Final = 1_000_000  # ns


def clamp(number: int) -> int:
    """The nearest 64-bit integer."""
    return min(max(number, MIN_INT), MAX_INT)


def whole(bound: float | None, open_: bool, *, up: bool) -> int | None:
    """The integer bound that means the same as this one for integers; ``up`` for a lower bound."""
    if bound is None or bound in (math.inf, -math.inf):
        if bound is None or (bound < 0) == up:
            return None
        return MAX_INT + 1 if up else MIN_INT - 1  # beyond every number
    if up:
        return math.floor(bound) + 1 if open_ else math.ceil(bound)
    return math.ceil(bound) - 1 if open_ else math.floor(bound)
