"""What the index holds of a fact, and how a fact becomes a document of it.

Exact tokens of every kind share the field ``kv``; facet fields have columns of their own
for counting; times and order live in integer columns; the fact itself is one compressed
value. Attribute keys never become fields.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import tantivy

from timeline.domain import Fact, Span, Stored
from timeline.ingest.identity import ALPHABET, id_of, placed, usable
from timeline.search.fact_tokens import Tokens, fact_tokens
from timeline.search.query import FACETS, FIELDS
from timeline.search.tokens import field_affixes, field_token, safe, value_token
from timeline.store.codec import Packed
from timeline.store.integers import MAX_INT, MIN_INT, MS, clamp
from timeline.store.packing import pack
from timeline.store.port import ItemReport

SCHEMA_VERSION: Final = 2
VARIANT: Final = field_token("variant", "yes")


def build_schema() -> tantivy.Schema:
    """The schema of every index of this ``SCHEMA_VERSION``."""
    builder = tantivy.SchemaBuilder()
    # One string of tokens a document: a third of the cost of a value for each.
    builder.add_text_field("kv", tokenizer_name="whitespace", index_option="basic")
    builder.add_text_field("text", tokenizer_name="whitespace", index_option="position")
    for name in FACETS:
        builder.add_text_field(name, fast=True, tokenizer_name="raw", index_option="basic")
    # ``ms`` repeats ``placed`` because histograms count in doubles, exact for ms only.
    for name in ("placed", "ms", "received", "tie", "rank", "duration"):
        builder.add_integer_field(name, fast=True)
    builder.add_bytes_field("blob", stored=True)
    return builder.build()


SCHEMA: Final = build_schema()


# How an unusable time starts an id: ms 0.
_ODD_PREFIX = "AAAAAAAA"


def _prefix_after_odd(placed: int) -> bool:
    """Whether an id that starts with this time sorts after one that starts with ms 0."""
    ms = placed // MS
    prefix = "".join(ALPHABET[ms >> shift & 63] for shift in range(42, -1, -6))
    return prefix > _ODD_PREFIX


def rank_of(stored: Stored) -> int:
    """A small number that orders ids of facts placed at one moment as the ids do, but for
    the few that share it."""
    fact_id = stored.receipt.id
    rank = int.from_bytes(fact_id[8:11].encode(), "big")
    if usable(stored.fact.at):
        return 1 << 24 | rank
    return rank if _prefix_after_odd(placed(stored)) else 2 << 24 | rank


_ID: Final = field_affixes("id")[0]
ODD: Final = field_token("odd", "yes")  # its id does not start with the time it is placed by


def odd_token(fact_id: str) -> str:
    """The token of the whole id of a fact that is odd."""
    return field_token("odd", fact_id)


def id_token(fact_id: str) -> str:
    """The token of a fact's id, without its time, which a column holds already."""
    return _ID + (fact_id[8:] if len(fact_id) == 20 else safe(fact_id))


def identity_tokens(identity: str) -> tuple[str, str]:
    """The tokens of which every fact of an identity has one: an id holds most of it."""
    return _ID + safe(identity[:12]), field_token("identity", identity)


def _affixed(field: str, value: str) -> str:
    start, end = _AFFIXES[field]
    return f"{start}{value if len(value) <= 64 and value.isalnum() else safe(value)}{end}"


# What stands around the value in the tokens of each built-in field, worked out once.
_AFFIXES: Final = {
    name: field_affixes(name)
    for name in (*FIELDS, "workspace", "entity", "context")
    if FIELDS.get(name, "keyword") == "keyword" and name not in FACETS
}


def _field_tokens(stored: Stored) -> list[str]:
    """Tokens of the built-in fields that have no column."""
    fact, receipt = stored.fact, stored.receipt
    tokens = [id_token(receipt.id), _affixed("workspace", receipt.workspace)]
    if receipt.identity[:12] != receipt.id[8:]:
        tokens.append(_affixed("identity", receipt.identity))
    if receipt.variant:
        tokens.append(VARIANT)
    if receipt.id != id_of(receipt.id[8:], placed(stored)):
        tokens += (ODD, odd_token(receipt.id))
    if fact.ref is not None:
        tokens.append(_affixed("trace_id", fact.ref.trace_id))
        tokens.append(_affixed("span_id", fact.ref.span_id))
    if isinstance(fact, Span):
        if fact.parent:
            tokens.append(_affixed("parent_id", fact.parent))
        for link in fact.links:
            tokens.append(_affixed("link", link.ref.trace_id))
            tokens.append(_affixed("link", f"{link.ref.trace_id}/{link.ref.span_id}"))
    event = fact.event
    if event is not None:
        if event.id:
            tokens.append(_affixed("event_id", event.id))
        if event.correlation_id:
            tokens.append(_affixed("correlation_id", event.correlation_id))
        if event.causation_id:
            tokens.append(_affixed("causation_id", event.causation_id))
    tokens += [_affixed("entity", f"{entity.type}:{entity.id}") for entity in fact.entities]
    tokens += [_affixed("context", f"{entity.type}:{entity.id}") for entity in fact.context]
    return tokens


def _facets(add: tantivy.Document, fact: Fact) -> None:
    """Fill the column of each facet field that the fact has."""
    text = add.add_text
    if isinstance(fact, Span):
        text("fact", "span")
        text("status", fact.status)
        text("span_kind", fact.kind)
    else:
        text("fact", "event")
        text("status", "unset")
    if fact.event is not None and fact.event.type:
        text("type", value_token(fact.event.type))
    if fact.service:
        text("service", value_token(fact.service))
    if fact.name:
        text("name", value_token(fact.name))
    if fact.message is not None and fact.message.destination:
        text("destination", value_token(fact.message.destination))
    if fact.environment:
        text("environment", value_token(fact.environment))


def duration_of(fact: Fact) -> int | None:
    """How long a fact took (ns), where it says when it began and ended."""
    return None if fact.at is None or fact.until is None else clamp(fact.until - fact.at)


def refusal(stored: Stored) -> str:
    """Why a fact can never be kept in this index, or nothing."""
    receipt = stored.receipt
    for name, number in (("tie", receipt.tie), ("received", receipt.received)):
        if not MIN_INT <= number <= MAX_INT:
            return f"{name} does not fit 64 bits"
    return ""


class Draft(NamedTuple):
    """A fact made ready, but for its bytes."""

    stored: Stored
    tokens: Tokens
    packed: Packed


def draft(stored: Stored) -> Draft | ItemReport:
    """A fact made ready, or the report of one that can never be kept."""
    reason = refusal(stored)
    try:
        if not reason:
            tokens = fact_tokens(stored)
            if tokens.partial and not stored.receipt.partial:
                stored = stored.marked(partial=True)
            return Draft(stored, tokens, pack(stored))
    except UnicodeEncodeError:
        reason = "it holds text that is not valid Unicode"
    except (OverflowError, TypeError, RecursionError) as error:
        reason = f"it holds a value that cannot be kept: {str(error)[:200]}"
    return ItemReport(id=stored.receipt.id, outcome="refused", reason=reason)


def document(stored: Stored, tokens: Tokens, blob: bytes) -> tantivy.Document:
    """The document of a fact."""
    at = placed(stored)
    add = tantivy.Document()
    add.add_text("kv", " ".join([*_field_tokens(stored), tokens.kv]))
    if tokens.text:
        add.add_text("text", tokens.text)
    _facets(add, stored.fact)
    add.add_integer("placed", at)
    add.add_integer("ms", at // MS)
    add.add_integer("received", stored.receipt.received)
    add.add_integer("tie", stored.receipt.tie)
    add.add_integer("rank", rank_of(stored))
    duration = duration_of(stored.fact)
    if duration is not None:
        add.add_integer("duration", duration)
    add.add_bytes("blob", blob)
    return add
