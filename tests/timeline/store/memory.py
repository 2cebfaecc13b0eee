"""A shelf for dictionaries that needs no store."""

from __future__ import annotations


class Memory:
    """A shelf in memory."""

    remedy = "learn it by heart"

    def __init__(self) -> None:
        self.data: dict[int, bytes] = {}

    def numbers(self) -> list[int]:
        """The dictionaries there are."""
        return sorted(self.data)

    def load(self, number: int) -> bytes | None:
        """One of them."""
        return self.data.get(number)

    def keep(self, number: int, data: bytes) -> bool:
        """Keep one, unless the number is taken."""
        return self.data.setdefault(number, data) is data
