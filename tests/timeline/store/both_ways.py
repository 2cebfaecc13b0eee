"""Facts of the native decoder beside those of the way written in Python."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import Any

from tests.timeline.store.memory import Memory
from timeline.domain import Stored
from timeline.ingest.request import Decoded
from timeline.storable import Storable, id_of, maker_of, names_of, runs
from timeline.store import fields
from timeline.store.codec import Codec, Packer
from timeline.store.elasticsearch import document
from timeline.store.tantivy import schema


def alike(ours: Decoded, theirs: Decoded) -> int:
    """Fails where the second differs from the first in anything; returns how many went the native way."""
    assert [bad.reason for bad in ours.poison] == [bad.reason for bad in theirs.poison]
    assert len(ours.facts) == len(theirs.facts)
    for one, other in zip(ours.facts, theirs.facts, strict=True):
        assert one.receipt == other.receipt
        mine, found = fields.draft(one), fields.draft(other)
        assert mine == (found if isinstance(found, str) else found._replace(stored=one))
        assert one.fact == other.fact
        assert id_of(one) == id_of(other)
        assert (names_of(one), maker_of(one)) == (names_of(other), maker_of(other))
    assert _summed(ours.facts) == _summed(theirs.facts)
    _same_documents(ours.facts, theirs.facts)
    return sum(not isinstance(one, Stored) for one in theirs.facts)


def _same_documents(ours: Sequence[Storable], theirs: Sequence[Storable]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        mine, found = schema.draft(one), schema.draft(other)
        if isinstance(mine, fields.Draft) and isinstance(found, fields.Draft):
            assert schema.document(mine, b"") == schema.document(found, b"")
    for line, native in zip(_lines(ours), _lines(theirs), strict=True):
        if isinstance(line, str) or isinstance(native, str):
            assert line == native  # the refusal
        else:
            assert (line.day, line.data) == (native.day, native.data)


def _lines(facts: Sequence[Storable]) -> list[document.Line | str]:
    """Their lines for the cluster, without a dictionary."""
    return [
        line
        for start in range(0, len(facts), 100)
        for line in document.prepare(facts[start : start + 100], "x", _packer())
    ]


def _packer() -> Packer:
    packer = Packer(Codec(Memory()))
    packer.start()
    return packer


def _summed(facts: list[Storable]) -> list[Any]:
    """What is recorded of facts, maker by maker."""
    found: list[Any] = []
    for maker, some in groupby(runs(facts), lambda run: maker_of(run.first)):
        every = list(some)
        names = dict.fromkeys(name for run in every for name in run.names)
        ends = [run.until for run in every if run.until is not None]
        sampled = any(run.sampled for run in every)
        found.append((maker, sum(run.size for run in every), max(ends, default=None), sampled, [*names]))
    return found
