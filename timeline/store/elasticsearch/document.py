"""A fact as two lines of a bulk request, built in one pass and without a parser in between."""

from __future__ import annotations

import threading
from binascii import b2a_base64
from collections.abc import Iterable, Sequence
from typing import Any, Final, NamedTuple

from timeline.ingest.identity import moment, placed_at
from timeline.search.tokens import field_affixes, safe
from timeline.storable import Storable
from timeline.store import fields
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
from timeline.store.fields import Draft, quoted, remember
from timeline.store.integers import MAX_INT, MIN_INT, MS, clamp
from timeline.store.ready import native


class Line(NamedTuple):
    """A fact ready to be sent: its day, its lines, and what a report of it says. Those made natively are objects
    of their own with the same attributes."""

    stored: Storable
    day: str
    data: bytes


_IDENTITY: Final = field_affixes("identity")[0]


def _long_apart(tokens: str) -> tuple[str, str]:
    """The tokens that the cluster keeps whole in ``kv``, and a field with the longer ones."""
    every = tokens.split(" ")
    short = [token for token in every if units(token) <= LONGEST]
    long = list(dict.fromkeys(token for token in every if units(token) > LONGEST))
    return " ".join(short), f'"long":{quoted(long)},'


_known_texts: dict[str, str] = {}


def _text(words: str) -> str:
    """The words of a fact as a field, remembered: most spans say no more than their name."""
    known = _known_texts.get(words)
    if known is None:
        text = wire(words)
        if any_long(text):
            text = " ".join(wire_word(word) for word in words.split(" "))
        known = f'"text":{quoted(text)},' if text else ""
        remember(_known_texts, words, known)
    return known


def refusal(stored: Storable) -> str:
    """Why a fact can never be kept in this index, or nothing."""
    receipt = stored.receipt
    if not MIN_INT <= receipt.tie <= MAX_INT:
        return "its tie does not fit 64 bits"
    if not MIN_INT <= receipt.received <= MAX_INT:
        return "its received time does not fit 64 bits"
    if not is_id(receipt.id):
        return "its id is not 20 characters of base64url"
    return ""


def prepare(facts: Iterable[Storable], prefix: str, packer: Packer) -> list[Line | str]:
    """The lines of facts, in order; for one that can never be kept, why.

    Natively, where they were decoded so.
    """
    start = f'{{"create":{{"_index":"{prefix}-into-'
    given = list(facts)
    heads = None if native is None else _native_lines(start).heads(given)
    if not heads:
        return _lines(given, start, packer)
    lines: list[Line | str | None] = packer.finish(heads)
    if None in lines:
        left = [place for place, line in enumerate(lines) if line is None]
        for place, line in zip(left, _lines([given[place] for place in left], start, packer), strict=True):
            lines[place] = line
    return lines  # type: ignore[return-value]  # none is left


def _lines(facts: Sequence[Storable], start: str, packer: Packer) -> list[Line | str]:
    drafts = [_draft(stored, start) for stored in facts]
    blobs = iter(packer.pack([draft.packed for draft in drafts if not isinstance(draft, str)]))
    return [
        draft
        if isinstance(draft, str)
        else Line(draft.stored, draft.day, b'%b%b"}\n' % (draft.head, b2a_base64(next(blobs), newline=False)))
        for draft in drafts
    ]


_local = threading.local()


def _native_lines(start: str) -> Any:
    """This thread's own."""
    known: dict[str, Any] = _local.__dict__.setdefault("lines", {})
    if start not in known:
        known.clear()  # a process writes to one cluster
        known[start] = native.Lines(start, _IDENTITY, _text, day_of)
    return known[start]


class _Draft(NamedTuple):
    """A line that lacks the fact itself."""

    stored: Storable
    day: str
    head: bytes
    packed: Packed


def _draft(stored: Storable, start: str) -> _Draft | str:
    made = fields.draft(stored, refusal(stored))
    if isinstance(made, str):
        return made
    day = day_of(moment(made.stored.receipt.id))
    return _Draft(made.stored, day, _head(made, start + day), made.packed)


def _head(made: Draft, start: str) -> bytes:
    """The lines of a fact up to the fact itself."""
    receipt, began, until = made.stored.receipt, made.at, made.until
    kv, long = f"{_IDENTITY}{safe(receipt.identity)} {made.kv}", ""
    if any_long(kv):
        kv, long = _long_apart(kv)
    high, low = ranks(receipt.id)
    at = placed_at(began, receipt.received)
    took = "" if began is None or until is None else f'"duration":{clamp(until - began)},'
    return (  # tokens hold nothing that JSON escapes
        f'{start}","_id":"{receipt.id}"}}}}\n{{"kv":"{kv}",{long}{_text(made.text)}{made.facets}{took}'
        f'"placed":{at},"ms":{at // MS},"received":{receipt.received},"tie":{receipt.tie},'
        f'"high":{high},"low":{low},"whole":"'
    ).encode()


def days_of(lines: Sequence[Line | str]) -> list[str]:
    """The days that lines go to, each once, in the order met."""
    return list(dict.fromkeys([line.day for line in lines if not isinstance(line, str)]))


def parts(lines: Sequence[Line], most: int) -> Iterable[slice]:
    """The lines in parts of at most so many bytes, but for a line that is longer alone."""
    start = size = 0
    for place, line in enumerate(lines):
        if size and size + len(line.data) > most:
            yield slice(start, place)
            start, size = place, 0
        size += len(line.data)
    if start < len(lines):
        yield slice(start, len(lines))
