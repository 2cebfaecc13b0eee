"""Files into records: what is wrong with one row is told of that row."""

from __future__ import annotations

import gzip
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.errors import MalformedPayload
from timeline.importing.reading import LINE, Record, records


def cut(data: bytes, kind: str = "jsonl", delimiter: str = ",") -> list[Record]:
    return list(records(io.BufferedReader(io.BytesIO(data)), kind, delimiter))  # type: ignore[arg-type]


def test_json_lines_keep_their_numbers_and_refuse_alone() -> None:
    found = cut(b'\xef\xbb\xbf{"a": 1}\n\n[1]\n{"a": \xff}\n{"a": NaN}\n' + b'{"a": ' + b"[" * 300 + b"\n{}")
    assert [
        (1, {"a": 1}, ""),
        (3, None, "no_object"),
        (4, None, "no_json"),
        (5, {"a": "NaN"}, ""),
        (6, None, "no_json"),
        (7, {}, ""),
    ] == [(one.line, one.values, one.reason) for one in found]
    assert all(one.message for one in found if one.values is None)


def test_a_line_of_any_length_is_refused_and_the_next_is_read() -> None:
    found = cut(b'{"a": "' + b"x" * (3 * LINE) + b'"}\n{"a": 2}\n')
    assert [("too_long", None), ("", {"a": 2})] == [(one.reason, one.values) for one in found]
    found = cut(b"a,b\n1," + b"x" * (3 * LINE) + b"\n3,4\n", "csv")
    assert [("too_long", None), ("", {"a": "3", "b": "4"})] == [(one.reason, one.values) for one in found]


def test_csv_with_quotes_line_breaks_and_bad_rows() -> None:
    data = b'\xef\xbb\xbfa;"b"\r\n1;"two\r\nlines ""quoted"""\r\n\r\n3\r\n\xff;4\r\n5;6\r\n'
    found = cut(data, "csv", ";")
    assert [
        ({"a": "1", "b": 'two\r\nlines "quoted"'}, ""),
        (None, "columns"),
        (None, "bad_utf8"),
        ({"a": "5", "b": "6"}, ""),
    ] == [(one.values, one.reason) for one in found]
    assert 7 == found[-1].line


def test_an_open_quote_names_all_the_lines_it_took() -> None:
    lines = [b"a,b", b'1,"open', *[b"2,%d" % number for number in range(200_000)]]
    found = cut(b"\n".join(lines), "csv")
    bad = [one for one in found if one.values is None]
    assert "bad_csv" == bad[0].reason
    assert bad[0].message.startswith("lines 2 to ")
    assert len(found) > 10


@pytest.mark.parametrize("data", [b"", b"\n\n", b",,\n1,2,3\n", b"a,a\n1,2\n"])
def test_a_csv_without_a_usable_header_is_refused_as_a_whole(data: bytes) -> None:
    with pytest.raises(MalformedPayload) as error:
        cut(data, "csv")
    assert "line" in error.value.remedy or "column" in error.value.remedy


def test_gzip_is_seen_by_its_bytes_and_a_broken_one_says_what_to_do() -> None:
    packed = gzip.compress(b'{"a": 1}\n' * 5000)
    assert 5000 == len(cut(packed))
    with pytest.raises(MalformedPayload, match="cannot be read on"):
        cut(packed[:-20])


@given(st.binary(max_size=200), st.sampled_from(["csv", "jsonl"]))
def test_any_bytes_are_records_or_one_clear_error(data: bytes, kind: str) -> None:
    try:
        found = cut(data, kind)
    except MalformedPayload as error:
        found = [Record(0, None, error.message, error.remedy)]
    assert all((one.values is None) == bool(one.reason) == bool(one.message) for one in found)
