"""Trees become flat filters; values stand as values, whatever they hold."""

import msgspec
import pytest

from timeline.domain import Entity
from timeline.errors import BadQuery
from timeline.search import query as q
from timeline.store.elasticsearch.compile import EVERYTHING, MAX_NESTED, NOTHING, compile_node, compiled

LEAF = q.FieldIs("service", "orders")
NASTY = '"}],"script":{"source":"x"}*?\\'
FORBIDDEN = {
    "script",
    "nested",
    "regexp",
    "query_string",
    "simple_query_string",
    "wildcard",
    "source",
    "fuzzy",
}


def keys_of(value: object) -> set[str]:
    """Every key of a structure."""
    if isinstance(value, dict):
        return set(value) | {key for inner in value.values() for key in keys_of(inner)}
    if isinstance(value, list):
        return {key for inner in value for key in keys_of(inner)}
    return set()


def test_the_workspace_is_in_every_question() -> None:
    for where in (q.All(), q.Or((q.All(), LEAF)), q.Not(LEAF), q.Or(())):
        dsl = compiled(q.Query(where=where, workspace="shop"))
        own = {"term": {"kv": "`:workspace~shop"}}
        assert dsl in (own, NOTHING) or own in dsl["bool"]["filter"]


def test_what_says_nothing_is_left_out() -> None:
    assert EVERYTHING == compile_node(q.And((q.All(), q.Not(q.Or(())))))
    assert NOTHING == compile_node(q.And((LEAF, q.Not(q.All()))))
    assert compile_node(LEAF) == compile_node(q.Not(q.Not(q.Or((q.And((LEAF,)),)))))


@pytest.mark.parametrize(
    "leaf",
    [
        q.FieldIs("service", NASTY),
        q.FieldIs("trace_id", NASTY),
        q.FieldStarts("name", NASTY),
        q.FieldIs("id", NASTY),
        q.AttributeIs(NASTY, NASTY),
        q.AttributeStarts(NASTY, NASTY),
        q.AttributeExists(NASTY),
        q.AttributeBetween(NASTY, 1, 2),
        q.ValueIs(NASTY),
        q.EntityIs(Entity(type=NASTY, id=NASTY), context=True),
        q.Words((NASTY, NASTY), phrase=True, prefix=True),
    ],
)
def test_no_syntax_of_the_cluster_comes_from_a_value(leaf: q.Node) -> None:
    dsl = compiled(q.Query(where=leaf, workspace=NASTY))
    assert not FORBIDDEN & keys_of(dsl)
    assert dsl == msgspec.json.decode(msgspec.json.encode(dsl))


def test_wild_cards_in_the_prefix_of_a_span_id_are_only_text() -> None:
    dsl = compile_node(q.FieldStarts("span_id", "a*b?c\\"))
    patterns = [
        part["wildcard"][field]["value"] for part in dsl["bool"]["should"] for field in part["wildcard"]
    ]
    assert {"`:span~a\\*b\\?c`5c.*~s"} == set(patterns)


def test_a_token_over_255_units_is_asked_where_such_are_kept() -> None:
    assert "long" in compile_node(q.AttributeIs("k", "x" * 256))["term"]
    assert "kv" in compile_node(q.AttributeIs("k", "x" * 253))["term"]
    assert "long" in compile_node(q.AttributeIs("k", "🚀" * 127))["term"]


def test_alternating_trees_are_taken_to_a_depth_that_the_cluster_takes() -> None:
    def tree(depth: int) -> q.Node:
        node: q.Node = LEAF
        for number in range(depth):
            node = (q.And if number % 2 else q.Or)((node, q.FieldIs("name", str(number))))
        return node

    assert compiled(q.Query(where=tree(MAX_NESTED - 2)))
    with pytest.raises(BadQuery):
        compiled(q.Query(where=tree(MAX_NESTED + 2)))
