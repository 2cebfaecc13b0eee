"""Question trees as engine queries, built term by term: no text is ever parsed here."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from typing import Final

import tantivy
from tantivy import FieldType, Occur

from timeline.errors import BadQuery
from timeline.ingest.identity import ALPHABET
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
from timeline.store.fields import VARIANT
from timeline.store.integers import MAX_INT, MIN_INT, MS, clamp, whole
from timeline.store.tantivy.schema import (
    ODD,
    SCHEMA,
    id_token,
    identity_tokens,
    odd_token,
)

_T = tantivy.Query
_META = re.compile(r"[\\.+*?()|\[\]{}^$#&\-~]")
NUMBERS: Final = {"duration": "duration"}


def matches(searcher: tantivy.Searcher, query: tantivy.Query) -> int:
    """How many facts match."""
    return searcher.search(query, limit=1).count or 0  # type: ignore[attr-defined]  # not in its stubs


def token(value: str) -> tantivy.Query:
    """Facts with this exact token."""
    return _T.term_query(SCHEMA, "kv", value)


def one_of(tokens: Iterable[str]) -> tantivy.Query:
    """Facts with any of these exact tokens; for many at once."""
    return _T.term_set_query(SCHEMA, "kv", list(tokens))


def both(*parts: tantivy.Query) -> tantivy.Query:
    """Facts that match every part."""
    return parts[0] if len(parts) == 1 else _T.boolean_query([(Occur.Must, part) for part in parts])


def either(*parts: tantivy.Query) -> tantivy.Query:
    """Facts that match any part."""
    if not parts:
        return _T.empty_query()
    return parts[0] if len(parts) == 1 else _T.boolean_query([(Occur.Should, part) for part in parts])


def but_not(part: tantivy.Query, *excluded: tantivy.Query) -> tantivy.Query:
    """Facts that match ``part`` and none of the others."""
    return _T.boolean_query([(Occur.Must, part), *((Occur.MustNot, other) for other in excluded)])


def variants() -> tantivy.Query:
    """Facts that are other content of a known identity."""
    return token(VARIANT)


def between(field: str, low: int | None, high: int | None, schema: tantivy.Schema = SCHEMA) -> tantivy.Query:
    """Facts, or documents of another schema, whose integer column lies in ``low <= n <= high``."""
    start, end = (MIN_INT if low is None else clamp(low)), (MAX_INT if high is None else clamp(high))
    if start > end or (low is not None and low > MAX_INT) or (high is not None and high < MIN_INT):
        return _T.empty_query()
    return _T.range_query(schema, field, FieldType.Integer, start, end)


def _literal(text: str) -> str:
    """A pattern that matches this text alone."""
    return _META.sub(lambda match: "\\" + match.group(), text)


def starts(field: str, prefix: str, end: str = "") -> tantivy.Query:
    """Facts with a token of ``field`` that starts with ``prefix`` and has ``end`` at its end."""
    return _T.regex_query(SCHEMA, field, _literal(prefix) + r"[\s\S]*" + _literal(end))


_DIGITS = "0123456789abcdef"


def _digit(first: int, last: int) -> str:
    return _DIGITS[first] if first == last else f"[{_DIGITS[first : last + 1]}]"


def _hex_range(low: str, high: str) -> str:
    """A pattern for all strings of hex digits from ``low`` to ``high``, equally long.

    What follows the first digit inside the range is left open: all tokens are equally long.
    """
    shared = 0
    while shared < len(low) and low[shared] == high[shared]:
        shared += 1
    if shared == len(low):
        return low
    found = []
    first, last = _DIGITS.index(low[shared]), _DIGITS.index(high[shared])
    if last - first > 1:
        found.append(low[:shared] + _digit(first + 1, last - 1) + "[0-9a-f]*")
    for edge, up in ((low, True), (high, False)):
        for place in range(shared + 1, len(edge)):
            digit = _DIGITS.index(edge[place])
            if up and digit < 15:
                found.append(edge[:place] + _digit(digit + 1, 15) + "[0-9a-f]*")
            if not up and digit > 0:
                found.append(edge[:place] + _digit(0, digit - 1) + "[0-9a-f]*")
        found.append(edge)
    return f"({'|'.join(found)})"


def _term_range(terms: TermRange) -> tantivy.Query:
    if terms.low == terms.high:
        return token(terms.head + terms.low)
    return _T.regex_query(SCHEMA, "kv", _literal(terms.head) + _hex_range(terms.low, terms.high))


def exactly(fact_id: str) -> tantivy.Query:
    """The fact with this id, however many others share its identity."""
    return either(both(token(id_token(fact_id)), _of_time(fact_id[:8])), token(odd_token(fact_id)))


def _id_starts(prefix: str) -> tantivy.Query:
    found = _of_time(prefix[:8])
    if len(prefix) > 8:
        found = both(starts("kv", id_token(prefix.ljust(20, "*")).rstrip("*")), found)
    return either(found, starts("kv", odd_token(prefix)))


def _of_time(start: str) -> tantivy.Query:
    """Facts placed in the ms that ids starting with these characters, 8 at most, stand for."""
    digits = [ALPHABET.find(letter) for letter in start]
    if -1 in digits:
        return _T.empty_query()
    first = 0
    for digit in digits:
        first = first << 6 | digit
    left = 6 * (8 - len(digits))
    first, last = first << left, ((first + 1) << left) - 1
    return but_not(between("placed", first * MS, last * MS + MS - 1), token(ODD))


def _field_between(node: q.FieldBetween) -> tantivy.Query:
    column = NUMBERS.get(node.field)
    if column is None:
        raise BadQuery(f"{node.field!r} is no built-in number", remedy="ask duration, or an attribute")
    if any(bound is not None and math.isnan(bound) for bound in (node.low, node.high)):
        return _T.empty_query()
    low = whole(node.low, node.low_open, up=True)
    high = whole(node.high, node.high_open, up=False)
    return between(column, low, high)


def _field_is(field: str, value: str) -> tantivy.Query:
    check_keyword(field)
    if field in q.FACETS:
        return _T.term_query(SCHEMA, field, value_token(value))
    if field == "id":
        return exactly(value)
    if field == "identity":
        return either(*(token(one) for one in identity_tokens(value)))
    return token(field_token(field, value))


def _field_starts(field: str, prefix: str) -> tantivy.Query:
    check_keyword(field)
    check_prefix(prefix)
    if field in q.FACETS:
        return starts(field, prefix)
    if field == "id":
        return _id_starts(prefix)
    if field == "identity":
        return either(*(starts("kv", one) for one in identity_tokens(prefix)))
    before, after = field_affixes(field)
    return starts("kv", before + safe(prefix), after)


def _words(node: q.Words) -> tantivy.Query:
    """Without a single word nothing matches: an empty question proves nothing."""
    asked = plain(node.words) if node.phrase or node.prefix else list(node.words)
    if not asked:
        return _T.empty_query()
    if node.phrase and len(asked) > 1:
        if node.prefix:
            pattern: list[str | tuple[int, str]] = [_literal(word) for word in asked]
            pattern[-1] = f"{pattern[-1]}[\\s\\S]*"
            return _T.regex_phrase_query(SCHEMA, "text", pattern)
        return _T.phrase_query(SCHEMA, "text", list(asked))
    exact = asked[:-1] if node.prefix else asked
    parts = [_T.term_query(SCHEMA, "text", word) for word in exact]
    if node.prefix:
        parts.append(starts("text", asked[-1]))
    return both(*parts)


def _entity(node: q.EntityIs) -> tantivy.Query:
    name = str(node.entity)
    subject = token(field_token("entity", name))
    return either(subject, token(field_token("context", name))) if node.context else subject


def _attribute(
    node: q.AttributeIs | q.AttributeStarts | q.AttributeBetween | q.AttributeExists,
) -> tantivy.Query:
    match node:
        case q.AttributeIs():
            return token(kv_token(node.key, node.value))
        case q.AttributeStarts():
            check_prefix(node.prefix)
            return starts("kv", prefix_token(node.key, node.prefix))
        case q.AttributeExists():
            return token(exists_token(node.key))
        case q.AttributeBetween():
            open_ends = {"low_open": node.low_open, "high_open": node.high_open}
            ranges = number_ranges(node.key, node.low, node.high, **open_ends)
            return either(*(_term_range(terms) for terms in ranges))


def compile_node(node: q.Node, depth: int = 0) -> tantivy.Query:
    """The engine query of a tree; raises ``BadQuery`` for what no store can answer."""
    check_depth(depth)
    match node:
        case q.All():
            return _T.all_query()
        case q.FieldIs():
            return _field_is(node.field, node.value)
        case q.FieldStarts():
            return _field_starts(node.field, node.prefix)
        case q.FieldBetween():
            return _field_between(node)
        case q.AttributeIs() | q.AttributeStarts() | q.AttributeBetween() | q.AttributeExists():
            return _attribute(node)
        case q.ValueIs():
            return either(*(token(one) for one in value_tokens(node.value)))
        case q.EntityIs():
            return _entity(node)
        case q.Words():
            return _words(node)
        case q.And():
            parts = [compile_node(item, depth + 1) for item in node.items]
            return both(*parts) if parts else _T.all_query()
        case q.Or():
            return either(*(compile_node(item, depth + 1) for item in node.items))
        case q.Not():
            return but_not(_T.all_query(), compile_node(node.item, depth + 1))


def compile_window(window: q.Window) -> tantivy.Query | None:
    """The engine query of a window, or ``None`` where it is open on both sides."""
    if window.start is None and window.end is None:
        return None
    low, high = window.start, None if window.end is None else window.end - 1
    columns = {"event": ("placed",), "received": ("received",), "either": ("placed", "received")}[window.on]
    return either(*(between(column, low, high) for column in columns))
