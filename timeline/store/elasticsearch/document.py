"""A fact as two lines of a bulk request, built in one pass and without a parser in between."""

from __future__ import annotations

from binascii import b2a_base64
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

import orjson

from timeline.domain import Fact, Span, Stored
from timeline.ingest.identity import moment, placed
from timeline.search.fact_tokens import Tokens, fact_tokens
from timeline.search.tokens import field_affixes, field_token, safe, value_token
from timeline.store.codec import Packed, Packer
from timeline.store.elasticsearch.names import (
    LONGEST,
    any_long,
    day_of,
    is_id,
    ranks,
    units,
    wire,
    wire_word,
)
from timeline.store.integers import MAX_INT, MIN_INT, MS, clamp
from timeline.store.packing import pack

VARIANT: Final = field_token("variant", "yes")
_dumps = orjson.dumps
_MAX_KNOWN: Final = 4_096


class Line(NamedTuple):
    """A fact ready to be sent: its day, its lines, and what a report of it says."""

    stored: Stored
    day: str
    data: bytes


# What stands before the value in the tokens of each built-in field (and after that of some).
_IDENTITY, _TRACE, _LINK, _EVENT, _CORRELATION, _CAUSATION, _ENTITY, _CONTEXT = (
    field_affixes(name)[0]
    for name in (
        "identity", "trace_id", "link", "event_id", "correlation_id", "causation_id", "entity", "context",
    )
)  # fmt: skip
(_SPAN, _SPAN_END), (_PARENT, _PARENT_END) = field_affixes("span_id"), field_affixes("parent_id")


_tenants: dict[str, str] = {}


def _tenant(workspace: str) -> str:
    """The token of a workspace, remembered: there are few."""
    known = _tenants.get(workspace)
    if known is None:
        if len(_tenants) >= _MAX_KNOWN:
            _tenants.clear()
        known = _tenants[workspace] = field_token("workspace", workspace)
    return known


def _field_tokens(stored: Stored) -> str:
    """Tokens of the built-in fields that have no column, the id apart."""
    fact, receipt = stored.fact, stored.receipt
    tokens = f"{_IDENTITY}{safe(receipt.identity)} {_tenant(receipt.workspace)}"
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


_known_facets: dict[tuple[Any, ...], bytes] = {}


def _facets(fact: Fact) -> bytes:
    """The facet fields as the inside of a JSON object, remembered: few facts differ in them."""
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
        names = ("fact", "type", "service", "name", "destination", "status", "span_kind", "environment")
        values = {name: value_token(value) for name, value in zip(names, key, strict=True) if value}
        known = _dumps(values)[1:-1] + b","
        if len(known) < 1_000:
            if len(_known_facets) >= _MAX_KNOWN:
                _known_facets.clear()
            _known_facets[key] = known
    return known


def _long_apart(tokens: str) -> tuple[str, bytes]:
    """The tokens that the cluster keeps whole in ``kv``, and a field with the longer ones."""
    every = tokens.split(" ")
    short = [token for token in every if units(token) <= LONGEST]
    long = list(dict.fromkeys(token for token in every if units(token) > LONGEST))
    return " ".join(short), b'"long":' + _dumps(long) + b","


_known_texts: dict[str, bytes] = {"": b""}


def _text(words: str) -> bytes:
    """The words of a fact as a field, remembered: most spans say no more than their name."""
    known = _known_texts.get(words)
    if known is None:
        text = wire(words)
        if any_long(text):
            text = " ".join(wire_word(word) for word in words.split(" "))
        known = b'"text":' + _dumps(text) + b","
        if len(known) < 1_000:
            if len(_known_texts) >= _MAX_KNOWN:
                _known_texts.clear()
            _known_texts[words] = known
    return known


def refusal(stored: Stored) -> str:
    """Why a fact can never be kept in this index, or nothing."""
    receipt = stored.receipt
    if not MIN_INT <= receipt.tie <= MAX_INT:
        return "its tie does not fit 64 bits"
    if not MIN_INT <= receipt.received <= MAX_INT:
        return "its received time does not fit 64 bits"
    if not is_id(receipt.id):
        return "its id is not 20 characters of base64url"
    return ""


class _Draft(NamedTuple):
    """A line that lacks the fact itself."""

    stored: Stored
    day: str
    head: bytes
    packed: Packed


def prepare(facts: Iterable[Stored], prefix: str, packer: Packer) -> list[Line | str]:
    """The lines of facts, in order; for one that can never be kept, why."""
    start = f'{{"create":{{"_index":"{prefix}-facts-'.encode()
    drafts = [_draft(stored, start) for stored in facts]
    blobs = iter(packer.pack([draft.packed for draft in drafts if not isinstance(draft, str)]))
    return [
        draft
        if isinstance(draft, str)
        else Line(draft.stored, draft.day, b'%b%b"}\n' % (draft.head, b2a_base64(next(blobs), newline=False)))
        for draft in drafts
    ]


def _draft(stored: Stored, start: bytes) -> _Draft | str:
    reason = refusal(stored)
    if reason:
        return reason
    try:
        tokens = fact_tokens(stored)
        if tokens.partial and not stored.receipt.partial:
            stored = stored.marked(partial=True)
        day, head = _head(stored, tokens, start)
        return _Draft(stored, day, head, pack(stored))
    except UnicodeEncodeError:
        return "it holds text that is not valid Unicode"
    except (OverflowError, TypeError, RecursionError) as error:
        return f"it holds a value that cannot be kept: {str(error)[:200]}"


def _head(stored: Stored, tokens: Tokens, start: bytes) -> tuple[str, bytes]:
    """The day of a fact, and its lines up to the fact itself."""
    fact, receipt = stored.fact, stored.receipt
    kv, long = f"{_field_tokens(stored)} {tokens.kv}", b""
    if any_long(kv):
        kv, long = _long_apart(kv)
    high, low = ranks(receipt.id)
    day = day_of(moment(receipt.id))
    at, began, until = placed(stored), fact.at, fact.until
    took = b"" if began is None or until is None else b'"duration":%d,' % clamp(until - began)
    return day, (
        b'%b%b","_id":"%b"}}\n{"kv":"%b",%b%b%b%b"placed":%d,"ms":%d,"received":%d,"tie":%d,"high":%d,"low":%d,"whole":"'
        % (
            start,
            day.encode(),
            receipt.id.encode(),
            kv.encode(),  # tokens hold nothing that JSON escapes
            long,
            _text(tokens.text),
            _facets(fact),
            took,
            at,
            at // MS,
            receipt.received,
            receipt.tie,
            high,
            low,
        )
    )
