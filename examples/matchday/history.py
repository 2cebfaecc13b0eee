"""The seeded history: the match of the last hours as a notebook of spans and events.

The same seed and the same minute give the same facts, so sending them again changes nothing.
"""

from __future__ import annotations

import random

from opentelemetry.trace import SpanKind

from examples.matchday.bets import cast
from examples.matchday.feed import record_feed
from examples.matchday.paying import record_paying
from examples.matchday.placing import record_placing
from examples.matchday.record import MS, Node, Notebook, body_of, entity_attributes
from examples.matchday.story import PLAYER, Clock


def record(clock: Clock, seed: int = 4711) -> Notebook:
    """Everything that happened up to the end of the clock's day, in a notebook."""
    name = f"{seed} {clock.kickoff}"
    book, dice = Notebook(name), random.Random(f"story {name}")
    record_player(book, clock)
    goals = record_feed(book, clock, dice)
    bets = cast(clock, dice)
    placed = record_placing(book, bets, dice)
    _deployment(book, clock)
    record_paying(book, clock, bets, placed, goals["2-0"], dice)
    return book


def record_player(book: Notebook, clock: Clock) -> None:
    """Player 20417, yesterday: account verified and told so, then a first deposit; two traces."""
    node, who = Node("wallet", 1, "2.13.4"), entity_attributes(player=PLAYER)
    at = clock.at("14:05:03.220", days=-1)
    top = book.span(
        node,
        "POST /players/{player}/verify",
        at,
        at + 88 * MS,
        kind=SpanKind.SERVER,
        attributes=who | {"http.request.method": "POST", "http.route": "/players/{player}/verify"},
    )
    data = {"player_id": PLAYER, "level": "full", "document": "passport"}
    event = book.event(node, "AccountVerified", at + 61 * MS, f"player/{PLAYER}", data, inside=top)
    sent = book.send(
        node,
        "players",
        at + 61 * MS,
        at + 66 * MS,
        place=(2, 4_410),
        key=PLAYER,
        body=body_of(data),
        about=who,
        parent=top,
        event=event,
    )
    begun = sent.left + 15 * MS
    work = book.process(Node("notifications"), sent, begun, begun + 47 * MS)
    push = who | {"http.request.method": "POST", "server.address": "push.example"}
    book.span(
        Node("notifications"),
        "POST /push",
        begun + 4 * MS,
        begun + 44 * MS,
        parent=work,
        kind=SpanKind.CLIENT,
        attributes=push,
    )
    at = clock.at("14:11:40.007", days=-1)
    top = book.span(
        node,
        "POST /deposits",
        at,
        at + 52 * MS,
        kind=SpanKind.SERVER,
        attributes=who | {"http.request.method": "POST", "http.route": "/deposits"},
    )
    data = {"player_id": PLAYER, "amount": "50.00", "currency": "EUR"}
    book.event(node, "DepositReceived", at + 40 * MS, f"player/{PLAYER}", data, inside=top)


def _deployment(book: Notebook, clock: Clock) -> None:
    """wallet 2.14.0 goes out at 17:55 and reads keys as text from then on."""
    node, at = Node("wallet", 1), clock.at("17:55:00")
    top = book.span(node, "deploy", at, at + 4_000 * MS)
    data = {
        "service": "wallet",
        "version": "2.14.0",
        "previous": "2.13.4",
        "note": "reads message keys as string",
    }
    book.event(
        node, "ServiceDeployed", at, "deployment/wallet-2.14.0", data, inside=top, source="/deploy/pipeline"
    )
