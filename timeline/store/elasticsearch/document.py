"""A fact as two lines of a bulk request, built in one pass and without a parser in between."""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final, NamedTuple

import msgspec
import orjson

from timeline.domain import Fact, Receipt, Span, Stored
from timeline.ingest.identity import moment, placed
from timeline.search.tokens import Tokens, fact_tokens, field_affixes, field_token, safe, value_token
from timeline.store.codec import Packer
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

VARIANT: Final = field_token("variant", "yes")
_dumps = orjson.dumps
_MAX_KNOWN: Final = 4_096


class Line(NamedTuple):
    """A fact ready to be sent: its day, its lines, and what a report of it says."""

    stored: Stored
    day: str
    data: bytes


# What stands around the value in the tokens of each built-in field, worked out once.
_AFFIXES: Final = {
    name: field_affixes(name)
    for name in (
        "link", "event_id", "correlation_id", "causation_id", "entity", "context",
    )
}  # fmt: skip
_IDENTITY, _TRACE = field_affixes("identity")[0], field_affixes("trace_id")[0]
(_SPAN, _SPAN_END), (_PARENT, _PARENT_END) = field_affixes("span_id"), field_affixes("parent_id")


def _pairs(fact: Fact) -> list[tuple[str, str]]:
    """The rarer built-in fields of a fact."""
    pairs: list[tuple[str, str]] = []
    if isinstance(fact, Span):
        for link in fact.links:
            pairs.append(("link", link.ref.trace_id))
            pairs.append(("link", f"{link.ref.trace_id}/{link.ref.span_id}"))
    event = fact.event
    if event is not None:
        for name, value in (
            ("event_id", event.id),
            ("correlation_id", event.correlation_id),
            ("causation_id", event.causation_id),
        ):
            if value:
                pairs.append((name, value))
    pairs.extend(("entity", f"{entity.type}:{entity.id}") for entity in fact.entities)
    pairs.extend(("context", f"{entity.type}:{entity.id}") for entity in fact.context)
    return pairs


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
    if isinstance(fact, Span) and fact.parent:
        tokens += f" {_PARENT}{safe(fact.parent)}{_PARENT_END}"
    if receipt.variant:
        tokens += f" {VARIANT}"
    for name, value in _pairs(fact):
        start, end = _AFFIXES[name]
        tokens += f" {start}{safe(value)}{end}"
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


def _text(tokens: Tokens) -> bytes:
    if not tokens.text:
        return b""
    text = wire(tokens.text)
    if any_long(text):
        text = " ".join(wire_word(word) for word in tokens.text.split(" "))
    return b'"text":' + _dumps(text) + b","


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


def prepare(stored: Stored, prefix: str, packer: Packer) -> Line | str:
    """The lines of a fact, or why it can never be kept."""
    reason = refusal(stored)
    if reason:
        return reason
    try:
        tokens = fact_tokens(stored.fact)
        if tokens.partial and not stored.receipt.partial:
            stored = replaced(stored, partial=True)
        return _line(stored, tokens, prefix, packer)
    except UnicodeEncodeError:
        return "it holds text that is not valid Unicode"
    except (OverflowError, TypeError, RecursionError) as error:
        return f"it holds a value that cannot be kept: {str(error)[:200]}"


def _line(stored: Stored, tokens: Tokens, prefix: str, packer: Packer) -> Line:
    fact, receipt = stored.fact, stored.receipt
    kv, long = f"{_field_tokens(stored)} {tokens.kv}", b""
    if any_long(kv):
        kv, long = _long_apart(kv)
    at = placed(stored)
    high, low = ranks(receipt.id)
    day = day_of(moment(receipt.id))
    start, until = fact.at, fact.until
    took = b"" if start is None or until is None else b'"duration":%d,' % clamp(until - start)
    data = (
        b'{"create":{"_index":"%b-into-%b","_id":"%b"}}\n{"kv":"%b",%b%b%b%b"placed":%d,"ms":%d,"received":%d,"tie":%d,"high":%d,"low":%d,"whole":"%b"}\n'
        % (
            prefix.encode(),
            day.encode(),
            receipt.id.encode(),
            kv.encode(),  # tokens hold nothing that JSON escapes
            long,
            _text(tokens),
            _facets(fact),
            took,
            at,
            at // MS,
            receipt.received,
            receipt.tie,
            high,
            low,
            b64encode(packer.pack(stored)),
        )
    )
    return Line(stored, day, data)


def replaced(stored: Stored, **receipt: object) -> Stored:
    """The fact with another receipt."""
    changed: Receipt = msgspec.structs.replace(stored.receipt, **receipt)
    return msgspec.structs.replace(stored, receipt=changed)
