"""What a mapping makes of a record."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.errors import MalformedPayload
from timeline.importing.mapping import BadRowError, read, row_of, suggested

SECOND = 10**9
NOON = 1_764_158_400 * SECOND  # 2025-11-26T12:00Z
BASE = 'name = "feed"\n{more}\n[fields]\ntime = "t"\ntype = "kind"\n{fields}\n{end}'


def mapping(more: str = "", fields: str = "", end: str = "") -> Any:
    return read(BASE.format(more=more, fields=fields, end=end))


@pytest.mark.parametrize(
    ("more", "given", "at"),
    [
        ("", "2025-11-26T12:00:00Z", NOON),
        ("", "2025-11-26T13:00:00.000000001+01:00", NOON + 1),
        ("", "2025-11-26 12:00:00", NOON),
        ('time_zone = "Europe/Berlin"', "2025-11-26 13:00:00.5", NOON + SECOND // 2),
        ('time_zone = "Europe/Berlin"', "2025-07-26T14:00:00", NOON - 123 * 86_400 * SECOND),
        ("", 1_764_158_400, NOON),
        ("", "1764158400123", NOON + 123_000_000),
        ('time_format = "s"', "1764158400.000000123", NOON + 123),
        ('time_format = "us"', 1_764_158_400_000_001, NOON + 1000),
        ('time_format = "%d.%m.%Y %H:%M"\ntime_zone = "Europe/Berlin"', "26.11.2025 13:00", NOON),
    ],
)
def test_times_are_read_to_the_nanosecond_in_their_zone(more: str, given: Any, at: int) -> None:
    assert at == row_of(mapping(more), {"t": given, "kind": "x"}, NOON).at


@pytest.mark.parametrize("given", ["", None, "yesterday", "1850-01-01T00:00:00Z", "NaN", True, [], "9" * 400])
def test_what_is_no_time_is_refused_by_name(given: Any) -> None:
    with pytest.raises(BadRowError) as error:
        row_of(mapping(), {"t": given, "kind": "x"}, NOON)
    assert error.value.reason in ("no_time", "bad_time")


def test_fields_come_from_columns_pointers_and_plain_text() -> None:
    read_by = mapping(
        fields='id = "/meta/id"\nservice = "=billing"\nbody = "payload"',
        end='[entities]\norder = "/meta/o~1n"',
    )
    record = {
        "t": NOON // SECOND,
        "kind": "Billed",
        "meta": {"id": 7, "o/n": "A-1"},
        "payload": '{"total": 3}',
        "note": "kept",
        "empty": "",
    }
    row = row_of(read_by, record, NOON)
    assert ("Billed", "7", "billing", {"total": 3}) == (row.name, row.id, row.service, row.body)
    assert "A-1" == row.attributes["throughline.entity.order"]
    assert "kept" == row.attributes["note"]
    assert "empty" not in row.attributes
    only = row_of(mapping('attributes = ["/meta/id"]'), record, NOON)
    assert {"meta/id": 7} == only.attributes


@pytest.mark.parametrize(
    "text",
    [
        "",
        "name = 3",
        'name = "x"',
        BASE.format(more='time_zone = "Mars/Base"', fields="", end=""),
        BASE.format(more="", fields='colour = "c"', end=""),
        BASE.format(more='delimiter = ""', fields="", end=""),
    ],
)
def test_a_mapping_that_cannot_be_read_says_where_to_look(text: str) -> None:
    with pytest.raises(MalformedPayload) as error:
        read(text)
    assert error.value.remedy


def test_a_suggested_mapping_can_be_read_and_finds_the_obvious() -> None:
    found = read(suggested("orders-2025", ["created_at", "event_type", "event_id", "order_id", "total"]))
    assert ("created_at", "event_type", "event_id") == (found.fields.time, found.fields.type, found.fields.id)
    assert {"order": "order_id"} == found.entities


@given(
    st.dictionaries(
        st.text(max_size=5) | st.sampled_from(["t", "kind"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=30),
            lambda inner: (
                st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
            ),
            max_leaves=8,
        ),
        max_size=6,
    )
)
def test_any_record_is_a_row_or_refused_with_a_reason(record: dict[str, Any]) -> None:
    try:
        row = row_of(mapping(), record, NOON)
    except BadRowError as error:
        said = (error.reason, str(error))
    else:
        said = (row.name, row.content().hex())
    assert all(said)
