"""The language of questions holds for any text: it round-trips, it is bounded, it never crashes."""

from __future__ import annotations

import re
import time
from contextlib import suppress

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from timeline.errors import BadQuery
from timeline.search.grammar import MAX_BYTES, parse, unparse, without
from timeline.search.syntax import (
    Ast,
    Compare,
    Every,
    Everything,
    Has,
    Pair,
    Range,
    Text,
    Without,
    either,
    every,
)

characters = st.characters(exclude_categories=["Cs"])
hostile = st.sampled_from(
    [*'"\\()*:=<>!-. \n\t/&|', "AND", "OR", "NOT", "has", "..", "//", "\x00", "é", "\u3000"]
)
strings = st.lists(st.one_of(hostile, st.text(characters, max_size=4)), max_size=8).map("".join)
keys = strings.filter(
    lambda key: not re.match(r"(field|attribute)\.|(duration|entity|context|words|anywhere)$", key)
)
own_keys = st.from_regex(r"my[a-z.]{1,8}", fullmatch=True)
numbers = st.one_of(
    st.integers(-(10**25), 10**25).map(str), st.floats(-1e300, 1e300).map(repr), st.just("+.5"), st.just("7.")
)
lengths = st.from_regex(r"[0-9]{1,4}(\.[0-9]{1,3})?(ns|us|ms|s|m|min|h|d)", fullmatch=True)
operators = st.sampled_from([">", ">=", "<", "<=", "="])
leaves: st.SearchStrategy[Ast] = st.one_of(
    st.builds(Pair, keys, strings, st.booleans()).filter(lambda pair: pair.value != "" or not pair.prefix),
    st.builds(Text, strings.map(lambda text: text + "x"), st.booleans()),
    st.builds(Has, keys),
    st.builds(Compare, own_keys, operators, numbers),
    st.builds(Compare, st.just("duration"), operators, lengths),
    st.builds(Range, own_keys, st.integers(-9, 0).map(str), st.sampled_from(["", "1", "2.5"])),
    st.just(Everything()),
)
trees = st.recursive(
    leaves,
    lambda inner: st.one_of(
        st.builds(Without, inner),
        st.lists(inner, min_size=1, max_size=4).map(every),
        st.lists(inner, min_size=1, max_size=4).map(either),
    ),
    max_leaves=12,
)
soup = st.lists(
    st.one_of(
        hostile,
        st.sampled_from(["service", "duration", "entity:", "5ms", "10..20", "field.", "k:(", " "]),
        st.text(max_size=3),
    ),
    max_size=30,
).map("".join)


@settings(max_examples=500)
@given(trees)
def test_every_tree_reads_back_from_its_text(tree: Ast) -> None:
    assert tree == parse(unparse(tree)).tree


@settings(max_examples=1000)
@given(soup)
@example('k:("a"OR"b"')
@example("-" * 60)
@example("\ud800")
def test_no_text_raises_anything_but_a_bad_query_with_column_and_remedy(text: str) -> None:
    try:
        parsed = parse(text)
    except BadQuery as error:
        fault = error
    else:
        assert parsed.tree == parse(unparse(parsed.tree)).tree
        for reading in parsed.readings():
            assert parse(reading.text).tree is not None
        return
    assert fault.column is not None
    assert 1 <= fault.column <= len(text) + 1
    assert "" != fault.remedy


@given(trees)
def test_taking_a_condition_out_leaves_the_others(tree: Ast) -> None:
    items = list(tree.items) if isinstance(tree, Every) else [tree]

    for index in range(len(items)):
        rest = items[:index] + items[index + 1 :]
        assert (every(rest) if rest else None) == parse(without(tree, index)).tree


@pytest.mark.parametrize(
    "text",
    [
        "(" * MAX_BYTES,
        "-" * MAX_BYTES,
        '"' * MAX_BYTES,
        '"' + "\\" * (MAX_BYTES - 1),
        "NOT " * (MAX_BYTES // 4),
        "a:" * (MAX_BYTES // 2),
        "k:(" * (MAX_BYTES // 3),
        "1" * MAX_BYTES,
        "duration:" + "1m" * 4000,
        "k:" + "1." * 4000,
        "a" * (MAX_BYTES - 1) + "*",
        "a-" * (MAX_BYTES // 2),
        "=" * MAX_BYTES,
        " " * MAX_BYTES,
        "'" * MAX_BYTES,
    ],
)
def test_no_text_makes_reading_slow(text: str) -> None:
    started = time.process_time()
    with suppress(BadQuery):
        parse(text)

    assert time.process_time() - started < 0.5
