"""What the rules look at, and the words they share."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from timeline.rebuild.causes import Pair
from timeline.rebuild.facts import Known
from timeline.rebuild.family import Family
from timeline.rebuild.hops import Delivery

EVIDENCE = 20  # facts named per finding; the sentence carries the full count


class Story(msgspec.Struct):
    """The joined facts of one subject. ``place`` is the causal position of each fact."""

    known: list[Known]
    family: Family
    deliveries: list[Delivery]
    cut: list[Pair]
    loops: list[int]
    place: list[int]
    now: int | None = None

    def evidence(self, indices: Iterable[int | None]) -> tuple[str, ...]:
        """Fact ids in causal order, each once, at most ``EVIDENCE``."""
        rows = sorted({index for index in indices if index is not None}, key=self.place.__getitem__)
        return tuple(self.known[index].id for index in rows[:EVIDENCE])


def count(number: int, word: str) -> str:
    """``1 message``, ``2,000 messages``."""
    return f"{number:,} {word}" + ("" if number == 1 else "s")


def short(text: str, limit: int = 80) -> str:
    """Outside text on one line, cut in the middle."""
    line = " ".join(text[: limit * 8].split())
    return line if len(line) <= limit else f"{line[: limit // 2]}…{line[-limit // 2 + 1 :]}"
