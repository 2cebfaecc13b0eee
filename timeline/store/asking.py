"""What both stores check of a question and work out of the facts they found."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Final, TypeVar

from timeline.domain import Stored
from timeline.errors import BadQuery
from timeline.search.query import FIELDS, Window
from timeline.search.tokens import MAX_VALUE, value_token, values_of
from timeline.store.port import COHORT_LIMIT, Facet, FacetValue

MAX_PAGE: Final = 10_000
MAX_DEPTH: Final = 100  # of a tree
MAX_BUCKETS: Final = 20_000
SAMPLE: Final = 2_000  # newest matches that a facet on an attribute counts

_Item = TypeVar("_Item")


def chunks(items: Iterable[_Item], size: int) -> Iterator[list[_Item]]:
    """Lists of at most ``size`` items."""
    iterator = iter(items)
    while chunk := list(islice(iterator, size)):
        yield chunk


def check_page(limit: int) -> None:
    """Raise ``BadQuery`` where a page of facts cannot have so many rows."""
    if not 1 <= limit <= MAX_PAGE:
        raise BadQuery(f"a page has 1 to {MAX_PAGE} rows, not {limit}")


def check_cohort(limit: int) -> None:
    """Raise ``BadQuery`` where a page of a cohort cannot have so many entities."""
    if not 1 <= limit <= COHORT_LIMIT:
        raise BadQuery(f"a page has 1 to {COHORT_LIMIT} entities, not {limit}")


def check_depth(depth: int) -> None:
    """Raise ``BadQuery`` for a tree that no store answers."""
    if depth > MAX_DEPTH:
        raise BadQuery("the question is nested too deeply", remedy="use fewer brackets")


def check_keyword(field: str) -> None:
    """Raise ``BadQuery`` where a field is no built-in keyword."""
    if FIELDS.get(field) != "keyword":
        raise BadQuery(f"{field!r} is no built-in keyword field", remedy="ask it as an attribute")


def check_prefix(prefix: str) -> None:
    """Raise ``BadQuery`` for a prefix longer than what is kept of a value."""
    if len(prefix) > MAX_VALUE:
        raise BadQuery(
            f"a prefix has at most {MAX_VALUE} characters, this one {len(prefix)}",
            remedy="shorten it, or ask for the whole value",
        )


def buckets_of(window: Window, interval: int) -> tuple[int, int]:
    """Start and end of a histogram; raises ``BadQuery`` where it has none, or too many buckets."""
    if window.start is None or window.end is None or interval <= 0:
        raise BadQuery("a histogram needs both ends of its window and an interval above 0")
    if (window.end - window.start) // interval > MAX_BUCKETS:
        raise BadQuery(f"a histogram has at most {MAX_BUCKETS} buckets", remedy="use a longer interval")
    return window.start, window.end


def top(counts: Iterable[tuple[str, int]], limit: int) -> tuple[FacetValue, ...]:
    """The most frequent values, then by value."""
    ranked = sorted(counts, key=lambda pair: (-pair[1], pair[0]))
    return tuple(FacetValue(value=value, count=count) for value, count in ranked[:limit])


def sampled(facts: Iterable[Stored], key: str, limit: int) -> Facet:
    """The facet of an attribute key over these facts."""
    counts: dict[str, int] = {}
    for stored in facts:
        for value in {value_token(value) for value in values_of(stored.fact, key)}:
            counts[value] = counts.get(value, 0) + 1
    return Facet(field=key, values=top(counts.items(), limit), sampled=True)
