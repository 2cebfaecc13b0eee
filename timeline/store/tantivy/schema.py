"""What the index holds of a fact, and how a fact becomes a document of it.

Exact tokens of every kind share the field ``kv``; facet fields have columns of their own
for counting; times and order live in integer columns; the fact itself is one compressed
value. Attribute keys never become fields.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final

import tantivy

from timeline.domain import Receipt
from timeline.ingest.identity import ALPHABET, id_of, placed_at, usable
from timeline.search.query import FACETS
from timeline.search.tokens import field_affixes, field_token, safe
from timeline.storable import Storable
from timeline.store import fields
from timeline.store.fields import Draft, quoted, remember
from timeline.store.integers import MAX_INT, MIN_INT, MS, clamp
from timeline.store.port import ItemReport

SCHEMA_VERSION: Final = 3


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


def _rank_of(fact_id: str, at: int | None, placed: int) -> int:
    """A small number that orders ids of facts placed at one moment as the ids do, but for
    the few that share it."""
    rank = int.from_bytes(fact_id[8:11].encode(), "big")
    if usable(at):
        return 1 << 24 | rank
    return rank if _prefix_after_odd(placed) else 2 << 24 | rank


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


_IDENTITY: Final = field_affixes("identity")[0]


def _ids(receipt: Receipt, placed: int) -> str:
    """Tokens of a fact's own ids."""
    tokens = id_token(receipt.id)
    if receipt.identity[:12] != receipt.id[8:]:
        tokens += f" {_IDENTITY}{safe(receipt.identity)}"
    if receipt.id != id_of(receipt.id[8:], placed):
        tokens += f" {ODD} {odd_token(receipt.id)}"
    return tokens


def refusal(stored: Storable) -> str:
    """Why a fact can never be kept in this index, or nothing."""
    receipt = stored.receipt
    for name, number in (("tie", receipt.tie), ("received", receipt.received)):
        if not MIN_INT <= number <= MAX_INT:
            return f"{name} does not fit 64 bits"
    return ""


def draft(stored: Storable) -> Draft | ItemReport:
    """A fact made ready, or the report of one that can never be kept."""
    made = fields.draft(stored, refusal(stored))
    return ItemReport(id=stored.receipt.id, outcome="refused", reason=made) if isinstance(made, str) else made


_known_texts: dict[str, str] = {}


def _text(words: str) -> str:
    """The words of a fact as a field, remembered: most spans say no more than their name."""
    known = _known_texts.get(words)
    if known is None:
        known = f'"text":{quoted(words)},' if words else ""
        remember(_known_texts, words, known)
    return known


def document(made: Draft, blob: bytes) -> str:
    """The document of a fact, in JSON: the engine reads it while Python goes on."""
    receipt, at = made.stored.receipt, placed_at(made.at, made.stored.receipt.received)
    began, until = made.at, made.until
    took = "" if began is None or until is None else f'"duration":{clamp(until - began)},'
    return (  # tokens hold nothing that JSON escapes
        f'{{"kv":"{_ids(receipt, at)} {made.kv}",{_text(made.text)}{made.facets}{took}'
        f'"placed":{at},"ms":{at // MS},"received":{receipt.received},"tie":{receipt.tie},'
        f'"rank":{_rank_of(receipt.id, began, at)},"blob":"{b2a_base64(blob, newline=False).decode("ascii")}"}}'
    )
