"""Giving disk back: the engine frees a segment only when nothing in it is alive.

After an expiry, segments that are largely dead are emptied by writing what still lives in
them anew, a part at a time; each part moves in one commit, so a reader or a crash sees
every fact exactly once.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

import msgspec
import tantivy

from timeline.domain import Stored
from timeline.store.tantivy import folder
from timeline.store.tantivy.reader import Reader, State

DEAD_SHARE: Final = 0.25  # of a segment; below this its merges will do
PART: Final = 5_000  # facts moved at a time; writers wait that long


class _Deletes(msgspec.Struct):
    num_deleted_docs: int


class _Segment(msgspec.Struct):
    segment_id: str
    max_doc: int
    deletes: _Deletes | None = None

    @property
    def dead(self) -> int:
        return self.deletes.num_deleted_docs if self.deletes else 0


class _Meta(msgspec.Struct):
    segments: list[_Segment]


def _segments(path: Path) -> list[_Segment]:
    return msgspec.json.decode((path / folder.META).read_bytes(), type=_Meta).segments


def _place(path: Path, segment_id: str) -> int | None:
    """Where a segment stands among those that a searcher opens, in the order of the meta file."""
    for place, segment in enumerate(_segments(path)):
        if segment.segment_id == segment_id:
            return place
    return None


def _living(state: State, place: int, start: int, end: int) -> list[Stored]:
    found = {}
    for number in range(start, end):
        address = tantivy.DocAddress(place, number)
        stored = state.fact(address)
        found[stored.receipt.id] = (place, number)
    return [
        stored
        for stored, at in state.addressed(found)
        if (at.segment_ord, at.doc) == found[stored.receipt.id]
    ]


def wasteful(path: Path) -> set[str]:
    """The segments that are largely dead."""
    return {segment.segment_id for segment in _segments(path) if segment.dead > DEAD_SHARE * segment.max_doc}


def parts(path: Path, reader: Reader, doomed: set[str]) -> Iterator[list[Stored]]:
    """What to write anew of these segments, part by part; the caller moves each before it asks for the next."""
    for segment in _segments(path):
        if segment.segment_id not in doomed:
            continue
        for start in range(0, segment.max_doc, PART):
            state = reader.state()
            place = _place(path, segment.segment_id)
            if place is None or state.searcher.num_segments <= place:
                break  # merged or emptied meanwhile
            facts = _living(state, place, start, min(start + PART, segment.max_doc))
            if facts:
                yield facts


def left_over(path: Path) -> bool:
    """Whether there are files of segments that are no part of the index (any more, or yet)."""
    known = {segment.segment_id.replace("-", "") for segment in _segments(path)}
    return any(len(file.stem) == 32 and file.stem not in known for file in path.iterdir())
