"""Which rows of a trace are closed, as a URL says it.

``closed=<check>.<base>.<ranges>``: the check is the start of the picture's mark, so that a link to a
trace that has grown since is ignored, not misread. The base says what is closed to begin with: nothing
but the messages of batches (empty), nothing at all (``o``), or everything from a level on (``d3``). The
ranges of places are the rows that differ from it.
"""

from __future__ import annotations

from collections.abc import Iterable

from timeline.rebuild.tree import Tree

CHECK = 4  # digits of the mark
LONGEST = 4_000  # characters; beyond that a URL is no place for it


def closed_rows(kin: Tree, mark: str, text: str) -> frozenset[int]:
    """The places that are closed; what came with the page where the text is of another picture."""
    check, _, rest = text.partition(".")
    base, _, ranges = rest.partition(".")
    if not text or check != mark[:CHECK] or len(text) > LONGEST:
        return kin.folded
    started = based(kin, base)
    if started is None:
        return kin.folded
    return started ^ frozenset(place for place in places(ranges, len(kin.nodes)) if kin.children[place])


def based(kin: Tree, base: str) -> frozenset[int] | None:
    """What is closed to begin with; ``None`` for what is no base."""
    if not base:
        return kin.folded
    if base == "o":
        return frozenset()
    level = base[1:]
    if base[0] != "d" or not level.isdecimal() or len(level) > 6:
        return None
    return frozenset(
        place
        for place, children in enumerate(kin.children)
        if children and (kin.depths[place] >= int(level) or place in kin.folded)
    )


def places(text: str, size: int, most: int = 50_000) -> list[int]:
    """``1,4-7`` as numbers below ``size``, at most ``most``; anything else in it is passed over."""
    found: list[int] = []
    for part in text.split(","):
        low, _, high = part.partition("-")
        if not low.isdecimal() or (high and not high.isdecimal()) or len(part) > 20:
            continue
        found += range(int(low), min(int(high or low) + 1, size, int(low) + most - len(found)))
    return [place for place in found if place < size]


def ranges(numbers: Iterable[int]) -> str:
    """Numbers in rising order as ``1,4-7``."""
    found: list[str] = []
    start = end = -2
    for number in [*numbers, -2]:
        if number == end + 1 and number >= 0:
            end = number
            continue
        if start >= 0:
            found.append(str(start) if start == end else f"{start}-{end}")
        start = end = number
    return ",".join(found)
