"""Facts of the native decoder beside those of the way written in Python."""

from __future__ import annotations

from collections.abc import Sequence

from timeline.domain import Stored
from timeline.ingest.request import Decoded
from timeline.storable import Storable, ended, maker_of, names_of
from timeline.store import fields
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
        assert (names_of(one), maker_of(one), ended(one)) == (names_of(other), maker_of(other), ended(other))
    _same_documents(ours.facts, theirs.facts)
    return sum(not isinstance(one, Stored) for one in theirs.facts)


def _same_documents(ours: Sequence[Storable], theirs: Sequence[Storable]) -> None:
    for one, other in zip(ours, theirs, strict=True):
        mine, found = schema.draft(one), schema.draft(other)
        if isinstance(mine, fields.Draft) and isinstance(found, fields.Draft):
            assert schema.document(mine, b"") == schema.document(found, b"")
    start = '{"create":{"_index":"x-into-'
    for line, native in zip(
        document._drafts(list(ours), start), document._drafts(list(theirs), start), strict=True
    ):
        assert line[1:] == native[1:]  # all but the fact itself; or the refusal
