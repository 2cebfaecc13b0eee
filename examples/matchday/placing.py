"""How the bets were placed: taken by bet-placement, stakes held by wallet, a push by notifications."""

from __future__ import annotations

import random
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanKind

from examples.matchday.bets import Bet, bets_partition, money, offsets, other_partition
from examples.matchday.record import MS, Attributes, Node, Notebook, Sent, body_of, entity_attributes
from examples.matchday.story import DOUBLE_CREDIT, MATCH, TWO_PARTITIONS
from tracing.envelope import Envelope

_EXACT = 1.0  # bet 8812 took exactly what is told of it
AMENDED = f"{TWO_PARTITIONS} amended"
DATABASE = {"db.system.name": "postgresql", "server.address": "db-1.prod-eu"}


@dataclass(frozen=True)
class Placed:
    """What settling a bet builds on: the event and settlement's span that took the bet."""

    event: Envelope
    taken: ReadableSpan


def about(bet: Bet) -> Attributes:
    """The bet and its player are named; the match came along in baggage."""
    return entity_attributes({"match": MATCH}, bet=bet.id, player=bet.player)


def _wallet(bet: Bet) -> Node:
    return Node("wallet", int(bet.id) % 3, "2.13.4")  # before the deployment at 17:55


def record_placing(book: Notebook, bets: list[Bet], dice: random.Random) -> dict[str, Placed]:
    """Record every bet up to its stake being held; answers by bet id."""
    plan = [(bet.placed, bets_partition(bet.id), bet.id) for bet in bets]
    amended = next(bet for bet in bets if bet.id == TWO_PARTITIONS)
    late = amended.placed + 180_000 * MS
    plan.append((late, other_partition(TWO_PARTITIONS), AMENDED))
    places = offsets(plan, {DOUBLE_CREDIT: 88_213}, 87_000)
    placed = {}
    for bet in bets:
        pace = _EXACT if bet.id == DOUBLE_CREDIT else dice.uniform(0.8, 1.3)
        placed[bet.id] = _place(book, bet, places[bet.id], pace)
    _amend(book, amended, late, places[AMENDED], placed[TWO_PARTITIONS].event)
    return placed


def _place(book: Notebook, bet: Bet, place: tuple[int, int], pace: float) -> Placed:
    node, who = Node("bet-placement", int(bet.id) % 2 + 1), about(bet)

    def after(milliseconds: float) -> int:
        return bet.placed + round(milliseconds * pace * MS)

    request = {"http.request.method": "POST", "http.route": "/bets", "http.response.status_code": 201}
    top = book.span(
        node,
        "POST /bets",
        bet.placed,
        after(66.2),
        kind=SpanKind.SERVER,
        attributes=who | request | {"client.channel": bet.channel},
    )
    book.span(node, "check odds", after(4), after(18.1), parent=top, attributes=who)
    insert = who | DATABASE | {"db.operation.name": "INSERT", "db.collection.name": "bets"}
    book.span(
        node, "INSERT bets", after(20.2), after(30), parent=top, kind=SpanKind.CLIENT, attributes=insert
    )
    data = {
        "bet_id": bet.id,
        "player_id": bet.player,
        "match": MATCH,
        "market": "over_1_5_goals",
        "stake": money(bet.stake),
        "odds": bet.odds / 100,
        "channel": bet.channel,
    }
    event = book.event(node, "BetPlaced", after(35), f"bet/{bet.id}", data, inside=top, schema="bet-placed/4")
    sent = book.send(
        node,
        "bets",
        after(35),
        after(43.6),
        place=place,
        key=bet.id,
        body=body_of(data),
        about=who,
        parent=top,
        event=event,
    )
    _hold_stake(book, bet, sent, pace)
    begun = sent.left + round(19.4 * pace * MS)
    taken = book.process(Node("settlement", 1), sent, begun, begun + round(6.9 * pace * MS))
    _push(book, sent, sent.left + round(21.8 * pace * MS), pace)
    return Placed(event, taken)


def _hold_stake(book: Notebook, bet: Bet, sent: Sent, pace: float) -> None:
    node = _wallet(bet)
    begun = sent.left + round(16.4 * pace * MS)

    def after(milliseconds: float) -> int:
        return begun + round(milliseconds * pace * MS)

    work = book.process(node, sent, begun, after(38))
    update = sent.about | DATABASE | {"db.operation.name": "UPDATE", "db.collection.name": "balances"}
    book.span(
        node, "UPDATE balances", after(9.4), after(20.6), parent=work, kind=SpanKind.CLIENT, attributes=update
    )
    held = {"bet_id": bet.id, "player_id": bet.player, "held": money(bet.stake)}
    # bet 8812's stake was held at 16:52:18.452
    book.event(node, "StakeReserved", after(21), f"bet/{bet.id}", held, inside=work, cause=sent.event)


def _push(book: Notebook, sent: Sent, begun: int, pace: float) -> ReadableSpan:
    node = Node("notifications")

    def after(milliseconds: float) -> int:
        return begun + round(milliseconds * pace * MS)

    work = book.process(node, sent, begun, after(54.3))
    call = sent.about | {
        "http.request.method": "POST",
        "server.address": "push.example",
        "http.response.status_code": 202,
    }
    book.span(node, "POST /push", after(6.2), after(47.8), parent=work, kind=SpanKind.CLIENT, attributes=call)
    return work


def _amend(book: Notebook, bet: Bet, at: int, place: tuple[int, int], cause: Envelope) -> None:
    """The same key from a producer that hashes with murmur2: another partition of the same topic."""
    node, who = Node("bet-placement", 3, "5.3.0"), about(bet)
    route = {"http.request.method": "PATCH", "http.route": "/bets/{bet}", "http.response.status_code": 200}
    top = book.span(node, "PATCH /bets/{bet}", at, at + 31 * MS, kind=SpanKind.SERVER, attributes=who | route)
    data = {"bet_id": bet.id, "player_id": bet.player, "match": MATCH, "cash_out_at": money(bet.stake)}
    event = book.event(node, "BetAmended", at + 9 * MS, f"bet/{bet.id}", data, inside=top, cause=cause)
    sent = book.send(
        node,
        "bets",
        at + 9 * MS,
        at + 16 * MS,
        place=place,
        key=bet.id,
        body=body_of(data),
        about=who,
        parent=top,
        event=event,
        more={"messaging.kafka.partitioner": "murmur2_random"},
        client_id="bet-placement-java",
    )
    for service, wait in (("wallet", 13), ("settlement", 15), ("notifications", 16)):
        begun = sent.left + wait * MS
        reader = _wallet(bet) if service == "wallet" else Node(service)
        book.process(reader, sent, begun, begun + 3 * MS)
