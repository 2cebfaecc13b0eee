"""What the tap makes of a record: a CloudEvent in either mode, or what a rule says; nothing is ever refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.broker.tap.reading import PROBLEM, Raw, record_of
from timeline.broker.tap.rules import TopicRules, read
from timeline.errors import MalformedPayload
from timeline.ingest.decode import decode
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted
from timeline.ingest.tapped import MEDIA, Records, encode

NOW = 1_790_000_000 * 10**9
NONE = TopicRules([])
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
EVENT = {
    "specversion": "1.0",
    "id": "e-1",
    "source": "/shop/orders",
    "type": "OrderPlaced",
    "subject": "order/7",
}
RULES = read(
    """
[[topics]]
topic = "bets.*"
type = "header:event-type"
id = "/meta/id"
time = "/meta/at"
time_format = "ms"
service = "=placement"
correlation = "header:correlation-id"
body = "/payload"
attributes = ["/meta/region"]
entities = { bet = "key", player = "/payload/player" }
"""
)


def raw(value: Any = None, *, topic: str = "bets.placed", **fields: Any) -> Raw:
    data = value if isinstance(value, bytes) or value is None else json.dumps(value).encode()
    given = {"topic": topic, "partition": 2, "offset": 41, "stamped": NOW, "key": b"8812", "value": data}
    return Raw(**{**given, **fields})


def fact(one: Raw, rules: TopicRules = NONE) -> Any:
    body = encode(Records(cluster="c1", records=[record_of(one, rules, NOW)]))
    accepted = Accepted(
        id="r",
        signal="records",
        content_encoding="",
        headers={"content-type": MEDIA},
        body=body,
        received=NOW,
        items=1,
    )
    found = decode(accepted, Rules.default())
    assert [] == found.poison
    return found.facts[0].fact


def test_a_binary_cloudevent_by_its_headers() -> None:
    headers = [(f"ce_{name}", value.encode()) for name, value in EVENT.items()]
    headers += [("content-type", b"application/json"), ("traceparent", TRACE.encode()), ("tenant", b"eu")]
    made = fact(raw({"total": 5}, headers=headers))

    assert ("record", "OrderPlaced", "e-1", "/shop/orders") == (
        made.kind,
        made.name,
        made.event.id,
        made.event.source,
    )
    assert {"total": 5} == made.body
    assert ("kafka", "bets.placed", "2", 41, "8812", "c1") == (
        made.message.system,
        made.message.destination,
        made.message.partition,
        made.message.offset,
        made.message.key,
        made.message.cluster,
    )
    assert "00f067aa0ba902b7" == made.ref.span_id
    assert ("eu", "shop") == (made.attributes["messaging.header.tenant"], made.service)
    assert "order:7" in {f"{one.type}:{one.id}" for one in made.entities}


def test_a_structured_cloudevent_by_its_content_type() -> None:
    headers = [("content-type", b"application/cloudevents+json")]
    made = fact(raw({**EVENT, "time": "2026-09-21T14:13:20Z", "data": [1]}, headers=headers))

    assert ("OrderPlaced", [1], NOW) == (made.name, made.body, made.at)


def test_a_rule_says_where_everything_is() -> None:
    value = {
        "meta": {"id": "b-9", "at": NOW // 10**6 + 5, "region": "eu"},
        "payload": {"player": 20417, "stake": 5},
    }
    made = fact(raw(value, headers=[("Event-Type", b"BetPlaced"), ("correlation-id", b"c-1")]), RULES)

    assert ("BetPlaced", "b-9", "placement", "c-1") == (
        made.name,
        made.event.id,
        made.service,
        made.event.correlation_id,
    )
    assert NOW + 5 * 10**6 == made.at
    assert {"player": 20417, "stake": 5} == made.body
    assert {"bet:8812", "player:20417"} <= {f"{one.type}:{one.id}" for one in made.entities}
    assert "eu" == made.attributes["meta.region"]


def test_what_a_rule_does_not_find_is_told_and_the_record_is_kept() -> None:
    made = fact(raw({"meta": {"at": "yesterday"}}), RULES)

    assert "bets.placed" == made.name
    assert NOW == made.at  # the record's own
    assert "no time at /meta/at; no type at header:event-type" == made.attributes[PROBLEM]


@pytest.mark.parametrize(
    ("value", "body"),
    [
        (None, None),
        (b"", None),
        (b"plain", "plain"),
        (b"\xff\x00\x01", b"\xff\x00\x01"),
        (b'{"a": NaN, "b": [1e999]}', {"a": "NaN", "b": ["1e999"]}),
        (b'{"cut": ', '{"cut": '),
        (b"[" * 200 + b"]" * 200, "[" * 200 + "]" * 200),
        (b"17", 17),
    ],
)
def test_without_a_rule_the_topic_is_the_type_and_the_value_the_body(value: bytes | None, body: Any) -> None:
    made = fact(raw(value))
    assert ("bets.placed", body) == (made.name, made.body)
    assert (value is None) is ("messaging.kafka.message.tombstone" in made.attributes)


def test_a_broken_cloudevent_is_kept_with_the_reason() -> None:
    headers: list[tuple[str, bytes | None]] = [("ce_specversion", b"1.0"), ("ce_id", b"e-1"), ("ce_x", None)]
    made = fact(raw({"a": 1}, headers=headers))
    assert made.attributes[PROBLEM].startswith("no CloudEvent: ")
    assert {"a": 1} == made.body


def test_a_batch_without_an_event_is_kept_with_the_reason() -> None:
    made = fact(raw(b"[]", headers=[("content-type", b"application/cloudevents-batch+json")]))
    assert "no CloudEvent: a batch without an event" == made.attributes[PROBLEM]
    assert [] == made.body


def test_a_record_that_makes_its_reader_fail_is_kept_by_where_it_lies() -> None:
    made = fact(raw({"card": "4111"}, headers=[("\ud800", b"")]))
    assert ("bets.placed", 41, "8812", None) == (made.name, made.message.offset, made.message.key, made.body)
    assert "UnicodeEncodeError" in made.attributes[PROBLEM]


@given(
    st.binary(max_size=60) | st.none(),
    st.binary(max_size=20) | st.none(),
    st.lists(st.tuples(st.text(max_size=12), st.binary(max_size=20) | st.none()), max_size=6),
    st.integers(-1, 2**63 - 1),
)
def test_any_record_becomes_one_fact(
    value: bytes | None, key: bytes | None, headers: list[tuple[str, bytes | None]], stamped: int
) -> None:
    for rules in (NONE, RULES):
        made = fact(raw(value, key=key, headers=headers, stamped=None if stamped < 0 else stamped), rules)
        assert 41 == made.message.offset


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[[topics]]\ntype = 'x'", "topic"),
        ("[[topics]]\ntopic = 'a'\ntype = 'somewhere'", "no place"),
        ("[[topics]]\ntopic = 'a'\ntime_format = 'h'", "time_format"),
        ("[[topics]]\ntopic = 'a'\ncolour = 'x'", "colour"),
        ("topics = 3", "topics"),
        ("[[", "cannot be read"),
    ],
)
def test_rules_that_cannot_be_read_say_where(text: str, said: str) -> None:
    with pytest.raises(MalformedPayload, match=said):
        read(text)
