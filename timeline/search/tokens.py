"""The tokens under which a fact is found, and the same tokens for a question.

In: a key and a value, of a fact or of a question. Out: strings that a store keeps and looks
up as they are. Five kinds share one name space without meeting: value of a key, number of
a key, existence of a key, any key's value, and built-in fields. No token holds white
space, so a store takes them as one string, cut at single spaces. Not here: any engine's
syntax.
"""

from __future__ import annotations

import math
import re
from binascii import b2a_base64
from typing import Final

import msgspec
import xxhash

from timeline.search.leaves import MAX_LEAVES, leaves, pairs_of, texts, values_of
from timeline.search.numbers import as_double, ordered
from timeline.search.words import GAP, plain, words
from tracing import semconv

MAX_VALUE: Final = 256  # longer values are kept as this many characters and a hash
# Marks are printable, so that a store may write tokens into JSON as they are. "~" stands after a
# key; "`" otherwise only starts an escape, which goes on with a hex digit: these meet nothing.
_HASH_MARK = "`#"
_BARE, EXISTS, NUMBER, _FIELD = "`=", "`?", "`+", "`:"
_TO_URL: Final = bytes.maketrans(b"+/", b"-_")
PRECISIONS: Final = (16, 5)  # hex digits of the double: each value, and 256 steps per octave

# Values of these keys are ids of messages and events, nearly all different. A question for
# any key's value asks these keys by name, which saves an index a token for each of them.
NAMED_IDS: Final = (semconv.MESSAGING_MESSAGE_ID, semconv.CLOUDEVENTS_EVENT_ID)

__all__ = [
    "GAP",
    "MAX_LEAVES",
    "MAX_VALUE",
    "TermRange",
    "bare_token",
    "exists_token",
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
    if len(value) <= MAX_VALUE and value.isalnum():
        return value  # what most values are
    if len(value) <= MAX_VALUE and value.isascii() and value.isprintable() and not (
        " " in value or '"' in value or "~" in value or "`" in value or "\\" in value
    ):  # fmt: skip
        return value  # and nearly all others, told without a search
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
    return EXISTS + _escape(value_token(key))


def bare_token(value: str) -> str:
    """The token of any key having this id-shaped value; from 16 characters on, 96 bits of a
    hash of it, for an index would spend as much on the value again."""
    if len(value) >= 16:
        digest = xxhash.xxh3_128_digest(value_token(value).encode())[:12]
        return _BARE + b2a_base64(digest, newline=False).translate(_TO_URL).decode("ascii")
    return _BARE + _escape(value)


def value_tokens(value: str) -> tuple[str, ...]:
    """The tokens of which a fact has one or more where any key has this value; none where
    the value is not worth finding without its key."""
    if not id_shaped(value):
        return ()
    return (bare_token(value), *(kv_token(key, value) for key in NAMED_IDS))


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
    if value.isascii() and value.isalnum():  # then what is no letter is a digit
        return size > 20 or (size > 5 and not value.isalpha())
    if size < 6 or (size <= 20 and (value.isalpha() or not _digit(value))):
        return False
    return not _space(value)


def _number_head(key: str, digits: int) -> str:
    return f"{NUMBER}{_escape(value_token(key))}~{digits:x}~"


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
