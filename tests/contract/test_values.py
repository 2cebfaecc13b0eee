"""Attributes come back as sent and are found, whatever they hold."""

import pytest

from tests import builders as b
from tests.contract.pair import Pair, asking
from timeline.domain import Annotation, Link, Scope
from timeline.search.query import All, AttributeExists, AttributeIs, AttributeStarts, ValueIs
from timeline.search.tokens import texts

OPERATORS = "a AND b OR NOT (c) [1 TO 2] {x} ^~*?\\/:\"'|&!+-=<>@#$%;,`"
VALUES = {
    "dots": "a.b.c",
    "empty": "",
    "space": " ",
    "white": "a b\tc\nd\re\ff\vg\u00a0h\u2028i\u3000j",
    "nul": "a\0b\0",
    "controls": "".join(map(chr, range(32))) + "\x7f",
    "escape": "\x01\x01#=?+:\x0120.",
    "marks": "``#=?+:`20.~a~`",
    "emoji": "🚀👩‍💻❤️",
    "combining": "e\u0301 \u00e9",
    "operators": OPERATORS,
    "quotes": '"\'`\u201c\u201d\\"',
    "regex": ".*[a-z]+(x|y)$^\\d{2}",
    "equals": "key=value=other",
    "long": "x" * 256,
    "longer": "x" * 257,
    "64 KiB": "é" * 32768,
    "almost 64 KiB": "é" * 32767 + "x",
    "integer": 42,
    "negative": -17,
    "past 2**53": (1 << 53) + 1,
    "largest": (1 << 63) - 1,
    "smallest": -(1 << 63),
    "unsigned": (1 << 64) - 1,
    "double": 12.5,
    "whole double": 5.0,
    "tiny": 5e-324,
    "infinite": float("inf"),
    "zero": 0,
    "minus zero": -0.0,
    "true": True,
    "false": False,
    "bytes": b"\x00\xff\x80text",
    "no bytes": b"",
    "list": ["a", 1, 2.5, True, b"x"],
    "empty list": [],
    "map": {"a": {"b": 1, "": "empty"}, "c": [{"d": "deep"}]},
    "empty map": {},
    "none": None,
    "nested lists": [[1, [2]], ["three"]],
}
KEYS = [
    "",
    ".",
    "..",
    "a.b",
    "a..b",
    "a=b",
    "a\0b",
    "k" * 300,
    "k" * 301,
    "schlüssel",
    "鍵",
    "🚀",
    " ",
    "a b",
    OPERATORS,
]


def test_every_value_comes_back_as_it_was_sent_with_its_type(pair: Pair) -> None:
    facts = [
        b.stored(b.span(number=n, attributes={name: value})) for n, (name, value) in enumerate(VALUES.items())
    ]
    facts.append(b.stored(b.span(number=999, attributes=VALUES)))
    pair.write(facts)
    for expected, actual in zip(facts, pair.store.get([s.receipt.id for s in facts]), strict=True):
        assert expected == actual
        assert actual is not None
        assert repr(expected.fact.attributes) == repr(actual.fact.attributes)


@pytest.mark.parametrize("name", list(VALUES))
def test_every_value_is_found_by_equality_and_only_by_its_own(pair: Pair, name: str) -> None:
    facts = [b.stored(b.span(number=n, attributes={"key": value})) for n, value in enumerate(VALUES.values())]
    pair.write(facts)
    value = VALUES[name]
    if isinstance(value, (list, dict)) or value is None:
        assert pair.found(AttributeExists("key"))
        return
    own = facts[list(VALUES).index(name)]
    for text in texts(value):
        assert own.receipt.id in pair.found(AttributeIs("key", text))
        pair.found(AttributeIs("key", text + "x"))
        pair.found(AttributeIs("key", text[:-1]))
        pair.found(ValueIs(text))
        pair.found(AttributeStarts("key", text[:200]))


@pytest.mark.parametrize("key", KEYS)
def test_every_key_is_found_and_only_by_its_own(pair: Pair, key: str) -> None:
    facts = [b.stored(b.span(number=n, attributes={name: "value-1"})) for n, name in enumerate(KEYS)]
    pair.write(facts)
    own = facts[KEYS.index(key)]
    pair.finds(AttributeIs(key, "value-1"), own)
    pair.finds(AttributeExists(key), own)
    pair.finds(AttributeStarts(key, "value"), own)
    pair.finds(AttributeIs(key, "value-2"))


def test_a_key_and_value_that_read_alike_joined_are_told_apart(pair: Pair) -> None:
    joined = [
        ("a", "b=c"),
        ("a=b", "c"),
        ("a", "\0b"),
        ("a\0", "b"),
        ("a ", "b"),
        ("a", " b"),
        ("", "=a"),
        ("=", "a"),
    ]
    facts = [b.stored(b.span(number=n, attributes={key: value})) for n, (key, value) in enumerate(joined)]
    pair.write(facts)
    for (key, value), own in zip(joined, facts, strict=True):
        pair.finds(AttributeIs(key, value), own)


def test_numbers_texts_and_booleans_that_are_equal_in_python_are_told_apart(pair: Pair) -> None:
    facts = [
        b.stored(b.span(number=n, attributes={"k": value}))
        for n, value in enumerate([1, True, 1.0, "1", "true"])
    ]
    for fact in facts:
        pair.write([fact])
    pair.finds(AttributeIs("k", "1"), facts[0], facts[2], facts[3])
    pair.finds(AttributeIs("k", "true"), facts[1], facts[4])
    pair.finds(AttributeIs("k", "1.0"), facts[2])


def test_attributes_of_every_part_of_a_fact_are_found(pair: Pair) -> None:
    fact = b.stored(
        b.span(
            attributes={"own": "1", "deep": {"er": ["x", {"est": 7}]}},
            resource={"host.name": "node-1"},
            scope=Scope(name="lib", version="9", attributes={"scope.key": "2"}),
            links=(Link(ref=b.ref(7, 7), attributes={"link.key": "3"}),),
            annotations=(Annotation(at=b.NOW, name="note", attributes={"note.key": "4"}),),
        )
    )
    pair.write([fact, b.stored(b.span(number=2))])
    for key, value in (
        ("own", "1"),
        ("deep.er", "x"),
        ("deep.er.est", "7"),
        ("host.name", "node-1"),
        ("scope.key", "2"),
        ("link.key", "3"),
        ("note.key", "4"),
        ("otel.scope.name", "lib"),
        ("otel.scope.version", "9"),
    ):
        pair.finds(AttributeIs(key, value), fact)
        pair.finds(AttributeExists(key), fact)
    pair.finds(AttributeExists("deep"), fact)


def test_leaves_of_a_body_are_found_and_too_many_mark_the_fact(pair: Pair) -> None:
    small = b.stored(b.event(1, body={"total": 42, "items": [{"sku": "SKU-17"}, {"sku": "SKU-18"}]}))
    text = b.stored(b.event(2, kind="log", body='{"total": 43}'))
    scalar = b.stored(b.event(3, kind="log", body="ORDER-77 lost"))
    large = b.stored(b.event(4, body={f"leaf{n:03d}": n for n in range(201)}))
    full = b.stored(b.event(5, body={f"leaf{n:03d}": n for n in range(200)}))
    pair.write([small, text, scalar, large, full])
    pair.finds(AttributeIs("total", "42"), small)
    pair.finds(AttributeIs("items.sku", "SKU-18"), small)
    pair.finds(AttributeIs("total", "43"), text)
    pair.finds(AttributeIs("body", "ORDER-77 lost"), scalar)
    pair.finds(AttributeIs("leaf199", "199"), large, full)
    pair.finds(AttributeIs("leaf200", "200"))
    partial = {stored.receipt.id: stored.receipt.partial for stored in pair.store.facts_of(asking(All()))}
    assert [large.receipt.id] == [fact_id for fact_id, marked in partial.items() if marked]
