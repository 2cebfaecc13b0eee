"""What the story must be rebuilt to, written by hand: one graph, one timeline, for every style.

A row is a hop: who sent the message, over which destination, who took it, for the how many-th time, what came of
it, and the least ms that it waited for its handler (for the second time: since the first began) and was worked on.
``-`` is what nobody can know.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

HOPS = """
sent by  | over      | taken by   | try | outcome   | waited | worked | how often
shop     | orders    | payments   | 1   | failed    | 0      | 30     | 1
shop     | orders    | payments   | 2   | done      | 30     | 30     | 1
shop     | orders    | audit      | 1   | done      | 60     | 30     | 1
payments | paid      | packing    | 1   | done      | 30     | 30     | 1
packing  | parcels   | mail       | 1   | done      | 0      | 30     | 1
mail     | late      | courier    | 1   | done      | 0      | 30     | 1
shop     | items     | counting   | 1   | done      | 180    | 1      | 50
shop     | invoices  | billing    | 1   | done      | 230    | 30     | 1
billing  | graveyard | undertaker | 1   | done      | 0      | 30     | 1
"""

# The rows that a style has instead, and why: by destination, consumer and try; ``=`` is as above, ``never`` no hop.
INSTEAD = {
    "a retry is a task of its own, which the worker sends, to be run after 100 ms": """
*Celery on *             | payments | orders    | payments   | 2 | done      | 130 | 30
""",
    "a task that gives up is rejected, and RabbitMQ moves the shop's own message to the dead letters": """
Celery on *              | shop     | invoices  | billing    | 1 | failed    | 230 | 30
*Celery on RabbitMQ      | shop     | graveyard | undertaker | 1 | done      | 260 | 30
""",
    "Redis as Celery's broker has no dead letters: what is rejected is gone": """
*Celery on Redis         | =        | graveyard | undertaker | 1 | never     | =   | =
""",
    "the package sees no error: the handler of a message has returned when its span ends, a retry is none": """
stock confluent-kafka    | shop     | orders    | payments   | 1 | done      | 0   | 30
stock Celery on *        | shop     | orders    | payments   | 1 | done      | 0   | 30
""",
    "the package's span of taking a message ends before its handler begins, which is in no span of it": """
stock kafka-python       | =        | *         | *          | * | in flight | =   | -
stock aiokafka           | =        | *         | *          | * | in flight | =   | -
""",
    "so who sends a message on with its headers has no part in its trace, and the first sender's context stays": """
stock kafka-python       | packing  | late      | courier    | 1 | in flight | 30  | -
stock kafka-python       | mail     | late      |            | 1 | unknown   | -   | -
stock kafka-python       | shop     | graveyard | undertaker | 1 | in flight | 260 | -
stock kafka-python       | billing  | graveyard |            | 1 | unknown   | -   | -
stock aiokafka           | packing  | late      | courier    | 1 | in flight | 30  | -
stock aiokafka           | mail     | late      |            | 1 | unknown   | -   | -
stock aiokafka           | shop     | graveyard | undertaker | 1 | in flight | 260 | -
stock aiokafka           | billing  | graveyard |            | 1 | unknown   | -   | -
""",
    "the package tells of commands to a database, puts no context into an entry, and names no stream": """
stock Redis streams      | =        | *         | *          | * | never     | =   | =
""",
}

TIMELINE = """
lane       | what             | how often
shop       | check out        | 1
payments   | charge the card  | 2
audit      | write it down    | 1
packing    | pack             | 1
mail       | find it late     | 1
courier    | deliver          | 1
counting   | count            | 50
billing    | read the invoice | 1
undertaker | bury             | 1
"""

# Where the order comes in as an HTTP request, what the events that the shop sends come from: each from the next.
DOOR = """
lane     | what
shop     | check out
shop     | POST *orders/<order>/
customer | POST
"""


@dataclass(frozen=True, order=True)
class Hop:
    """One row; ``waited`` and ``worked`` are ms at least, ``None`` where unknown."""

    sender: str
    destination: str
    consumer: str
    attempt: str
    outcome: str
    waited: int | None
    worked: int | None

    @property
    def facts(self) -> tuple[str, ...]:
        """What is the same in every telling."""
        return self.sender, self.destination, self.consumer, self.attempt, self.outcome


def rows(table: str, head: int = 1) -> list[list[str]]:
    """The cells below a table's head."""
    return [[cell.strip() for cell in line.split("|")] for line in table.strip().splitlines()[head:]]


def hops(style: str) -> list[Hop]:
    """All that a style's story must be rebuilt to."""
    told = [hop for cells in rows(HOPS) for hop in [_hop(cells)] * int(cells[7])]
    for table in INSTEAD.values():
        for pattern, *cells in rows(table, head=0):
            if fnmatchcase(style, pattern):
                told = list(_changed(told, cells))
    return told


def timeline(gone: Iterable[str]) -> list[tuple[str, str]]:
    """What each lane does about the order, one after the other; without the lanes that got no message."""
    return [
        (lane, what) for lane, what, often in rows(TIMELINE) if lane not in gone for _ in range(int(often))
    ]


def _hop(cells: list[str]) -> Hop:
    waited, worked = (None if cell == "-" else int(cell) for cell in cells[5:7])
    return Hop(*cells[:5], waited=waited, worked=worked)


def _changed(told: list[Hop], cells: list[str]) -> Iterable[Hop]:
    names = ("sender", "destination", "consumer", "attempt", "outcome", "waited", "worked")
    given = {name: cell for name, cell in zip(names, cells, strict=True) if cell not in ("=", "*")}
    least = {
        name: None if given[name] == "-" else int(given[name])
        for name in ("waited", "worked")
        if name in given
    }
    met = False
    for hop in told:
        if all(
            fnmatchcase(mine, pattern)
            for mine, pattern in zip((hop.destination, hop.consumer, hop.attempt), cells[1:4], strict=True)
        ):
            met = True
            if cells[4] != "never":
                yield replace(hop, **(given | least))  # type: ignore[arg-type]
        else:
            yield hop
    if not met:
        yield _hop(cells)
