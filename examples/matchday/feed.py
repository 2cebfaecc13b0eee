"""The third party's match feed: 1,904 messages without a gap, two goals, growing all the while.

A third goal was on air and is not in it. Each message repeats the incident log so far and one
more ``x-feed-hop`` header every 50 messages, so body and headers grow over the match.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from itertools import pairwise

from opentelemetry.trace import SpanKind

from examples.matchday.record import MS, Node, Notebook, Sent, body_of, entity_attributes
from examples.matchday.story import FEED_LENGTH, GROWING_DESTINATION, GROWING_HEADER, MATCH, Clock

GATEWAY, SETTLEMENT = Node("feed-gateway"), Node("settlement", 1)
_MILESTONES: dict[int, tuple[str, str, dict[str, str | int]]] = {
    1: ("17:00:00.000", "KickOff", {}),
    418: ("17:22:41.318", "GoalScored", {"score": "1-0", "scorer": "Amara Lindqvist", "minute": 23}),
    806: ("17:46:02.114", "HalfTime", {}),
    812: ("18:02:00.391", "SecondHalfStarted", {}),
    1187: ("18:15:09.702", "GoalScored", {"score": "2-0", "scorer": "Teo Marchetti", "minute": 58}),
    FEED_LENGTH: ("18:41:58.412", "BallPossession", {}),
}
_ORDINARY = ("BallPossession", "BallPossession", "ThrowIn", "ShotTaken", "FoulCommitted", "CornerTaken")
_LOGGED = ("home presses", "away clears", "long ball", "free kick", "saved", "wide")


@dataclass(frozen=True)
class Tick:
    """One message of the feed before it is sent."""

    number: int
    at: int
    kind: str
    said: dict[str, str | int]


def ticks(clock: Clock, dice: random.Random) -> list[Tick]:
    """All messages in order: the milestones at their minute, the rest spread between them."""
    numbers = sorted(_MILESTONES)
    found = []
    for first, after in pairwise(numbers):
        start, end = clock.at(_MILESTONES[first][0]), clock.at(_MILESTONES[after][0])
        between = sorted(dice.randrange(start + MS, end - MS) for _ in range(after - first - 1))
        found.append(Tick(first, start, _MILESTONES[first][1], _MILESTONES[first][2]))
        found += [Tick(first + 1 + n, at, dice.choice(_ORDINARY), {}) for n, at in enumerate(between)]
    last, (wall, kind, said) = numbers[-1], _MILESTONES[numbers[-1]]
    return [*found, Tick(last, clock.at(wall), kind, said)]


def record_feed(book: Notebook, clock: Clock, dice: random.Random) -> dict[str, Sent]:
    """Record the feed and its handling by settlement; answers with the goals by score."""
    goals: dict[str, Sent] = {}
    log = ""
    for tick in ticks(clock, dice):
        log += f"{tick.number} {dice.choice(_LOGGED)}; " if tick.number % 17 == 0 else ""
        sent = _forward(book, tick, log)
        goal = tick.kind == "GoalScored"
        if goal:
            goals[str(tick.said["score"])] = sent
        begun = sent.left + round(dice.uniform(8, 20) * MS)
        # the second goal decides the market: its handler settles all bets before it is done
        worked = 4_690 * MS if tick.said.get("score") == "2-0" else round(dice.uniform(0.4, 2.5) * MS)
        book.process(SETTLEMENT, sent, begun, begun + worked, about=entity_attributes(match=MATCH))
    return goals


def _forward(book: Notebook, tick: Tick, log: str) -> Sent:
    hops = [f"fra{n % 7}.feed.example/{n:02d}" for n in range(1 + tick.number // 50)]
    about = entity_attributes(match=MATCH)
    outer = None
    if tick.said:
        outer = book.span(
            GATEWAY,
            "POST /feed",
            tick.at - 2 * MS,
            tick.at + 4 * MS,
            kind=SpanKind.SERVER,
            attributes=about
            | {"http.request.method": "POST", "http.route": "/feed", "feed.provider": "statsfeed"},
        )
    data = {"match": MATCH, "feed_sequence": tick.number, **tick.said, "log": log.strip()}
    # spans know the coordinates before the event is posted, as a producer knows them after the report
    place = 0, tick.number
    span_at, span_end = tick.at, tick.at + round(3.1 * MS)
    carrier = outer or book.span(GATEWAY, "read feed", tick.at - MS, span_end, attributes=about)
    extensions = {"score": str(tick.said["score"])} if "score" in tick.said else {}
    event = book.event(
        GATEWAY,
        tick.kind,
        tick.at,
        f"match/{MATCH}",
        data,
        inside=carrier,
        sequence=f"{tick.number:06d}",
        schema="match-event/2",
        extensions=extensions,
        source="/feed-gateway/statsfeed",
    )
    more = {f"messaging.header.{GROWING_HEADER}": hops, **extensions}
    return book.send(
        GATEWAY,
        GROWING_DESTINATION,
        span_at,
        span_end,
        place=place,
        key=MATCH,
        body=body_of(data),
        about=about,
        parent=carrier,
        event=event,
        more=more,
        header=(GROWING_HEADER, hops),
    )
