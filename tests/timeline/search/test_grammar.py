from __future__ import annotations

import pytest

from timeline.domain import Entity
from timeline.errors import BadQuery
from timeline.search.grammar import MAX_BYTES, MAX_CLAUSES, MAX_DEPTH, parse, unparse, without
from timeline.search.query import All, And, AttributeIs, EntityIs, FieldIs, Not, Or
from timeline.search.syntax import (
    Ast,
    Compare,
    Either,
    Every,
    Everything,
    Has,
    Pair,
    Range,
    Text,
    Without,
)

A, B, C = Text("a"), Text("b"), Text("c")


@pytest.mark.parametrize(
    ("text", "tree"),
    [
        ("service:wallet", Pair("service", "wallet")),
        ("order.id:42", Pair("order.id", "42")),
        ("order.id=abc", Pair("order.id", "abc")),
        ("bet:a:b:c", Pair("bet", "a:b:c")),
        ("path:/a/b?c=d", Pair("path", "/a/b?c=d")),
        ('"my key":"my value"', Pair("my key", "my value")),
        ('key:"a \\"b\\" \\\\ \\n\\r\\t\\/"', Pair("key", 'a "b" \\ \n\r\t/')),
        ('key:""', Pair("key", "")),
        ('key:"10..20"', Pair("key", "10..20")),
        ('key:"a*"', Pair("key", "a*")),
        ("key:v1..v2", Pair("key", "v1..v2")),
        ("key:a*", Pair("key", "a", prefix=True)),
        ('key:"a b"*', Pair("key", "a b", prefix=True)),
        ('"18":04', Pair("18", "04")),
        ('http:"//a"', Pair("http", "//a")),
        ("key:AND", Pair("key", "AND")),
        ("free", Text("free")),
        ('"free text"', Text("free text")),
        ("wild*", Text("wild", prefix=True)),
        ('"free te"*', Text("free te", prefix=True)),
        ("and", Text("and")),
        ("ANDROID", Text("ANDROID")),
        ('"AND"', Text("AND")),
        ("http://host/a:b?c=d", Text("http://host/a:b?c=d")),
        ("https://host/*", Text("https://host/", prefix=True)),
        ("dGVzdGVk==", Text("dGVzdGVk==")),
        ("order-42", Text("order-42")),
        ("has:order.id", Has("order.id")),
        ('has:"order id"', Has("order id")),
        ("order.id:*", Has("order.id")),
        ("*", Everything()),
        ("duration>500ms", Compare("duration", ">", "500ms")),
        ("duration<=1h30m", Compare("duration", "<=", "1h30m")),
        ("duration:5s", Compare("duration", "=", "5s")),
        ('duration:"5s"', Compare("duration", "=", "5s")),
        ("duration:10ms..2s", Range("duration", "10ms", "2s")),
        ("total>=-9.5e3", Compare("total", ">=", "-9.5e3")),
        ("total<10", Compare("total", "<", "10")),
        ("retries=3", Compare("retries", "=", "3")),
        ("retries:3", Pair("retries", "3")),
        ("status=3", Pair("status", "3")),
        ('"my key">5', Compare("my key", ">", "5")),
        ("key:10..20", Range("key", "10", "20")),
        ("key:..20", Range("key", "", "20")),
        ("key:10..", Range("key", "10", "")),
        ("status!=error", Without(Pair("status", "error"))),
        ("NOT a", Without(A)),
        ("-a", Without(A)),
        ('-"a b"', Without(Text("a b"))),
        ("-(a b)", Without(Every((A, B)))),
        ("NOT NOT a", Without(Without(A))),
        ("a b", Every((A, B))),
        ("a AND b", Every((A, B))),
        ("a OR b", Either((A, B))),
        ("a OR b c", Either((A, Every((B, C))))),
        ("(a OR b) c", Every((Either((A, B)), C))),
        ("a (b (c))", Every((A, B, C))),
        ("a OR (b OR c)", Either((A, B, C))),
        ("NOT a b", Every((Without(A), B))),
        ("a(b)c", Every((A, B, C))),
        ('a OR"b"', Either((A, B))),
        ("k:(a OR b)", Either((Pair("k", "a"), Pair("k", "b")))),
        ('k:( a OR "b c" OR d* )', Either((Pair("k", "a"), Pair("k", "b c"), Pair("k", "d", prefix=True)))),
        ("k!=(a OR b)", Without(Either((Pair("k", "a"), Pair("k", "b"))))),
        ("k:(a)", Pair("k", "a")),
        ("has:(a OR b)", Either((Has("a"), Has("b")))),
        ("\u3000a\tb\n", Every((A, B))),
    ],
)
def test_the_language_reads_as_documented(text: str, tree: Ast) -> None:
    assert tree == parse(text).tree
    assert tree == parse(unparse(tree)).tree


@pytest.mark.parametrize("text", ["", "   ", "\n"])
def test_an_empty_question_asks_for_everything(text: str) -> None:
    assert parse(text).tree is None
    assert All() == parse(text).to_node()
    assert "" == unparse(None)


def test_every_part_knows_where_it_stood() -> None:
    tree = parse('  service:wallet NOT (a OR "b c")').tree

    assert isinstance(tree, Every)
    assert [(2, 16), (17, 33)] == [item.at for item in tree.items]


@pytest.mark.parametrize(
    ("text", "column", "message"),
    [
        ('service:wallet "never closed', 16, "this quote is never closed"),
        ("a (b", 3, "this parenthesis is never closed"),
        ("a )", 3, "this parenthesis closes nothing"),
        (")", 1, "this parenthesis closes nothing"),
        ("a ()", 4, "these parentheses are empty"),
        ("a AND", 6, "a condition is missing at the end"),
        ("a OR  ", 7, "a condition is missing at the end"),
        ("OR a", 1, "a condition is missing before OR"),
        ("a AND OR b", 7, "a condition is missing before OR"),
        ("a NOT", 6, "a condition is missing after NOT"),
        ("NOT OR", 5, "a condition is missing after NOT"),
        ("-)", 2, "a condition is missing after NOT"),
        ("a :b", 3, "no key stands before :"),
        (">5", 1, "no key stands before >"),
        ("a service:", 11, "a value is missing after :"),
        ("a service: b", 11, "a value is missing after :"),
        ("k:(a b)", 6, "values in a list are joined by OR"),
        ("k:(a OR )", 9, "a value is missing in this list"),
        ("k:(a OR", 3, "this list is never closed"),
        ("k:()", 4, "a value is missing in this list"),
        ("k:(OR a)", 4, "a value is missing in this list"),
        ("a*b", 2, "a star stands only at the end"),
        ("key:*b", 5, "a star stands only at the end"),
        ("key:a**", 6, "a star stands only at the end"),
        ("k*:a", 1, "a key is written out, without a star"),
        ('a "b"c', 6, "a word goes on after the closing quote"),
        ('"b"*c', 5, "a star ends a word"),
        ('b"c"', 2, "a quote opens in the middle of a word"),
        ('k:b"c"', 4, "a quote opens in the middle of a word"),
        ('"a \\x"', 4, "\\x means nothing"),
        ("a && b", 3, "&& is not a word of the language"),
        ("a || b", 3, "|| is not a word of the language"),
        ("a 18:04", 3, '"18:04" looks like a time'),
        ("2026-11-21T18:04:11Z", 1, '"2026-11-21T18:04:11Z" looks like a time'),
        ("a duration>5", 3, '"5" is not a length of time'),
        ("duration:fast", 1, '"fast" is not a length of time'),
        ("duration:5*", 1, '"5" is not a length of time'),
        ("a total>many", 3, '"many" is not a number'),
        ("a service>5", 3, '"service" is not a number'),
        ("total>1e999", 1, '"1e999" is too large a number'),
        ("total:20..10", 1, "this range runs backwards"),
        ("total>5*", 7, "a star cannot be compared"),
        ("has:a*", 5, "has takes a whole key"),
        ("a field.nothing:x", 3, 'there is no field "nothing"'),
        ("entity:bet:88*", 1, "an entity is asked for whole"),
        ("anywhere:88*", 1, "anywhere takes a whole value"),
        ("a ...", 3, '"..." holds no word that could be searched'),
        ("a\ud800", 2, "this character is not valid Unicode"),
        ("key:" + "x" * 201 + "*", 1, "the part before the star has 201 characters"),
        ("x" * 201 + "*", 1, "the part before the star has 201 characters"),
        ('"' + "a " * 101 + '"', 1, "this phrase has 101 words"),
    ],
)
def test_a_fault_points_at_its_column_and_says_what_would_be_valid(
    text: str, column: int, message: str
) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(text)

    assert (column, message) == (caught.value.column, caught.value.message)
    assert caught.value.remedy


@pytest.mark.parametrize("text", ["18:04", "2026-11-21T18:04:11Z", "a*b", "http:", "a b OR"])
def test_what_a_remedy_proposes_in_quotes_is_valid(text: str) -> None:
    with pytest.raises(BadQuery) as caught:
        parse(text)

    _, colon, proposal = caught.value.remedy.rpartition(": ")
    if colon:
        assert parse(proposal).tree is not None


@pytest.mark.parametrize(
    ("inside", "beyond"),
    [
        ("x" * MAX_BYTES, "x" * (MAX_BYTES + 1)),
        ("é" * (MAX_BYTES // 2), "é" * (MAX_BYTES // 2) + "e"),
        ("a " * MAX_CLAUSES, "a " * (MAX_CLAUSES + 1)),
        (f"k:({' OR '.join('a' * MAX_CLAUSES)})", f"k:({' OR '.join('a' * (MAX_CLAUSES + 1))})"),
        ("(" * MAX_DEPTH + "a" + ")" * MAX_DEPTH, "(" * (MAX_DEPTH + 1) + "a" + ")" * (MAX_DEPTH + 1)),
        ("NOT " * MAX_DEPTH + "a", "NOT " * (MAX_DEPTH + 1) + "a"),
        ("-" * MAX_DEPTH + "a", "-" * (MAX_DEPTH + 1) + "a"),
        (
            "(" * (MAX_DEPTH - 1) + "k:(a)" + ")" * (MAX_DEPTH - 1),
            "(" * MAX_DEPTH + "k:(a)" + ")" * MAX_DEPTH,
        ),
    ],
)
def test_a_question_is_bounded_in_bytes_conditions_and_depth(inside: str, beyond: str) -> None:
    parse(inside)

    with pytest.raises(BadQuery) as caught:
        parse(beyond)
    assert caught.value.remedy


def test_a_condition_can_be_taken_out() -> None:
    tree = parse('service:wallet (a OR b) NOT key:"x y"').tree

    assert '(a OR b) NOT key:"x y"' == without(tree, 0)
    assert 'service:wallet NOT key:"x y"' == without(tree, 1)
    assert "service:wallet (a OR b)" == without(tree, 2)
    assert "" == without(parse("service:wallet").tree, 0)
    assert "a" == without(parse("a b").tree, 1)
    assert "a OR b" == without(parse("(a OR b) c").tree, 1)


def test_the_question_that_stores_get_follows_the_tree() -> None:
    node = parse("attribute.a:1 (attribute.b:2 OR NOT field.service:wallet) *").to_node()

    expected = And(
        (AttributeIs("a", "1"), Or((AttributeIs("b", "2"), Not(FieldIs("service", "wallet")))), All())
    )
    assert expected == node


def test_rules_are_part_of_what_was_parsed() -> None:
    parsed = parse("entity:bet:8812", rules={"bet.id": "bet"})

    assert Or((EntityIs(Entity(type="bet", id="8812")), AttributeIs("bet.id", "8812"))) == parsed.to_node()
