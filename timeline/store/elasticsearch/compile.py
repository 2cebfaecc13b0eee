"""Question trees as the cluster's query DSL: values only ever stand as JSON values.

Everything is a filter: nothing is scored, nothing is a script, a regular expression or nested.
``compiled`` is the one place that adds the workspace.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Any, Final

from timeline.errors import BadQuery
from timeline.search import query as q
from timeline.search.tokens import (
    TermRange,
    exists_token,
    field_affixes,
    field_token,
    kv_token,
    number_ranges,
    plain,
    prefix_token,
    safe,
    value_token,
    value_tokens,
)
from timeline.store.asking import check_depth, check_keyword, check_prefix
from timeline.store.elasticsearch.names import (
    LONGEST,
    is_id,
    rank_range,
    units,
    wire,
    wire_word,
)
from timeline.store.fields import VARIANT
from timeline.store.integers import MAX_INT, MIN_INT, clamp, whole

Dsl = dict[str, Any]
MAX_NESTED: Final = 25  # of what is left of it; the cluster takes 30
EVERYTHING: Final[Dsl] = {"match_all": {}}
NOTHING: Final[Dsl] = {"match_none": {}}
_SPACE = re.compile(r"\s|^$")
_WILD = re.compile(r"[\\*?]")
_NUMBERS: Final = ("duration",)
_ALL_EXPANSIONS: Final = (1 << 31) - 1


def token(value: str) -> Dsl:
    """Facts with this exact token."""
    return {"term": {"kv" if units(value) <= LONGEST else "long": value}}


def both(*parts: Dsl) -> Dsl:
    """Facts that match every part."""
    flat: list[Dsl] = []
    for part in parts:
        inner = part.get("bool", {})
        if part == NOTHING:
            return NOTHING
        flat.extend(inner["filter"] if set(inner) == {"filter"} else [part])
    needed = [part for part in flat if part != EVERYTHING]
    if not needed:
        return EVERYTHING
    return needed[0] if len(needed) == 1 else {"bool": {"filter": needed}}


def either(*parts: Dsl) -> Dsl:
    """Facts that match any part."""
    flat: list[Dsl] = []
    for part in parts:
        inner = part.get("bool", {})
        if part == EVERYTHING:
            return EVERYTHING
        flat.extend(inner["should"] if set(inner) == {"should", "minimum_should_match"} else [part])
    able = [part for part in flat if part != NOTHING]
    if not able:
        return NOTHING
    return able[0] if len(able) == 1 else {"bool": {"should": able, "minimum_should_match": 1}}


def negated(part: Dsl) -> Dsl:
    """Facts that do not match."""
    inner = part.get("bool", {})
    if set(inner) == {"must_not"} and len(inner["must_not"]) == 1:
        only: Dsl = inner["must_not"][0]
        return only
    if part in (EVERYTHING, NOTHING):
        return NOTHING if part == EVERYTHING else EVERYTHING
    return {"bool": {"must_not": [part]}}


def variants() -> Dsl:
    """Facts that are other content of a known identity."""
    return token(VARIANT)


def between(field: str, low: int | None, high: int | None) -> Dsl:
    """Facts whose integer lies in ``low <= n <= high``."""
    if low is None and high is None:
        return {"exists": {"field": field}}
    if (low is not None and low > MAX_INT) or (high is not None and high < MIN_INT):
        return NOTHING
    bounds = {name: clamp(bound) for name, bound in (("gte", low), ("lte", high)) if bound is not None}
    if bounds.get("gte", MIN_INT) > bounds.get("lte", MAX_INT):
        return NOTHING
    return {"range": {field: bounds}}


def _starts(prefix: str, end: str = "") -> Dsl:
    """Facts with a token that starts with ``prefix`` and has ``end`` at its end."""
    if end:
        literal = (_WILD.sub(lambda match: "\\" + match.group(), text) for text in (prefix, end))
        kind, value = "wildcard", "*".join(literal)
    else:
        kind, value = "prefix", prefix
    fields = ("kv", "long") if units(prefix) <= LONGEST else ("long",)
    return either(*({kind: {field: {"value": value}}} for field in fields))


def _term_range(terms: TermRange) -> Dsl:
    if terms.low == terms.high:
        return token(terms.head + terms.low)
    low, high = terms.head + terms.low, terms.head + terms.high
    return {"range": {"kv" if units(low) <= LONGEST else "long": {"gte": low, "lte": high}}}


def _field_between(node: q.FieldBetween) -> Dsl:
    if node.field not in _NUMBERS:
        raise BadQuery(f"{node.field!r} is no built-in number", remedy="ask duration, or an attribute")
    if any(bound is not None and math.isnan(bound) for bound in (node.low, node.high)):
        return NOTHING
    low = whole(node.low, node.low_open, up=True)
    high = whole(node.high, node.high_open, up=False)
    if low is None and high is None:
        return {"range": {node.field: {"gte": MIN_INT}}}
    return between(node.field, low, high)


def _field_is(field: str, value: str) -> Dsl:
    check_keyword(field)
    if field == "id":
        return {"ids": {"values": [value]}} if is_id(value) else NOTHING
    if field in q.FACETS:
        return {"term": {field: value_token(value)}}
    return token(field_token(field, value))


def _field_starts(field: str, prefix: str) -> Dsl:
    check_keyword(field)
    check_prefix(prefix)
    if field == "id":
        return _id_starts(prefix)
    if field in q.FACETS:
        return {"prefix": {field: {"value": prefix}}} if prefix else {"exists": {"field": field}}
    before, after = field_affixes(field)
    return _starts(before + safe(prefix), after)


def _id_starts(prefix: str) -> Dsl:
    found = rank_range(prefix)
    if found is None:
        return NOTHING
    (high, low), (last_high, last_low) = found
    if high == last_high:
        return both(between("high", high, high), between("low", low, last_low))
    return between("high", high, last_high)


def _words(node: q.Words) -> Dsl:
    """Without a single word nothing matches: an empty question proves nothing."""
    asked = plain(node.words) if node.phrase or node.prefix else list(node.words)
    if not asked or any(_SPACE.search(word) for word in asked):
        return NOTHING
    if node.phrase and len(asked) > 1:
        text = " ".join([*map(wire_word, asked[:-1]), (wire if node.prefix else wire_word)(asked[-1])])
        if node.prefix:
            return {"match_phrase_prefix": {"text": {"query": text, "max_expansions": _ALL_EXPANSIONS}}}
        return {"match_phrase": {"text": {"query": text}}}
    exact = asked[:-1] if node.prefix else asked
    parts: list[Dsl] = [{"term": {"text": wire_word(word)}} for word in exact]
    if node.prefix:
        parts.append({"prefix": {"text": {"value": wire(asked[-1])}}})
    return both(*parts)


def _entity(node: q.EntityIs) -> Dsl:
    name = str(node.entity)
    subject = token(field_token("entity", name))
    return either(subject, token(field_token("context", name))) if node.context else subject


def _attribute(
    node: q.AttributeIs | q.AttributeStarts | q.AttributeBetween | q.AttributeExists,
) -> Dsl:
    match node:
        case q.AttributeIs():
            return token(kv_token(node.key, node.value))
        case q.AttributeStarts():
            check_prefix(node.prefix)
            return _starts(prefix_token(node.key, node.prefix))
        case q.AttributeExists():
            return token(exists_token(node.key))
        case q.AttributeBetween():
            open_ends = {"low_open": node.low_open, "high_open": node.high_open}
            ranges = number_ranges(node.key, node.low, node.high, **open_ends)
            return either(*(_term_range(terms) for terms in ranges))


def compile_node(node: q.Node, depth: int = 0) -> Dsl:
    """The cluster's query of a tree; raises ``BadQuery`` for what no store can answer."""
    check_depth(depth)
    match node:
        case q.All():
            return EVERYTHING
        case q.FieldIs():
            return _field_is(node.field, node.value)
        case q.FieldStarts():
            return _field_starts(node.field, node.prefix)
        case q.FieldBetween():
            return _field_between(node)
        case q.AttributeIs() | q.AttributeStarts() | q.AttributeBetween() | q.AttributeExists():
            return _attribute(node)
        case q.ValueIs():
            return either(*map(token, value_tokens(node.value)))
        case q.EntityIs():
            return _entity(node)
        case q.Words():
            return _words(node)
        case q.And():
            return both(*(compile_node(item, depth + 1) for item in node.items))
        case q.Or():
            return either(*(compile_node(item, depth + 1) for item in node.items))
        case q.Not():
            return negated(compile_node(node.item, depth + 1))


def compile_window(window: q.Window) -> Dsl:
    """The cluster's query of a window."""
    if window.start is None and window.end is None:
        return EVERYTHING
    low, high = window.start, None if window.end is None else window.end - 1
    columns = {"event": ("placed",), "received": ("received",), "either": ("placed", "received")}[window.on]
    return either(*(between(column, low, high) for column in columns))


def within(workspace: str | None, *parts: Dsl) -> Dsl:
    """The parts among the facts of a workspace (``None``: of all): the one place that adds the tenant."""
    own = EVERYTHING if workspace is None else token(field_token("workspace", workspace))
    return both(*parts, own)


def _nested(dsl: Dsl) -> int:
    inner: Iterable[Dsl] = (
        part for parts in dsl.get("bool", {}).values() if isinstance(parts, list) for part in parts
    )
    return 1 + max(map(_nested, inner), default=0) if "bool" in dsl else 0


def compiled(query: q.Query) -> Dsl:
    """The cluster's form of a whole question."""
    dsl = within(query.workspace, compile_node(query.where), compile_window(query.window))
    if _nested(dsl) > MAX_NESTED:
        raise BadQuery("the question is nested too deeply", remedy="use fewer brackets")
    return dsl
