from __future__ import annotations

import pytest
from hypothesis import given

from tests.tracing.test_headers import anything
from tracing import dead_letters
from tracing.dead_letters import Death
from tracing.headers import Headers


def test_a_marked_message_says_why_and_where_it_died() -> None:
    headers = Headers({"a": "1"})
    dead_letters.mark(headers, reason="LookupError: no account", source="bets/4/88213")
    found = dead_letters.read(Headers(headers.pairs()))
    assert Death("LookupError: no account", "bets/4/88213") == found
    assert {
        "throughline.dead_letter.reason": "LookupError: no account",
        "throughline.dead_letter.source": "bets/4/88213",
    } == found.attributes()


def test_the_last_death_is_the_one_that_counts() -> None:
    headers = Headers()
    dead_letters.mark(headers, reason="first", source="bets/0/1")
    dead_letters.mark(headers, reason="second", source="bets.dlq/0/7")
    assert Death("second", "bets.dlq/0/7") == dead_letters.read(headers)


@pytest.mark.parametrize(
    ("headers", "death"),
    [
        (
            {
                "__connect.errors.topic": b"bets",
                "__connect.errors.partition": b"4",
                "__connect.errors.offset": b"88213",
                "__connect.errors.exception.class.name": b"DataException",
            },
            Death("DataException", "bets/4/88213"),
        ),
        (
            {
                "kafka_dlt-original-topic": b"bets",
                "kafka_dlt-original-partition": (4).to_bytes(4, "big"),
                "kafka_dlt-original-offset": (88213).to_bytes(8, "big"),
                "kafka_dlt-exception-message": b"no account",
            },
            Death("no account", "bets/4/88213"),
        ),
    ],
)
def test_what_connect_and_spring_write_is_read(headers: dict[str, bytes], death: Death) -> None:
    assert death == dead_letters.read(Headers(headers))


def test_a_living_message_has_not_died() -> None:
    assert dead_letters.read(Headers({"traceparent": "x"})) is None


@given(anything)
def test_no_headers_make_reading_raise(carrier: object) -> None:
    dead_letters.read(Headers(carrier))  # type: ignore[arg-type]
