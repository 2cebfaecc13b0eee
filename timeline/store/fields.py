"""What the documents of all stores have in common, as parts of JSON text.

In: a fact. Out: its draft, that is all that is worked out before its bytes are; tokens of its
built-in fields, and its facets as the inside of an object, each made as one string. Not here: what
a store adds of its own.
"""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import orjson

from timeline.domain import Fact, Span, Stored
from timeline.search.fact_tokens import fact_tokens
from timeline.search.tokens import field_affixes, field_token, safe, value_token
from timeline.storable import Storable
from timeline.store.codec import Packed
from timeline.store.packing import pack

VARIANT: Final = field_token("variant", "yes")
_MAX_KNOWN: Final = 4_096

# What stands before the value in the tokens of each built-in field (and after that of some).
_WORKSPACE, _TRACE, _LINK, _EVENT, _CORRELATION, _CAUSATION, _ENTITY, _CONTEXT = (
    field_affixes(name)[0]
    for name in (
        "workspace", "trace_id", "link", "event_id", "correlation_id", "causation_id", "entity", "context",
    )
)  # fmt: skip
(_SPAN, _SPAN_END), (_PARENT, _PARENT_END) = field_affixes("span_id"), field_affixes("parent_id")


class Draft(NamedTuple):
    """A fact made ready, but for its bytes: what ``timeline.ingest.request.Ready`` is, too."""

    stored: Storable
    at: int | None
    until: int | None
    kv: str  # tokens of built-in fields and everything else
    text: str  # words
    facets: str  # with a comma after each
    packed: Packed


def draft(stored: Storable, refusal: str = "") -> Draft | str:
    """A fact made ready; or why it can never be kept: the store's own ``refusal``, or its content."""
    if refusal:
        return refusal
    if not isinstance(stored, Stored):  # made ready already
        return Draft(stored, stored.at, stored.until, stored.kv, stored.text, stored.facets, stored.packed)
    try:
        tokens = fact_tokens(stored)
        if tokens.partial and not stored.receipt.partial:
            stored = stored.marked(partial=True)
        fact = stored.fact
        kv = f"{field_tokens(stored)} {tokens.kv}"
        return Draft(stored, fact.at, fact.until, kv, tokens.text, facets(fact), pack(stored))
    except UnicodeEncodeError:
        return "it holds text that is not valid Unicode"
    except (OverflowError, TypeError, RecursionError) as error:
        return f"it holds a value that cannot be kept: {str(error)[:200]}"


def workspace_token(workspace: str) -> str:
    """The token of a workspace."""
    return f"{_WORKSPACE}{safe(workspace)}"


def field_tokens(stored: Stored) -> str:
    """Tokens of the built-in fields that have no column, but for those of the fact's own ids."""
    fact, receipt = stored.fact, stored.receipt
    tokens = workspace_token(receipt.workspace)
    if fact.ref is not None:
        tokens += f" {_TRACE}{safe(fact.ref.trace_id)} {_SPAN}{safe(fact.ref.span_id)}{_SPAN_END}"
    if isinstance(fact, Span):
        if fact.parent:
            tokens += f" {_PARENT}{safe(fact.parent)}{_PARENT_END}"
        for link in fact.links:
            address = f"{link.ref.trace_id}/{link.ref.span_id}"
            tokens += f" {_LINK}{safe(link.ref.trace_id)} {_LINK}{safe(address)}"
    if receipt.variant:
        tokens += f" {VARIANT}"
    event = fact.event
    if event is not None:
        if event.id:
            tokens += f" {_EVENT}{safe(event.id)}"
        if event.correlation_id:
            tokens += f" {_CORRELATION}{safe(event.correlation_id)}"
        if event.causation_id:
            tokens += f" {_CAUSATION}{safe(event.causation_id)}"
    for entity in fact.entities:
        tokens += f" {_ENTITY}{safe(f'{entity.type}:{entity.id}')}"
    for entity in fact.context:
        tokens += f" {_CONTEXT}{safe(f'{entity.type}:{entity.id}')}"
    return tokens


_NAMES: Final = ("fact", "type", "service", "name", "destination", "status", "span_kind", "environment")
_known_facets: dict[tuple[Any, ...], str] = {}


def facets(fact: Fact) -> str:
    """The facet fields with a comma after each, remembered: few facts differ in them."""
    span = isinstance(fact, Span)
    key = (
        "span" if span else "event",
        (fact.event.type if fact.event else None) or "",
        fact.service,
        fact.name,
        (fact.message.destination if fact.message else None) or "",
        fact.status if isinstance(fact, Span) else "unset",
        fact.kind if isinstance(fact, Span) else "",
        fact.environment,
    )
    known = _known_facets.get(key)
    if known is None:
        known = facets_of(key)
        remember(_known_facets, key, known)
    return known


def facets_of(values: tuple[Any, ...]) -> str:
    """As ``facets``, of the values in order: fact, type, service, name, destination, status, kind of span,
    environment."""
    named = {name: value_token(value) for name, value in zip(_NAMES, values, strict=True) if value}
    return quoted(named)[1:-1] + ","


def quoted(value: Any) -> str:
    """The value as JSON."""
    return orjson.dumps(value).decode()


def remember(known: dict[Any, str], key: Any, value: str) -> None:
    """Keep what was made of a key, unless it is long; bounded by beginning anew."""
    if len(value) < 1_000:
        if len(known) >= _MAX_KNOWN:
            known.clear()
        known[key] = value
