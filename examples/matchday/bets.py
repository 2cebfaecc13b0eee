"""The 1,000 bets of the match: who placed which, when it was settled, and on which partitions it went."""

from __future__ import annotations

import random
import zlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from examples.matchday.story import (
    BETS,
    DOUBLE_CREDIT,
    FIRST_BET,
    HANGING,
    OLD_INSTANCE,
    PLAYER,
    TWO_PARTITIONS,
    Clock,
)

_PLACED = ("16:31:07.118", "16:52:18.371", "16:58:59.336")  # the first, bet 8812, the last
_SETTLED = {
    str(FIRST_BET): "18:15:09.744",
    DOUBLE_CREDIT: "18:15:09.758123400",
    HANGING[0]: "18:15:11.204",
    HANGING[1]: "18:15:12.046",
    HANGING[2]: "18:15:12.871",
    str(FIRST_BET + BETS - 1): "18:15:14.380",
}
_KNOWN = {  # bet -> player, stake in cents, odds in hundredths
    DOUBLE_CREDIT: (PLAYER, 2000, 182),
    HANGING[0]: ("20981", 2000, 182),
    HANGING[1]: ("31177", 500, 182),
    HANGING[2]: ("20064", 5000, 182),
}
_OLD_SCHEMAS = 12  # paid bets whose settlement still had the first schema
PARTITIONS = 12
ODD_PARTITION, SLOW_PARTITION = 7, 3


@dataclass(frozen=True, kw_only=True)
class Bet:
    """One bet as its player placed it, and what the settlement will make of it."""

    id: str
    player: str
    stake: int  # cents
    odds: int  # hundredths
    channel: str
    placed: int  # ns, when POST /bets began
    settled: int  # ns, when it was decided
    schema: str

    @property
    def payout(self) -> int:
        """Cents, stake included."""
        return self.stake * self.odds // 100

    @property
    def key(self) -> str | bytes:
        """The key of its settlement: the instance left behind writes eight bytes of integer."""
        return int(self.id).to_bytes(8, "big") if self.id in HANGING else self.id


def money(cents: int) -> dict[str, str]:
    """An amount as the services write it."""
    return {"amount": f"{cents // 100}.{cents % 100:02d}", "currency": "EUR"}


def cast(clock: Clock, dice: random.Random) -> list[Bet]:
    """All bets in the order they were placed."""
    first, middle, last = (clock.at(wall) for wall in _PLACED)
    pivot = int(DOUBLE_CREDIT) - FIRST_BET
    low, high = clock.at(_SETTLED[str(FIRST_BET)]), clock.at(_SETTLED[str(FIRST_BET + BETS - 1)])
    players = [str(number) for number in dice.sample(range(21_000, 31_000), BETS)]
    old = set(dice.sample(range(BETS), _OLD_SCHEMAS + len(_SETTLED)))
    found: list[Bet] = []
    for number in range(BETS):
        name = str(FIRST_BET + number)
        start, end, rank, ranks = (
            (first, middle, number, pivot)
            if number < pivot
            else (middle, last, number - pivot, BETS - 1 - pivot)
        )
        step = (end - start) // ranks
        base = start + (end - start) * rank // ranks
        exact = number in (0, pivot, BETS - 1)
        player, stake, odds = _KNOWN.get(name, (players[number], 50 * dice.randrange(4, 100), 182))
        wall = _SETTLED.get(name)
        found.append(
            Bet(
                id=name,
                player=player,
                stake=stake,
                odds=odds,
                channel=dice.choice(("web", "app", "app")),
                placed=base if exact else base + dice.randrange(step * 9 // 10),
                settled=clock.at(wall) if wall else dice.randrange(low, high),
                schema=f"bet-settled/{1 if name in HANGING or (number in old and not wall) else 3}",
            )
        )
    return found


def bets_partition(name: str) -> int:
    """Where ``bets`` carries this bet: librdkafka's CRC32, but for the one whose place is told."""
    return 4 if name == DOUBLE_CREDIT else zlib.crc32(name.encode()) % PARTITIONS


def other_partition(name: str) -> int:
    """Where the producer that hashes another way put the same key."""
    return (bets_partition(name) + 5) % PARTITIONS


def settlements_partition(name: str) -> int:
    """Where ``settlements`` carries it; the slow partition holds bet 8812 alone after the goal."""
    if name in HANGING:
        return ODD_PARTITION
    if name == DOUBLE_CREDIT:
        return SLOW_PARTITION
    partition = zlib.crc32(name.encode()) % PARTITIONS
    return partition if partition != SLOW_PARTITION else 4


def payouts_partition(name: str) -> int:
    """Where ``wallet.payouts`` carries it."""
    return 4 if name == DOUBLE_CREDIT else zlib.crc32(name.encode()) % 6


def offsets(
    messages: Iterable[tuple[int, int, str]], pins: Mapping[str, int], base: int
) -> dict[str, tuple[int, int]]:
    """Partition and offset of each message, counted up per partition in order of time.

    ``messages`` are (time, partition, name); a pinned name gets its offset, the rest of its partition
    counts from there.
    """
    lanes: dict[int, list[str]] = {}
    for _, partition, name in sorted(messages):
        lanes.setdefault(partition, []).append(name)
    found: dict[str, tuple[int, int]] = {}
    for partition, names in lanes.items():
        start = base + 211 * partition
        for rank, name in enumerate(names):
            if name in pins:
                start = pins[name] - rank
                break
        found |= {name: (partition, start + rank) for rank, name in enumerate(names)}
    return found


__all__ = ["OLD_INSTANCE", "TWO_PARTITIONS", "Bet", "bets_partition", "cast", "money", "offsets"]
