from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.errors import BadQuery
from timeline.search.query import Window
from timeline.search.times import (
    DAY,
    HOUR,
    MINUTE,
    MS,
    SECOND,
    US,
    format_bound,
    format_clock,
    format_day,
    format_moment,
    format_ns,
    format_span,
    parse_duration,
    parse_time,
    parse_window,
    retention_edge,
)

NOW = 1_795_286_650_123_456_789  # 2026-11-21T18:44:10.123456789Z
MIDNIGHT = NOW - NOW % DAY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("now", NOW),
        ("NOW", NOW),
        ("now-2h", NOW - 2 * HOUR),
        ("now - 90m", NOW - 90 * MINUTE),
        ("now+5s", NOW + 5 * SECOND),
        ("today", MIDNIGHT),
        ("yesterday", MIDNIGHT - DAY),
        ("today+9h", MIDNIGHT + 9 * HOUR),
        ("24h", NOW - DAY),
        ("-24h", NOW - DAY),
        ("7d", NOW - 7 * DAY),
        ("1h30m", NOW - 90 * MINUTE),
        ("18:04", MIDNIGHT + 18 * HOUR + 4 * MINUTE),
        ("9:04:05.25", MIDNIGHT + 9 * HOUR + 4 * MINUTE + 5 * SECOND + 250 * MS),
        ("18:04:11.204 UTC", MIDNIGHT + 18 * HOUR + 4 * MINUTE + 11 * SECOND + 204 * MS),
        ("2026-11-21", MIDNIGHT),
        ("2026-11-21T18:44:10.123456789Z", NOW),
        ("2026-11-21 18:44:10,123456789", NOW),
        ("2026-11-21t18:44:10.1234567891234z", NOW),
        ("2026-11-21T19:44:10.123456789+01:00", NOW),
        ("2026-11-21T13:14:10.123456789-0530", NOW),
        ("2026-11-21T19:44:10.123456789+01", NOW),
        ("2026-11-21T18:44Z", MIDNIGHT + 18 * HOUR + 44 * MINUTE),
        ("2016-12-31T23:59:60Z", 1_483_228_800 * SECOND),
        ("1795286650", NOW - NOW % SECOND),
        ("1795286650.123456789", NOW),
        ("1795286650123", NOW - NOW % MS),
        ("1795286650123456", NOW - NOW % US),
        ("1795286650123456789", NOW),
        ("1970-01-01T00:00:00Z", 0),
    ],
)
def test_a_moment_is_read_to_the_nanosecond(text: str, expected: int) -> None:
    assert expected == parse_time(text, NOW)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "soon",
        "24x",
        "now-",
        "now-2",
        "25:00",
        "18:60",
        "18:04:61",
        "2026-13-01",
        "2026-02-30",
        "2026-11-21T25:00Z",
        "2026-11-21T18:00+25:00",
        "1969-12-31T23:59:59Z",
        "2263-01-01",
        "99999999999999999999",
        "12345678",
        "now-300000d",
        "9" * 5000,
        "1m" * 4000,
        "\uff12\uff14h",
    ],
)
def test_what_is_no_moment_is_refused_with_a_remedy(text: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse_time(text, NOW)

    assert caught.value.remedy


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1ns", 1),
        ("1.5us", 1500),
        ("3µs", 3000),
        ("3μs", 3000),
        ("500ms", 500 * MS),
        ("0.1s", 100 * MS),
        ("0.1234567891s", 123_456_789),
        ("2min", 2 * MINUTE),
        ("2m", 2 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("1d", DAY),
        ("2w", 14 * DAY),
    ],
)
def test_a_length_of_time_is_read_exactly(text: str, expected: int) -> None:
    assert expected == parse_duration(text)


@pytest.mark.parametrize("text", ["", "5", "ms", "-5ms", "1e3s", "200000d", "1 h"])
def test_what_is_no_length_is_refused_with_the_units(text: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse_duration(text)

    assert "500ms" in caught.value.remedy


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("24h", NOW - DAY, NOW),
        ("2026-11-21", MIDNIGHT, NOW),
        ("2026-11-21T17:00Z/2026-11-21T19:00Z", MIDNIGHT + 17 * HOUR, MIDNIGHT + 19 * HOUR),
        ("2026-11-21T17:00Z/PT2H", MIDNIGHT + 17 * HOUR, MIDNIGHT + 19 * HOUR),
        ("P1DT30M/2026-11-21", MIDNIGHT - DAY - 30 * MINUTE, MIDNIGHT),
        ("PT0.5S/now", NOW - SECOND // 2, NOW),
        ("P1W/now", NOW - 7 * DAY, NOW),
        ("now-2h/now-1h", NOW - 2 * HOUR, NOW - HOUR),
        ("2026-11-21/..", MIDNIGHT, None),
        ("../2026-11-21", None, MIDNIGHT),
        ("/2026-11-21", None, MIDNIGHT),
    ],
)
def test_a_range_is_read_from_one_moment_or_an_iso_interval(
    text: str, start: int | None, end: int | None
) -> None:
    assert Window(start=start, end=end, on="either") == parse_window(text, NOW, on="either")


@pytest.mark.parametrize("text", ["", "now", "now+1h", "now/now-1h", "now/now", "PT1H/PT2H", "P/now", "a/b"])
def test_a_range_that_does_not_run_forward_is_refused(text: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse_window(text, NOW)

    assert caught.value.remedy


@pytest.mark.parametrize(
    ("ns", "expected"),
    [
        (0, "0 ns"),
        (812, "812 ns"),
        (412_000, "412 µs"),
        (412_960, "412.9 µs"),
        (5_600_000, "5.6 ms"),
        (36 * MS, "36 ms"),
        (999_999_999, "999.9 ms"),
        (10 * SECOND, "10.000 s"),
        (90_012 * MS, "90.012 s"),
        (2 * MINUTE, "2 min"),
        (2 * MINUTE + 5 * SECOND, "2 min 5.000 s"),
        (HOUR, "1 h"),
        (HOUR + 22 * MINUTE + 51_250 * MS, "1 h 22 min 51.250 s"),
        (6 * HOUR + 12 * MINUTE, "6 h 12 min"),
        (DAY + 3 * HOUR + 59 * SECOND, "1 d 3 h"),
        (1500 * DAY, "1,500 d"),
        (-36 * MS, "-36 ms"),
    ],
)
def test_a_length_is_written_in_one_vocabulary(ns: int, expected: str) -> None:
    assert expected == format_span(ns)


def test_a_moment_is_written_with_its_day_only_where_it_is_not_today() -> None:
    assert "18:44:10.123" == format_moment(NOW, NOW)
    assert "20 Nov 2026, 18:44:10.123" == format_moment(NOW - DAY, NOW)
    assert "21 Nov 2026" == format_day(NOW)


def test_the_end_of_a_range_drops_what_is_zero() -> None:
    assert "17:00" == format_bound(MIDNIGHT + 17 * HOUR, NOW)
    assert "17:00:00.001" == format_bound(MIDNIGHT + 17 * HOUR + MS, NOW)
    assert "1 Nov 2026, 00:00" == format_bound(MIDNIGHT - 20 * DAY, NOW)


@given(st.integers(min_value=0, max_value=2**63 - 1))
def test_every_moment_reads_back_from_its_text(ns: int) -> None:
    assert ns == parse_time(format_ns(ns), NOW)


@given(st.integers())
def test_no_number_is_too_strange_to_write(ns: int) -> None:
    written = [format_ns(ns), format_clock(ns), format_day(ns), format_span(ns)]

    assert all(written)


@given(st.text(max_size=60))
def test_no_text_raises_anything_but_a_bad_query(text: str) -> None:
    for read in (
        lambda: parse_time(text, NOW),
        lambda: parse_window(text, NOW),
        lambda: parse_duration(text),
    ):
        with suppress(BadQuery):
            read()


def test_facts_are_kept_for_whole_days_and_go_at_midnight() -> None:
    midnight = 20_000 * DAY
    assert midnight - 14 * DAY == retention_edge(midnight, 14)
    assert midnight - 14 * DAY == retention_edge(midnight + DAY - 1, 14)
    assert midnight - 13 * DAY == retention_edge(midnight + DAY, 14)
