from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tracing.headers import Headers, octets, text

names = st.text(min_size=1, max_size=12)
values = st.one_of(st.none(), st.text(max_size=20), st.binary(max_size=20), st.integers())
pairs = st.lists(st.tuples(names, values), max_size=8)
anything = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(), st.binary()),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.dictionaries(st.one_of(st.text(), st.binary(), st.integers()), inner, max_size=4),
        st.tuples(inner, inner),
    ),
    max_leaves=12,
)


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("no text for you")

    def __iter__(self) -> Any:
        raise RuntimeError("no items for you")


@pytest.mark.parametrize(
    "carrier",
    [
        {"Trace": b"1"},
        [("Trace", b"1")],
        (("Trace", "1"),),
        [["Trace", memoryview(b"1")]],
        [(b"Trace", bytearray(b"1"))],
        {"Trace": ["1"]},
        iter([("Trace", 1)]),
        Headers({"Trace": "1"}),
    ],
)
def test_every_shape_a_client_hands_over_reads_the_same(carrier: Any) -> None:
    headers = Headers(carrier)
    assert [("Trace", b"1")] == headers.pairs()
    assert "1" == headers.get("trace")


@pytest.mark.parametrize("carrier", [None, "trace", b"trace", 7, Hostile(), object()])
def test_what_is_no_header_at_all_reads_as_none(carrier: Any) -> None:
    assert [] == Headers(carrier).pairs()


def test_bytes_that_are_no_text_are_replaced_and_kept_in_the_message() -> None:
    headers = Headers([("traceparent", b"\xff\x00a")])
    assert "\ufffd\x00a" == headers.get("traceparent")
    assert [("traceparent", b"\xff\x00a")] == headers.pairs()


def test_malformed_pairs_cost_only_themselves() -> None:
    assert [("a", b"1"), ("b", b"2")] == Headers([("a", 1), 5, ("x",), ("x", 1, 2), None, ("b", "2")]).pairs()


def test_setting_replaces_every_value_of_that_name_in_any_case() -> None:
    headers = Headers([("TraceParent", "old"), ("other", None), ("traceparent", b"older")])
    headers.set("traceparent", "new")
    assert [("other", None), ("traceparent", b"new")] == headers.pairs()


def test_the_last_of_several_values_is_the_one_that_counts() -> None:
    headers = Headers([("id", "first"), ("ID", b"last")])
    assert "last" == headers.get("id")
    assert b"last" == headers.raw("id")
    assert ["first", "last"] == headers.all("id")


def test_the_carrier_given_is_never_changed() -> None:
    given_headers = [("a", b"1")]
    Headers(given_headers).set("a", "2")
    assert [("a", b"1")] == given_headers


def test_size_counts_the_bytes_of_names_and_values() -> None:
    assert 6 == Headers([("ä", "€"), ("x", None)]).size


def test_a_value_that_refuses_to_be_text_reads_as_empty() -> None:
    assert "" == text(Hostile())
    assert b"" == octets(Hostile())


@given(pairs)
def test_pairs_go_through_unchanged(given_pairs: list[tuple[str, Any]]) -> None:
    once = Headers(given_pairs).pairs()
    assert once == Headers(once).pairs()
    assert len(given_pairs) == len(once)


@given(pairs, names, st.text(max_size=20))
def test_what_was_set_is_what_is_got(given_pairs: list[tuple[str, Any]], name: str, value: str) -> None:
    headers = Headers(given_pairs)
    headers.set(name, value)
    assert value == headers.get(name)
    assert [value] == headers.all(name)


@given(anything)
def test_nothing_a_caller_passes_raises(carrier: Any) -> None:
    headers = Headers(carrier)
    headers.set("x", "1")
    assert "1" == headers.get("X")
    assert headers.size >= 2


def test_a_table_keeps_its_own_values_and_gets_what_was_set() -> None:
    table = {"retries": 3, "x-death": [{"queue": "orders"}], "TraceParent": b"old", b"raw": None}
    headers = Headers(table)
    assert not headers.changed
    headers.set("traceparent", "new")
    headers.set("ce_id", "1")
    assert headers.changed
    expected = {
        "retries": 3,
        "x-death": [{"queue": "orders"}],
        b"raw": None,
        "traceparent": "new",
        "ce_id": "1",
    }
    assert expected == headers.onto(table)
    assert "TraceParent" in table
    assert {} == Headers(None).onto(None)
