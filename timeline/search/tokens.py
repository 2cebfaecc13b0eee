"""The tokens under which a fact is found, and the same tokens for a question.

In: a fact, or a key and a value of a question. Out: strings that a store keeps and looks
up as they are. Five kinds share one name space without meeting: value of a key, number of
a key, existence of a key, any key's value, and built-in fields. No token holds white
space, so a store takes them as one string, cut at single spaces. Not here: any engine's
syntax.
"""

from __future__ import annotations

import base64
import math
import re
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import xxhash

from timeline.domain import Fact, Span
from timeline.search.leaves import MAX_LEAVES, body_of, leaves, origin, pairs_of, promoted, texts, values_of
from timeline.search.numbers import as_double, ordered
from timeline.search.words import GAP, plain, words
from tracing import semconv

MAX_VALUE: Final = 256  # longer values are kept as this many characters and a hash
MAX_WORDS: Final = 20_000  # of one fact
# Marks are printable, so that a store may write tokens into JSON as they are. "~" stands after a
# key; "`" otherwise only starts an escape, which goes on with a hex digit: these meet nothing.
_HASH_MARK = "`#"
_BARE, _EXISTS, _NUMBER, _FIELD = "`=", "`?", "`+", "`:"
PRECISIONS: Final = (16, 5)  # hex digits of the double: each value, and 256 steps per octave

# Values of these keys are ids of messages and events, nearly all different. A question for
# any key's value asks these keys by name, which saves an index a token for each of them.
_NAMED_IDS: Final = (semconv.MESSAGING_MESSAGE_ID, semconv.CLOUDEVENTS_EVENT_ID)

__all__ = [
    "GAP",
    "MAX_LEAVES",
    "MAX_VALUE",
    "TermRange",
    "Tokens",
    "bare_token",
    "exists_token",
    "fact_tokens",
    "field_affixes",
    "field_token",
    "id_shaped",
    "kv_token",
    "leaves",
    "number_ranges",
    "number_tokens",
    "pairs_of",
    "plain",
    "prefix_token",
    "safe",
    "texts",
    "value_token",
    "value_tokens",
    "values_of",
    "words",
]


class Tokens(msgspec.Struct, frozen=True):
    """Everything a fact is found by, apart from its built-in fields.

    Both are tokens with single spaces between: ``kv`` exact ones, number tokens among
    them, possibly repeated; ``text`` words in order. ``partial`` is true where a limit
    left something out.
    """

    kv: str
    text: str
    partial: bool


class TermRange(msgspec.Struct, frozen=True):
    """All tokens ``head + digits`` from ``low`` to ``high``, both included: equally many hex digits."""

    head: str
    low: str
    high: str


_special = re.compile(r"""[\s\x00-\x1f\x7f"\\`~]""").search
_RARE = re.compile(r"""[^\S ]|[\x00-\x1f\x7f"\\~]""")


def _escape(text: str) -> str:
    """The text without white space, marks and what JSON escapes, one to one, so prefixes stay
    prefixes."""
    if _special(text):
        text = text.replace("`", "`60.").replace(" ", "`20.")
        return _RARE.sub(lambda match: f"`{ord(match.group()):x}.", text)
    return text


def value_token(value: str) -> str:
    """A value as it stands, or its first 256 characters and a hash where it is longer.

    The token of a token is itself, so a value that a facet shows can be asked for.
    """
    if len(value) <= MAX_VALUE or (len(value) == MAX_VALUE + 34 and value[MAX_VALUE:].startswith(_HASH_MARK)):
        return value
    return value[:MAX_VALUE] + _HASH_MARK + xxhash.xxh3_128_hexdigest(value.encode())


def safe(value: str) -> str:
    """A value as it stands in a token: bounded, and without what would cut the token."""
    if len(value) <= MAX_VALUE and value.isascii() and value.isprintable() and not (
        " " in value or '"' in value or "~" in value or "`" in value or "\\" in value
    ):  # fmt: skip
        return value  # what nearly all values are, told without a search
    return _escape(value_token(value))


def kv_token(key: str, value: str) -> str:
    """The token of ``key`` having exactly this value."""
    return f"{_escape(value_token(key))}~{_escape(value_token(value))}"


def prefix_token(key: str, prefix: str) -> str:
    """What the token of every value of ``key`` that starts with ``prefix`` (at most 256
    characters) starts with."""
    return f"{_escape(value_token(key))}~{_escape(prefix)}"


def exists_token(key: str) -> str:
    """The token of having ``key`` at all."""
    return _EXISTS + _escape(value_token(key))


def bare_token(value: str) -> str:
    """The token of any key having this id-shaped value; from 16 characters on, 96 bits of a
    hash of it, for an index would spend as much on the value again."""
    if len(value) >= 16:
        digest = xxhash.xxh3_128_digest(value_token(value).encode())[:12]
        return _BARE + base64.urlsafe_b64encode(digest).decode("ascii")
    return _BARE + _escape(value)


def value_tokens(value: str) -> tuple[str, ...]:
    """The tokens of which a fact has one or more where any key has this value; none where
    the value is not worth finding without its key."""
    if not id_shaped(value):
        return ()
    return (bare_token(value), *(kv_token(key, value) for key in _NAMED_IDS))


# The id of a span and of its children's parent stand beside each other in an index, which
# then spends next to nothing on the second: the field comes after the value.
_FIELD_ENDS: Final = {"span_id": ("span", "~s"), "parent_id": ("span", "~p")}


def field_affixes(field: str) -> tuple[str, str]:
    """What stands before and after the value in the tokens of a built-in keyword field."""
    name, end = _FIELD_ENDS.get(field, (field, ""))
    return f"{_FIELD}{name}~", end


def field_token(field: str, value: str) -> str:
    """The token of a built-in keyword field, for stores that keep fields among the tokens."""
    start, end = field_affixes(field)
    return f"{start}{safe(value)}{end}"


_digit = re.compile(r"\d").search
_space = re.compile(r"\s").search


def id_shaped(value: str) -> bool:
    """Whether a value is worth finding without its key: no white space, and a digit in at
    least 6 characters, or more than 20 characters."""
    size = len(value)
    if size < 6 or (size <= 20 and (value.isalpha() or not _digit(value))):
        return False
    return not _space(value)


def _number_head(key: str, digits: int) -> str:
    return f"{_NUMBER}{_escape(value_token(key))}~{digits:x}~"


def number_tokens(key: str, number: float) -> list[str]:
    """The tokens by which number ranges find ``key``: one for each of ``PRECISIONS``."""
    value = as_double(number)
    if value is None:
        return []
    return [_number_head(key, digits) + ordered(value)[:digits] for digits in PRECISIONS]


def number_ranges(
    key: str, low: float | None, high: float | None, *, low_open: bool = False, high_open: bool = False
) -> list[TermRange]:
    """The token ranges that together hold exactly the numbers of the range.

    At most three: a coarse one for the inside, fine ones for the two edges.
    """
    if any(bound is not None and math.isnan(bound) for bound in (low, high)):
        return []
    start = int(ordered(-math.inf), 16) if low is None else int(ordered(low), 16) + low_open
    end = int(ordered(math.inf), 16) if high is None else int(ordered(high), 16) - high_open
    if start > end:
        return []
    fine, coarse = PRECISIONS
    shift = 4 * (fine - coarse)

    def between(first: int, last: int, digits: int) -> TermRange:
        return TermRange(_number_head(key, digits), f"{first:0{digits}x}", f"{last:0{digits}x}")

    first, last = -(-start >> shift), ((end + 1) >> shift) - 1  # whole coarse steps inside
    if first > last:
        return [between(start, end, fine)]
    ranges = [between(first, last, coarse)]
    if start < first << shift:
        ranges.append(between(start, (first << shift) - 1, fine))
    if end >= (last + 1) << shift:
        ranges.append(between((last + 1) << shift, end, fine))
    return ranges


# Keys and most values repeat from fact to fact: what their tokens are is worked out once.
_heads: dict[str, tuple[str, str, str, str]] = {}
_pairs: dict[type, dict[tuple[str, Any], str]] = {str: {}, int: {}, float: {}, bool: {}}
_MAX_HEADS, _MAX_PAIRS, _MAX_SHARED = 20_000, 16_384, 1024


def _head(key: str) -> tuple[str, str, str, str]:
    """What the tokens of a key start with: value, existence, fine and coarse number."""
    if len(_heads) >= _MAX_HEADS:
        _heads.clear()
    cleaned = safe(key)
    fine, coarse = PRECISIONS
    _heads[key] = heads = (
        cleaned + "~",
        _EXISTS + cleaned,
        f"{_NUMBER}{cleaned}~{fine:x}~",
        f"{_NUMBER}{cleaned}~{coarse:x}~",
    )
    return heads


def _text_tokens(key: str, value: str) -> str:
    heads = _heads.get(key) or _head(key)
    token = safe(value)
    if len(value) > 5 and key not in _NAMED_IDS and id_shaped(value):
        return f"{heads[1]} {heads[0]}{token} {bare_token(value)}"
    return f"{heads[1]} {heads[0]}{token}"


def _scalar_tokens(key: str, value: Any) -> str:
    """The tokens of one leaf, with spaces between."""
    if isinstance(value, str):
        return _text_tokens(key, value)
    heads = _heads.get(key) or _head(key)
    parts = [heads[1]]
    for text in texts(value):
        token = safe(text)
        parts.append(heads[0] + token)
        if not isinstance(value, float) and key not in _NAMED_IDS and id_shaped(text):
            parts.append(bare_token(text))
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        number = as_double(value)
        if number is not None:
            digits = ordered(number)
            parts.append(heads[2] + digits)
            parts.append(heads[3] + digits[: PRECISIONS[1]])
    return " ".join(parts)


def _leaf_tokens(key: str, value: Any) -> str:
    """As ``_scalar_tokens``, remembered: equal pairs come again and again."""
    # One memory per type, since 1, 1.0 and True are equal and read differently.
    known = _pairs.get(type(value))
    if known is None:
        return _scalar_tokens(key, value)
    pair = (key, value)
    tokens = known.get(pair)
    if tokens is None:
        tokens = _scalar_tokens(key, value)
        if len(tokens) < 400:
            if len(known) >= _MAX_PAIRS:
                known.clear()
            known[pair] = tokens
    return tokens


def _add_all(parts: list[str], attributes: dict[str, Any]) -> None:
    """Append the tokens of a set of attributes, nested ones by their leaves."""
    strings = _pairs[str]
    for key, value in attributes.items():
        tokens = strings.get((key, value)) if type(value) is str else None
        if tokens is not None:
            parts.append(tokens)
        elif isinstance(value, (dict, list, tuple)):
            parts.extend(_leaf_tokens(name, leaf) for name, leaf in leaves(key, value))
            if isinstance(value, dict) and value:
                parts.append(exists_token(key))
        else:
            parts.append(_leaf_tokens(key, value))


_shared: dict[tuple[int, int], tuple[Any, ...]] = {}


def _shared_tokens(fact: Fact) -> str:
    """Tokens of resource and scope, made once for each pair that a request shares."""
    key = (id(fact.resource), id(fact.scope))
    maker = (fact.service, fact.instance, fact.version, fact.environment)
    known = _shared.get(key)
    # The entry holds both objects, so their ids cannot have passed to others meanwhile.
    if known is not None and known[0] is fact.resource and known[1] is fact.scope and known[2] == maker:
        tokens: str = known[3]
        return tokens
    parts: list[str] = []
    _add_all(parts, fact.resource)
    _add_all(parts, fact.scope.attributes)
    parts.extend(
        _leaf_tokens(name, value) for name, value in origin(fact) if fact.resource.get(name) != value
    )
    if len(_shared) >= _MAX_SHARED:
        _shared.clear()
    joined = " ".join(parts)
    _shared[key] = (fact.resource, fact.scope, maker, joined)
    return joined


_EXCEPTION = dict.fromkeys(("exception.message", "exception.type", "error.message")).keys()
_names: dict[str, str] = {}  # the words of span names


def _exception_texts(attributes: dict[str, Any]) -> Iterator[str]:
    for name in _EXCEPTION:
        value = attributes.get(name)
        if isinstance(value, str):
            yield value


def _text(fact: Fact, body: list[tuple[str, Any]]) -> tuple[str, bool]:
    """The words of a fact with gaps between its texts, and whether some were left out."""
    if isinstance(fact, Span) and not fact.annotations and not fact.status_message:
        known = _names.get(fact.name)
        if known is not None and _EXCEPTION.isdisjoint(fact.attributes):
            return known, False  # the usual span: its name is all it says
    sources = [fact.name, *_exception_texts(fact.attributes)]
    if isinstance(fact, Span):
        sources.append(fact.status_message)
        for annotation in fact.annotations:
            sources.append(annotation.name)
            sources.extend(_exception_texts(annotation.attributes))
    sources.extend(value for _, value in body if isinstance(value, str))
    found: list[str] = []
    limit = MAX_WORDS * 16  # characters of one text
    for source in sources:
        if source:
            if found:
                found.append(GAP)
            found.extend(words(source[:limit]))
            if len(found) > MAX_WORDS or len(source) > limit:
                return " ".join(found[:MAX_WORDS]), True
    text = " ".join(found)
    if len(sources) == 2 and isinstance(fact, Span) and not sources[1] and len(fact.name) < 200:
        if len(_names) >= _MAX_SHARED:
            _names.clear()
        _names[fact.name] = text
    return text, False


def fact_tokens(fact: Fact) -> Tokens:
    """The tokens of a fact: attributes of every part of it, body, promoted facts and words."""
    parts: list[str] = []
    attributes = fact.attributes
    _add_all(parts, attributes)
    if fact.message is not None or fact.event is not None:
        for name, value in promoted(fact.message, fact.event):
            if attributes.get(name) != value:
                parts.append(_leaf_tokens(name, value))
    body: list[tuple[str, Any]] = []
    partial = False
    if isinstance(fact, Span):
        for link in fact.links:
            _add_all(parts, link.attributes)
        for annotation in fact.annotations:
            _add_all(parts, annotation.attributes)
    else:
        if fact.severity:
            parts.append(_leaf_tokens("severity", fact.severity))
        if fact.severity_number:
            parts.append(_leaf_tokens("severity_number", fact.severity_number))
        if fact.body is not None:
            body, partial = body_of(fact)
            parts.extend(_leaf_tokens(name, value) for name, value in body)
    text, cut = _text(fact, body)
    parts.append(_shared_tokens(fact))
    return Tokens(" ".join(parts), text, partial or cut)
