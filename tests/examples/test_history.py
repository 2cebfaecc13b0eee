"""The match day holds what ``story`` promises, looked up the way a reader would."""

from __future__ import annotations

import zlib
from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any

import orjson
import pytest
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import StatusCode

from examples.matchday import story
from examples.matchday.history import record
from examples.matchday.record import Notebook
from examples.matchday.story import Clock

NOW = 1_795_286_560_000_000_000  # 2026-11-21T18:42:40Z
CLOCK = Clock.ending(NOW)


@pytest.fixture(scope="module")
def book() -> Notebook:
    return record(CLOCK)


def of_bet(book: Notebook, bet: str) -> list[ReadableSpan]:
    return [span for span in book.spans if attributes(span).get("throughline.entity.bet") == bet]


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def named(spans: Iterable[ReadableSpan], name: str) -> list[ReadableSpan]:
    return sorted((span for span in spans if span.name == name), key=lambda span: span.start_time or 0)


def subjects(book: Notebook, kind: str) -> list[str]:
    return [event["subject"] for event in book.events if event["type"] == kind]


def test_the_same_minute_and_seed_give_the_same_facts_and_another_seed_others() -> None:
    first, again, other = record(CLOCK), record(CLOCK), record(CLOCK, seed=1)
    assert first.events == again.events
    assert [span.to_json() for span in first.spans[::97]] == [span.to_json() for span in again.spans[::97]]
    assert first.events != other.events


def test_the_match_day_keeps_its_wall_clock_and_ends_now(book: Notebook) -> None:
    assert "2026-11-21T17:00:00.000000000Z" == next(e["time"] for e in book.events if e["type"] == "KickOff")
    last = max(span.end_time or 0 for span in book.spans)
    assert NOW - story.MINUTE < last < NOW
    assert all((span.start_time or 0) < (span.end_time or 0) for span in book.spans)


def test_every_parent_is_there_and_no_id_is_used_twice(book: Notebook) -> None:
    spans = {(span.context.trace_id, span.context.span_id) for span in book.spans}
    assert len(book.spans) == len(spans)
    for span in book.spans:
        assert span.parent is None or (span.context.trace_id, span.parent.span_id) in spans
        for link in span.links:
            assert (link.context.trace_id, link.context.span_id) in spans


def test_no_message_is_handled_before_it_was_sent(book: Notebook) -> None:
    ends = {span.context.span_id: span.end_time or 0 for span in book.spans}
    for span in book.spans:
        if span.name.startswith("process "):
            assert span.parent is not None
            assert ends[span.parent.span_id] < (span.start_time or 0)


def test_every_fact_says_which_service_sent_it(book: Notebook) -> None:
    keys = ("service.name", "service.instance.id", "service.version", "deployment.environment.name")
    for span in book.spans:
        assert all(span.resource.attributes.get(key) for key in keys)
    for event in book.events:
        assert all(event.get(key.replace(".", "")) for key in keys)
    assert set(story.SERVICES) == {str(span.resource.attributes["service.name"]) for span in book.spans}
    assert {"prod"} == {event["deploymentenvironmentname"] for event in book.events}


def test_the_cloudevents_package_reads_every_event(book: Notebook) -> None:
    for event in book.events[::13]:
        read = JSONFormat().read(CloudEvent, orjson.dumps(event))
        assert event["type"] == read.get_type()
        assert event["data"] == read.get_data()


def test_the_feed_has_both_goals_no_third_and_no_gap(book: Notebook) -> None:
    goals = [event for event in book.events if event["type"] == "GoalScored"]
    assert list(story.GOALS) == [event["score"] for event in goals]
    assert ["2026-11-21T17:22:41.318000000Z", "2026-11-21T18:15:09.702000000Z"] == [e["time"] for e in goals]
    assert {f"match/{story.MATCH}"} == {event["subject"] for event in goals}
    feed = sorted(int(event["sequence"]) for event in book.events if "sequence" in event)
    assert list(range(1, story.FEED_LENGTH + 1)) == feed
    assert not any(story.NEVER_SENT in str(event) for event in book.events if event["type"] == "GoalScored")


def test_the_feeds_messages_grow_in_body_and_headers(book: Notebook) -> None:
    sends = named(book.spans, f"send {story.GROWING_DESTINATION}")
    sizes = [attributes(span)["messaging.message.body.size"] for span in sends]
    headers = [attributes(span)["throughline.message.header_bytes"] for span in sends]
    repeats = [len(attributes(span)[f"messaging.header.{story.GROWING_HEADER}"]) for span in sends]
    assert sizes[-1] > 10 * sizes[1]
    assert headers[-1] > 3 * headers[1]
    assert (1, 39) == (repeats[0], repeats[-1])
    assert repeats == sorted(repeats)


def test_of_1000_bets_997_are_paid_and_three_hang_by_the_type_of_their_key(book: Notebook) -> None:
    placed, settled, paid = (
        set(subjects(book, kind)) for kind in ("BetPlaced", "BetSettled", "PayoutCompleted")
    )
    assert (story.BETS, story.BETS, story.PAID) == (len(placed), len(settled), len(paid))
    assert {f"bet/{bet}" for bet in story.HANGING} == placed - paid
    sends = named(book.spans, "send settlements")
    odd = [span for span in sends if attributes(span).get("throughline.message.key_type") == "int64"]
    assert sorted(story.HANGING) == sorted(attributes(span)["throughline.entity.bet"] for span in odd)
    assert {story.OLD_INSTANCE} == {str(span.resource.attributes["service.instance.id"]) for span in odd}
    for bet in story.HANGING:
        handled = named(of_bet(book, bet), "process settlements")
        assert [StatusCode.UNSET] == [span.status.status_code for span in handled]


def test_bet_8812_waited_90_seconds_timed_out_and_was_credited_twice(book: Notebook) -> None:
    spans = of_bet(book, story.DOUBLE_CREDIT)
    (send,) = named(spans, "send settlements")
    first, second = named(spans, "process settlements")
    assert story.WAIT_NS == (first.start_time or 0) - (send.end_time or 0)
    assert [1, 2] == [attributes(span)["throughline.message.attempt"] for span in (first, second)]
    assert (StatusCode.ERROR, StatusCode.UNSET) == (first.status.status_code, second.status.status_code)
    call = named(spans, "credit account")[0]
    assert 10_000_000_000 == (call.end_time or 0) - (call.start_time or 0)
    assert ("3", 51_077) == (
        attributes(send)["messaging.destination.partition.id"],
        attributes(send)["messaging.kafka.offset"],
    )
    story_of_it = [event for event in book.events if event["subject"] == f"bet/{story.DOUBLE_CREDIT}"]
    times = sorted({(event["time"][11:23], event["type"]) for event in story_of_it})
    assert [
        ("16:52:18.406", "BetPlaced"),
        ("16:52:18.452", "StakeReserved"),
        ("18:15:09.758", "BetSettled"),
        ("18:16:51.344", "BalanceCredited"),
        ("18:16:57.102", "BalanceCredited"),
        ("18:16:57.498", "PayoutCompleted"),
    ] == times
    assert 26 == len(spans) + len({event["id"] for event in story_of_it})


def test_everyone_paid_is_told_but_the_player_of_bet_8812(book: Notebook) -> None:
    paid, told = set(subjects(book, "PayoutCompleted")), set(subjects(book, "PlayerNotified"))
    assert {f"bet/{story.DOUBLE_CREDIT}"} == paid - told


def test_only_bet_8812_is_credited_twice_and_only_it_waited_long(book: Notebook) -> None:
    credited = Counter(subjects(book, "BalanceCredited"))
    assert {f"bet/{story.DOUBLE_CREDIT}": 2} == {bet: count for bet, count in credited.items() if count > 1}
    ends = {span.context.span_id: span.end_time or 0 for span in book.spans}
    firsts = [
        s
        for s in named(book.spans, "process settlements")
        if attributes(s)["throughline.message.attempt"] == 1
    ]
    waits = sorted((s.start_time or 0) - ends[s.parent.span_id] for s in firsts if s.parent)
    assert story.WAIT_NS == waits[-1]
    assert waits[-2] < 30_000_000
    assert 12_000_000 < waits[len(waits) // 2] < 16_000_000


def test_one_delivery_is_repeated_without_consequence(book: Notebook) -> None:
    tries = named(of_bet(book, story.HARMLESS_DUPLICATE), "process settlements")
    assert [1, 2] == [attributes(span)["throughline.message.attempt"] for span in tries]
    assert {StatusCode.UNSET} == {span.status.status_code for span in tries}
    assert 1 == subjects(book, "BalanceCredited").count(f"bet/{story.HARMLESS_DUPLICATE}")


def test_one_key_lies_on_two_partitions_from_two_producers(book: Notebook) -> None:
    places: dict[tuple[str, str], set[tuple[str, str]]] = defaultdict(set)
    for span in book.spans:
        found = attributes(span)
        key = found.get("messaging.kafka.message.key")
        if key and found.get("messaging.operation.type") == "send":
            where = found["messaging.destination.partition.id"]
            places[found["messaging.destination.name"], key].add((where, found["messaging.client.id"]))
    split = {place: found for place, found in places.items() if len(found) > 1}
    assert {("bets", story.TWO_PARTITIONS)} == set(split)
    (two,) = split.values()
    assert 2 == len({where for where, _ in two}) == len({client for _, client in two})


def test_offsets_are_used_once_and_rise_with_time(book: Notebook) -> None:
    lanes: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for span in book.spans:
        found = attributes(span)
        if found.get("messaging.operation.type") == "send":
            lane = found["messaging.destination.name"], found["messaging.destination.partition.id"]
            lanes[lane].append((found["messaging.kafka.offset"], span.start_time or 0))
    for (destination, _), messages in lanes.items():
        offsets = [offset for offset, _ in sorted(messages)]
        assert len(offsets) == len(set(offsets))
        if destination in ("bets", "match.events"):
            assert sorted(messages) == sorted(messages, key=lambda message: message[1])


def test_one_poison_message_fails_three_times_and_goes_to_the_dead_letters(book: Notebook) -> None:
    (dead,) = named(book.spans, f"send {story.DEAD_LETTERS}")
    failed = [
        span
        for span in named(book.spans, "process settlements")
        if attributes(span).get("error.type") == "JSONDecodeError"
    ]
    assert [1, 2, 3] == [attributes(span)["throughline.message.attempt"] for span in failed]
    (came,) = {span.parent.span_id for span in failed if span.parent}
    assert [came] == [link.context.span_id for link in dead.links]


def test_player_20417_spans_two_days_four_services_and_three_traces(book: Notebook) -> None:
    spans = [s for s in book.spans if attributes(s).get("throughline.entity.player") == story.PLAYER]
    assert {"wallet", "notifications", "bet-placement", "settlement"} == {
        str(span.resource.attributes["service.name"]) for span in spans
    }
    assert 3 == len({span.context.trace_id for span in spans})
    assert 2 == len({(span.start_time or 0) // story.DAY for span in spans})
    assert [f"player/{story.PLAYER}"] == subjects(book, "AccountVerified")


def test_messages_of_one_key_stay_on_one_partition_by_crc32(book: Notebook) -> None:
    for span in named(book.spans, "send bets"):
        found = attributes(span)
        key = found["messaging.kafka.message.key"]
        if key not in (story.DOUBLE_CREDIT, story.TWO_PARTITIONS):
            assert str(zlib.crc32(key.encode()) % 12) == found["messaging.destination.partition.id"]
