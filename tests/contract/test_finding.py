"""What people paste, type, follow and wait for, asked of each store."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from django.contrib.auth.models import User

from tests import builders as b
from timeline.domain import Event, EventInfo, Message, SpanRef, Stored
from timeline.errors import BadQuery
from timeline.inbox.inbox import Inbox
from timeline.models import Watch
from timeline.reading import watches
from timeline.reading.desk import Desk
from timeline.reading.search import Ask
from timeline.reading.tail import MOST
from timeline.redaction.asking import NOTHING
from timeline.search.caret import typed
from timeline.search.query import Window
from timeline.store.port import Store

pytestmark = pytest.mark.django_db
RULES = {"order.id": "order", "bet_id": "bet"}
TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    """Questions to the store."""
    inbox = Inbox(tmp_path / "inbox.sqlite3")
    return Desk(store, inbox, node="here", retention_days=14, rules=lambda _: RULES)


def planted() -> Stored:
    """The one event that every pasted shape is about."""
    return b.stored(
        Event(
            kind="cloudevent",
            name="PayoutCompleted",
            service="wallet",
            environment="prod",
            at=b.NOW,
            ref=SpanRef(trace_id=TRACE, span_id=SPAN),
            event=EventInfo(
                source="/wallet",
                id="01JD7Z3RK4B2M9E6V0X5Q8TK25",
                type="PayoutCompleted",
                subject="bet/8812",
                correlation_id="corr-8812-77",
            ),
            message=Message(
                system="kafka", operation="send", destination="wallet.payouts", partition="4", offset=20931
            ),
            entities=b.entities("bet:8812"),
            attributes={
                "messaging.destination.partition.id": "4",
                "messaging.kafka.offset": 20931,
                "order.id": "ord-4711",
            },
            body={"bet_id": "8812", "payout": {"reference": "pay-20931-x"}},
        )
    )


PASTED: dict[str, Callable[[Stored], str]] = {
    "event id": lambda one: "01JD7Z3RK4B2M9E6V0X5Q8TK25",
    "entity": lambda one: "bet:8812",
    "fact id": lambda one: one.receipt.id,
    "trace id": lambda one: TRACE.upper(),
    "span id": lambda one: f'"{SPAN}"',
    "topic/partition/offset": lambda one: "wallet.payouts/4/20,931",
    "console coordinates": lambda one: "wallet.payouts[4]@20931",
    "traceparent": lambda one: f"traceparent: 00-{TRACE}-{SPAN}-01",
    "header dump": lambda one: (
        f"content-type: application/json\nce-id: 01JD7Z3RK4B2M9E6V0X5Q8TK25\nce-source: /wallet\n"
        f"traceparent: 00-{TRACE}-{SPAN}-01\n"
    ),
    "JSON body": lambda one: '{"bet_id": "8812", "payout": {"reference": "pay-20931-x"}}',
    "CloudEvent": lambda one: (
        '{"specversion":"1.0","id":"01JD7Z3RK4B2M9E6V0X5Q8TK25","source":"/wallet",\n "type":"PayoutCompleted","data":{}}'
    ),
    "curl": lambda one: (
        f"curl -s https://api.example.org/payouts/pay-20931-x \\\n  -H 'traceparent: 00-{TRACE}-{SPAN}-01'"
    ),
    "log line": lambda one: (
        f"2026-09-21 14:13:20,004 ERROR wallet payout pay-20931-x failed trace_id={TRACE} order.id=ord-4711"
    ),
}


@pytest.fixture
def found(desk: Desk, store: Store) -> Callable[[str], list[str]]:
    """Ids that a text finds among 200 other facts."""
    store.write([*b.facts(200), planted()], visible=True)
    return lambda text: [row.id for row in desk.search(Ask(text=text, window=Window(), limit=20)).rows]


def test_whatever_is_pasted_leads_to_the_event(found: Callable[[str], list[str]]) -> None:
    one = planted()
    lost = [shape for shape, write in PASTED.items() if one.receipt.id not in found(write(one))]
    assert [] == lost
    assert 12 <= len(PASTED)


def test_the_answer_says_what_it_was_taken_for_and_which_reading_hit(desk: Desk, store: Store) -> None:
    store.write([planted()], visible=True)
    answer = desk.search(Ask(text=PASTED["header dump"](planted())))
    assert "headers" in answer.understood
    assert {1} == {reading.count for reading in answer.readings}
    assert len(answer.readings) > 1


def labels(desk: Desk, text: str) -> list[str]:
    word = typed(text)
    return [] if word is None else [offer.label for offer in desk.offers(word)]


def test_keys_and_values_are_offered_by_what_facts_have(desk: Desk, store: Store) -> None:
    now = time.time_ns()
    spans = [
        b.span(
            number=number,
            start=now - number,
            service="wallet" if number % 3 else "settlement",
            attributes={"wage.class": f"c{number % 2}"},
            entities=b.entities(f"bet:{number}"),
        )
        for number in range(1, 10)
    ]
    store.write([b.stored(span) for span in spans], visible=True)
    assert ["wage.class"] == labels(desk, "status:ok wage")
    assert ["wallet", "settlement"] == labels(desk, "service:")
    assert ["settlement"] == labels(desk, "(service:set")
    assert {"c0", "c1"} == set(labels(desk, "wage.class:"))
    assert [] == labels(desk, "bet:3")  # written already
    assert {str(number) for number in range(1, 10)} == set(labels(desk, "bet:"))
    assert "bet" == labels(desk, "be")[0]


def test_an_environment_narrows_rows_counts_facets_and_readings_alike(desk: Desk, store: Store) -> None:
    spans = [
        b.span(number=number, environment="prod" if number < 3 else "test", name="pay") for number in range(5)
    ]
    store.write([b.stored(span) for span in spans], visible=True)
    answer = desk.search(Ask(text="name:pay", environment="test"))
    assert (2, 2) == (answer.total.value, len(answer.rows))
    assert [("test", 2)] == [
        (value.value, value.count)
        for facet in answer.facets
        if facet.field == "environment"
        for value in facet.values
    ]
    assert 2 == sum(1 for _ in desk.matches(Ask(text="name:pay", environment="test")))
    assert 0 == desk.search(Ask(text="name:pay", environment="none")).total.value


def test_a_facet_that_is_looked_into_has_every_value(desk: Desk, store: Store) -> None:
    spans = [
        b.span(number=number, name=f"op-{number}", attributes={"shard": number}) for number in range(1, 31)
    ]
    store.write([b.stored(span) for span in spans], visible=True)
    usual = {facet.field: facet for facet in desk.search(Ask()).facets}
    assert 10 == len(usual["name"].values)
    assert 30 == len({facet.field: facet for facet in desk.search(Ask(more="name")).facets}["name"].values)
    first = desk.search(Ask(more="shard")).facets[0]
    assert ("shard", True, 30) == (first.field, first.sampled, len(first.values))


def received(number: int, at: int, **fields: object) -> Stored:
    return b.stored(b.span(number=number, **fields), received=at, request=f"r{number}")


def test_following_skips_and_repeats_nothing(desk: Desk, store: Store) -> None:
    old = time.time_ns() - 60 * b.SECOND
    store.write([received(1, old), received(2, old + 5, name="other"), received(3, old + 9)], visible=True)
    answer = desk.tail(Ask(text="name:work"), old)
    assert [3, 1] == [int(row.span_id or "", 16) for row in answer.rows]
    assert old < answer.up_to <= answer.now
    assert [] == list(desk.tail(Ask(text="name:work"), answer.up_to).rows)
    # stored after the look and received before it, as when a node was behind: still ahead of the cursor
    late = received(4, answer.up_to + 1, start=b.NOW - b.DAY)
    store.write([late], visible=True)
    seen: list[str] = []
    after = answer.up_to
    deadline = time.monotonic() + 60
    while not seen:
        assert time.monotonic() < deadline
        again = desk.tail(Ask(text="name:work"), after)
        seen += [row.id for row in again.rows]
        after = again.up_to
    assert [late.receipt.id] == seen


def test_what_is_too_much_to_follow_is_counted(desk: Desk, store: Store) -> None:
    old = time.time_ns() - 60 * b.SECOND
    store.write([received(number, old + number) for number in range(1, 41)], visible=True)
    answer = desk.tail(Ask(limit=10), old)
    assert (10, 30) == (len(answer.rows), answer.skipped)
    assert 40 == int(answer.rows[0].span_id or "", 16)
    assert MOST >= 40


def test_around_a_fact_are_its_neighbours_in_time(desk: Desk, store: Store) -> None:
    facts = [b.stored(b.span(number=number, start=b.NOW + number * b.SECOND)) for number in range(1, 31)]
    store.write(facts, visible=True)
    window = desk.around(facts[14].receipt.id, 5)
    assert window is not None
    assert Window(start=b.NOW + 10 * b.SECOND, end=b.NOW + 20 * b.SECOND + 1) == window
    ends = desk.around(facts[0].receipt.id, 5)
    assert ends is not None
    assert b.NOW + b.SECOND == ends.start
    assert desk.around("A" * 20, 5) is None


@pytest.fixture
def user() -> User:
    return User.objects.create(username="reader")


def look(store: Store) -> int:
    return watches.look(store, lambda _: RULES, lambda _: NOTHING)


def test_a_watch_is_told_of_the_first_match_received_since(store: Store, user: User) -> None:
    since = time.time_ns()
    before = received(1, since - 1, entities=b.entities("bet:1"))
    store.write([before], visible=True)
    made = watches.watch(user.pk, Ask(text="bet:1"), since=since)
    assert (0, 0) == (look(store), watches.arrived(user.pk))
    later = [
        received(number, since + number, entities=b.entities("bet:1"), start=b.NOW - b.DAY)
        for number in (3, 2)
    ]
    store.write(later, visible=True)
    assert (1, 1) == (look(store), watches.arrived(user.pk))
    told = Watch.objects.get(pk=made.pk)
    assert (since + 2, later[1].receipt.id) == (told.arrived, told.fact)
    assert 0 == look(store)  # told once


def test_a_watch_keeps_to_a_range_that_ended_and_to_its_environment(store: Store, user: User) -> None:
    since = time.time_ns()
    ask = Ask(text="name:work", window=Window(start=b.NOW, end=b.NOW + 10), environment="prod")
    watches.watch(user.pk, ask, since=since)
    known = received(4, since - 1, start=b.NOW + 3, environment="prod")  # received before it was asked for
    store.write([known], visible=True)
    assert 0 == look(store)
    outside = received(1, since + 1, start=b.NOW + 20, environment="prod")
    elsewhere = received(2, since + 2, start=b.NOW + 1, environment="test")
    store.write([outside, elsewhere], visible=True)
    assert 0 == look(store)
    store.write([received(3, since + 3, start=b.NOW + 2, environment="prod")], visible=True)
    assert 1 == look(store)


def test_a_watch_that_cannot_be_read_any_more_says_so_and_stops_nobody(store: Store, user: User) -> None:
    since = time.time_ns()
    Watch.objects.create(user=user, text="(", since=since, made=since, expires=since + b.HOUR)
    watches.watch(user.pk, Ask(text="name:work"), since=since)
    store.write([received(1, since + 1)], visible=True)
    assert 1 == look(store)
    assert "" != Watch.objects.get(text="(").problem


def test_an_expired_watch_is_not_looked_for_and_goes(store: Store, user: User) -> None:
    since = time.time_ns()
    Watch.objects.create(user=user, text="name:work", since=since, made=since, expires=since + 1)
    store.write([received(1, since + 1)], visible=True)
    assert 0 == look(store)
    assert [] == watches.of(user.pk)
    watches.forget_expired()
    assert not Watch.objects.exists()


def test_a_person_waits_for_a_bounded_number_of_things(store: Store, user: User) -> None:
    for number in range(watches.MOST):
        watches.watch(user.pk, Ask(text=f"bet:{number}"), since=1)
    assert watches.watch(user.pk, Ask(text="bet:1"), since=1).text == "bet:1"  # the same one
    with pytest.raises(BadQuery, match="already"):
        watches.watch(user.pk, Ask(text="bet:more"), since=1)
    with pytest.raises(BadQuery, match="nothing"):
        watches.watch(user.pk, Ask(text=" "), since=1)
    other = User.objects.create(username="other")
    assert not watches.withdraw(other.pk, watches.of(user.pk)[0].pk)
    assert watches.withdraw(user.pk, watches.of(user.pk)[0].pk)
