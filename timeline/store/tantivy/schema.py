"""What the index holds of a fact, and how a fact becomes a document of it.

Exact tokens of every kind share the field ``kv``; facet fields have columns of their own
for counting; times and order live in integer columns; the fact itself is one compressed
value. Attribute keys never become fields.
"""

from __future__ import annotations

from binascii import b2a_base64
from typing import Final

import tantivy

from timeline.domain import Fact, Stored
from timeline.ingest.identity import ALPHABET, id_of, placed, usable
from timeline.search.fact_tokens import Tokens
from timeline.search.query import FACETS
from timeline.search.tokens import field_affixes, field_token, safe
from timeline.store import fields
from timeline.store.fields import Draft, facets, field_tokens, quoted, remember
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


_IDENTITY: Final = field_affixes("identity")[0]


def _ids(stored: Stored) -> str:
    """Tokens of the fact's own ids."""
    receipt = stored.receipt
    tokens = id_token(receipt.id)
    if receipt.identity[:12] != receipt.id[8:]:
        tokens += f" {_IDENTITY}{safe(receipt.identity)}"
    if receipt.id != id_of(receipt.id[8:], placed(stored)):
        tokens += f" {ODD} {odd_token(receipt.id)}"
    return tokens


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


def draft(stored: Stored) -> Draft | ItemReport:
    """A fact made ready, or the report of one that can never be kept."""
    made = fields.draft(stored, refusal(stored))
    return ItemReport(id=stored.receipt.id, outcome="refused", reason=made) if isinstance(made, str) else made


_known_texts: dict[str, str] = {"": ""}


def _text(words: str) -> str:
    """The words of a fact as a field, remembered: most spans say no more than their name."""
    known = _known_texts.get(words)
    if known is None:
        known = f'"text":{quoted(words)},'
        remember(_known_texts, words, known)
    return known


def document(stored: Stored, tokens: Tokens, blob: bytes) -> str:
    """The document of a fact, in JSON: the engine reads it while Python goes on."""
    fact, receipt, at = stored.fact, stored.receipt, placed(stored)
    duration = duration_of(fact)
    took = "" if duration is None else f'"duration":{duration},'
    return (  # tokens hold nothing that JSON escapes
        f'{{"kv":"{_ids(stored)} {field_tokens(stored)} {tokens.kv}",{_text(tokens.text)}{facets(fact)}{took}'
        f'"placed":{at},"ms":{at // MS},"received":{receipt.received},"tie":{receipt.tie},'
        f'"rank":{rank_of(stored)},"blob":"{b2a_base64(blob, newline=False).decode("ascii")}"}}'
    )
