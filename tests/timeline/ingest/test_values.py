"""JSON that other readers let through is cleaned, and its cost is bounded."""

from __future__ import annotations

import time
from typing import Any

import pytest

from timeline.errors import MalformedPayload, TooLarge
from timeline.ingest.values import clean, finite, loads, whole


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("null", None),
        ('{"a": [1, 2.5, true, "x"]}', {"a": [1, 2.5, True, "x"]}),
        ("9223372036854775807", 2**63 - 1),
        ("-9223372036854775808", -(2**63)),
        ("9223372036854775808", "9223372036854775808"),
        ("-9223372036854775809", "-9223372036854775809"),
        ("[18446744073709551616]", ["18446744073709551616"]),
        ("9" * 5_000, "9" * 5_000),
        ("[NaN, Infinity, -Infinity]", ["NaN", "Infinity", "-Infinity"]),
        ("1e400", "1e400"),
        ("-1e400", "-1e400"),
        ("[NaN, -9223372036854775808, 1.5, 7]", ["NaN", -(2**63), 1.5, 7]),
        ('{"a": 1, "a": 2}', {"a": 2}),
        (r'"\ud800"', "\ufffd"),
        (r'"a\udfffb"', "a\ufffdb"),
        (r'"\ud83d\ude00"', "😀"),
        (r'{"\ud800": "é"}', {"\ufffd": "é"}),
        ('"\\u0000é"', "\x00é"),
        ("\ufeff[1]", [1]),
        ("[" * 100 + "]" * 100, None),
    ],
)
def test_what_is_kept_of_json(written: str, value: Any) -> None:
    found = loads(written.encode())
    if written.startswith("[["):
        value = []
        for _ in range(99):
            value = [value]
    assert (value, type(value)) == (found, type(found))


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[1,]", b"{'a': 1}", b'"\xff"', b"\xff\xfe[\x001\x00]\x00", b"1 2"]
)
def test_what_is_no_json_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedPayload) as caught:
        loads(body)
    assert caught.value.remedy


@pytest.mark.parametrize(
    "body", [b"[" * 101 + b"]" * 101, b'{"a":' * 5_000 + b"1" + b"}" * 5_000, b"[" * 100_000]
)
def test_nesting_is_bounded(body: bytes) -> None:
    for tried in (body, body.replace(b"1", b"NaN")):
        with pytest.raises(TooLarge) as caught:
            loads(tried)
        assert caught.value.remedy


def test_deep_nesting_in_tolerant_json_is_bounded_too() -> None:
    with pytest.raises(TooLarge):
        loads(b"[NaN," + b"[" * 5_000 + b"]" * 5_000 + b"]")


def test_objects_are_limited_not_only_bytes() -> None:
    started = time.process_time()
    with pytest.raises(TooLarge):
        loads(b"[" + b"{}," * 20_000_000 + b"{}]")
    assert time.process_time() - started < 5


def test_small_helpers() -> None:
    assert ["NaN", "Infinity", "-Infinity", 1.5] == [
        finite(one) for one in (float("nan"), float("inf"), float("-inf"), 1.5)
    ]
    assert [2**63 - 1, str(2**63)] == [whole(2**63 - 1), whole(2**63)]
    assert clean({"a": (1,)}) == {"a": (1,)}
