"""How the bets were settled and paid after the second goal, and everything that went wrong there."""

from __future__ import annotations

import random
from collections.abc import Iterable
from dataclasses import dataclass

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import Link, SpanKind

from examples.matchday.bets import Bet, money, offsets, payouts_partition, settlements_partition
from examples.matchday.placing import DATABASE, Placed, about
from examples.matchday.record import MS, Attributes, Node, Notebook, Sent, body_of, posted, rfc3339
from examples.matchday.story import (
    DEAD_LETTERS,
    DOUBLE_CREDIT,
    HANGING,
    HARMLESS_DUPLICATE,
    MATCH,
    WAIT_NS,
    Clock,
)
from tracing.envelope import Envelope

_OLD = Node("settlement", 0, "3.8.2")  # left behind when the keys became strings
_POLL = 20 * MS
_TIMEOUT = ("DeadlineExceeded", "credit account did not answer within 10 s")
_POISON = b"<heartbeat from='settlement-0' seq='118'/>"
POISON_NAME = "poison"


@dataclass(frozen=True)
class Paid:
    """A bet's settlement in the broker, with the event it carries."""

    bet: Bet
    sent: Sent
    event: Envelope


def wallet_of(partition: int) -> Node:
    """The wallet instance that reads this partition of ``settlements``."""
    return Node("wallet", 0 if partition < 3 else 1 if partition < 7 else 2)


def record_paying(
    book: Notebook, clock: Clock, bets: list[Bet], placed: dict[str, Placed], goal: Sent, dice: random.Random
) -> None:
    """Record settling and paying of all bets: 997 paid, 3 hanging, one credited twice."""
    poison_at = clock.at("18:15:12.500")
    plan = [(bet.settled, settlements_partition(bet.id), bet.id) for bet in bets]
    plan.append((poison_at, 5, POISON_NAME))
    places = offsets(plan, {DOUBLE_CREDIT: 51_077, HANGING[0]: 18_220}, 50_400)
    paid_at = [(bet.settled, payouts_partition(bet.id), bet.id) for bet in bets if bet.id not in HANGING]
    payouts = offsets(paid_at, {DOUBLE_CREDIT: 20_931}, 20_000)
    settled = [_settle(book, bet, placed[bet.id], goal, places[bet.id]) for bet in bets]
    _variant(book, settled)
    polled = [one for one in settled if one.bet.id != DOUBLE_CREDIT]
    for one, batch, begun in _polls(book, polled):
        if one.bet.id in HANGING:
            _find_nobody(book, one, batch, begun)
        else:
            _pay(book, one, batch, begun, payouts[one.bet.id], dice)
    slow = next(one for one in settled if one.bet.id == DOUBLE_CREDIT)
    _pay_twice(book, clock, slow, payouts[DOUBLE_CREDIT])
    _poison(book, poison_at, places[POISON_NAME])


def _settle(book: Notebook, bet: Bet, placed: Placed, goal: Sent, place: tuple[int, int]) -> Paid:
    node = _OLD if bet.id in HANGING else Node("settlement", 1 + int(bet.id) % 2)
    who, at = about(bet), bet.settled
    begun = at - 17_123_400
    update = who | DATABASE | {"db.operation.name": "UPDATE", "db.collection.name": "bets"}
    cause = [Link(goal.span.context, {"throughline.context.match": MATCH})]
    work = book.span(
        node, "settle bet", begun, begun + round(24.9 * MS), parent=placed.taken, attributes=who, links=cause
    )
    book.span(
        node,
        "UPDATE bets",
        begun + 3 * MS,
        begun + round(10.1 * MS),
        parent=work,
        kind=SpanKind.CLIENT,
        attributes=update,
    )
    data = settlement_data(bet)
    event = book.event(
        node,
        "BetSettled",
        at,
        f"bet/{bet.id}",
        data,
        inside=work,
        cause=placed.event,
        schema=bet.schema,
        source="/settlement/markets",
    )
    sent = book.send(
        node,
        "settlements",
        at + 287_620,
        at + 4_876_600,  # bet 8812's left at 18:15:09.763
        place=place,
        key=bet.key,
        body=body_of(data),
        about=who,
        parent=work,
        event=event,
    )
    return Paid(bet, sent, event)


def settlement_data(bet: Bet) -> dict[str, object]:
    """What a settlement says."""
    return {
        "bet_id": bet.id,
        "player_id": bet.player,
        "match": MATCH,
        "market": "over_1_5_goals",
        "outcome": "won",
        "stake": money(bet.stake),
        "odds": bet.odds / 100,
        "payout": money(bet.payout),
        "settled_by": {"type": "GoalScored", "score": "2-0"},
        "settled_at": rfc3339(bet.settled),
    }


def _variant(book: Notebook, settled: Iterable[Paid]) -> None:
    """Bet 8812's settlement is posted again as it was, and once more with other odds."""
    slow = next(one for one in settled if one.bet.id == DOUBLE_CREDIT)
    node, data = Node("settlement", 1), settlement_data(slow.bet)
    book.events.append(posted(slow.event, node, data))
    book.events.append(posted(slow.event, node, data | {"odds": 1.8}))


def _polls(book: Notebook, settled: Iterable[Paid]) -> list[tuple[Paid, ReadableSpan, int]]:
    """Each wallet instance polls every 20 ms: (settlement, its poll, when its handler began)."""
    batches: dict[tuple[Node, int], list[Paid]] = {}
    for one in settled:
        node = wallet_of(one.sent.partition)
        batches.setdefault((node, (one.sent.left + 4 * MS) // _POLL + 1), []).append(one)
    found = []
    for (node, tick), batch in sorted(batches.items(), key=lambda item: item[0][1]):
        batch.sort(key=lambda one: one.sent.left)
        span = book.receive(node, [one.sent for one in batch], (tick - 1) * _POLL, tick * _POLL)
        found += [(one, span, tick * _POLL + (1 + rank) * 40_000) for rank, one in enumerate(batch)]
    return found


def _find_nobody(book: Notebook, one: Paid, batch: ReadableSpan, begun: int) -> None:
    """wallet-2 looks for an account by a key of bytes, finds none, and ends without an outcome."""
    node = wallet_of(one.sent.partition)
    work = book.process(node, one.sent, begun, begun + round(3.4 * MS), received=batch)
    looked = one.sent.about | DATABASE | {"db.operation.name": "SELECT", "db.response.returned_rows": 0}
    book.span(
        node,
        "find open bet",
        begun + MS,
        begun + 3 * MS,
        parent=work,
        kind=SpanKind.CLIENT,
        attributes=looked,
    )


def _pay(
    book: Notebook, one: Paid, batch: ReadableSpan, begun: int, place: tuple[int, int], dice: random.Random
) -> None:
    node, took = wallet_of(one.sent.partition), round(dice.lognormvariate(5.97, 0.35) * MS)
    done = begun + took
    work = book.process(node, one.sent, begun, done + 6 * MS, received=batch)
    credited = _credit(book, node, one, work, begun + 2 * MS, done - 3 * MS, attempt=1)
    sent = _complete(book, node, one, work, done, place, credited)
    if one.bet.id == HARMLESS_DUPLICATE:
        _deliver_again(book, one, done + 2_100 * MS)
    _notify(book, sent, one, dice)


def _credit(
    book: Notebook,
    node: Node,
    one: Paid,
    work: ReadableSpan,
    start: int,
    end: int,
    *,
    attempt: int,
    times: tuple[int, int] | None = None,
    error: tuple[str, str] | None = None,
) -> Envelope:
    """The account is credited: a call, its update, and the event when the update is committed."""
    call = book.span(node, "credit account", start, end, parent=work, attributes=one.sent.about, error=error)
    update_start, update_end = times or (start + MS, end - MS)
    update = one.sent.about | DATABASE | {"db.operation.name": "UPDATE", "db.collection.name": "balances"}
    book.span(
        node,
        "UPDATE balances",
        update_start,
        update_end,
        parent=call,
        kind=SpanKind.CLIENT,
        attributes=update,
    )
    data = {
        "bet_id": one.bet.id,
        "player_id": one.bet.player,
        "amount": money(one.bet.payout),
        "balance_delta": f"{one.bet.payout * attempt / 100:.2f}",
        "attempt": attempt,
    }
    subject = f"bet/{one.bet.id}"
    return book.event(node, "BalanceCredited", update_end, subject, data, inside=work, cause=one.event)


def _complete(
    book: Notebook,
    node: Node,
    one: Paid,
    work: ReadableSpan,
    at: int,
    place: tuple[int, int],
    cause: Envelope,
) -> Sent:
    data = {"bet_id": one.bet.id, "player_id": one.bet.player, "payout": money(one.bet.payout)}
    event = book.event(node, "PayoutCompleted", at, f"bet/{one.bet.id}", data, inside=work, cause=cause)
    return book.send(
        node,
        "wallet.payouts",
        at,
        at + round(5.6 * MS),
        place=place,
        key=one.bet.id,
        body=body_of(data),
        about=one.sent.about,
        parent=work,
        event=event,
    )


def _notify(book: Notebook, sent: Sent, one: Paid, dice: random.Random) -> None:
    node, begun = Node("notifications"), sent.left + round(dice.uniform(8, 20) * MS)
    end = begun + round(dice.uniform(30, 60) * MS)
    work = book.process(node, sent, begun, end)
    call: Attributes = sent.about | {"http.request.method": "POST", "server.address": "push.example"}
    book.span(node, "POST /push", begun + MS, end - MS, parent=work, kind=SpanKind.CLIENT, attributes=call)
    data = {"bet_id": one.bet.id, "player_id": one.bet.player, "channel": "push"}
    book.event(node, "PlayerNotified", end - MS, f"bet/{one.bet.id}", data, inside=work, cause=sent.event)


def _deliver_again(book: Notebook, one: Paid, begun: int) -> None:
    """The offset was not committed before a rebalance; the handler knows the bet and does nothing."""
    node = Node("wallet", (wallet_of(one.sent.partition).number + 1) % 3)
    work = book.process(node, one.sent, begun, begun + 5 * MS, attempt=2)
    known = one.sent.about | {"wallet.outcome": "already credited"}
    book.span(node, "find open bet", begun + MS, begun + 4 * MS, parent=work, attributes=known)


def _pay_twice(book: Notebook, clock: Clock, one: Paid, place: tuple[int, int]) -> None:
    """Bet 8812: 90.012 s in the broker, a time-out that had credited all the same, and a second try."""
    node, sent = wallet_of(one.sent.partition), one.sent
    began = sent.left + WAIT_NS
    batch = book.receive(node, [sent], began - MS, began)
    failed = clock.at("18:16:51.391")
    first = book.process(node, sent, began, failed, received=batch, error=_TIMEOUT)
    warm = began + 5 * MS, clock.at("18:16:41.204")
    book.span(node, "load accounts of partition", *warm, parent=first, attributes=sent.about)
    called = clock.at("18:16:41.260")
    late = clock.at("18:16:41.302"), clock.at("18:16:51.344")  # committed 84 ms after the time-out
    _credit(book, node, one, first, called, called + 10_000 * MS, attempt=1, times=late, error=_TIMEOUT)
    again, ended = clock.at("18:16:53.391"), clock.at("18:16:57.518")
    second = book.process(node, sent, again, ended, attempt=2, received=batch)
    update = clock.at("18:16:53.431"), clock.at("18:16:57.102")
    credited = _credit(
        book, node, one, second, clock.at("18:16:53.402"), clock.at("18:16:57.160"), attempt=2, times=update
    )
    # nobody takes this payout: the player is never told
    _complete(book, node, one, second, clock.at("18:16:57.498"), place, credited)


def _poison(book: Notebook, at: int, place: tuple[int, int]) -> None:
    """Not JSON at all: three attempts fail to parse it, then it goes to the dead letters."""
    came = {"throughline.context.match": MATCH}
    sent = book.send(_OLD, "settlements", at, at + 4 * MS, place=place, key=None, body=_POISON, about=came)
    node = wallet_of(place[0])
    error = ("JSONDecodeError", "Expecting value: line 1 column 1 (char 0)")
    begun = sent.left + 14 * MS
    for attempt in (1, 2, 3):
        work = book.process(node, sent, begun, begun + 2 * MS, attempt=attempt, error=error)
        begun += 502 * MS
    dead = {"dead_letter.reason": error[1], "dead_letter.source": f"settlements/{place[0]}/{place[1]}"}
    book.send(
        node,
        DEAD_LETTERS,
        begun,
        begun + 4 * MS,
        place=(0, 31),
        key=None,
        body=_POISON,
        about=came,
        parent=work,
        more=dead,
        links=[Link(sent.span.context)],
    )
