"""What one consumer did with one message: the spans that took, handled and settled it."""

from __future__ import annotations

from bisect import bisect_right

import msgspec

from timeline.domain import Span
from timeline.rebuild.facts import Known
from timeline.rebuild.family import Family
from timeline.rebuild.mentions import JoinedBy, Mention
from timeline.rebuild.publications import Publication


class Take(msgspec.Struct, gc=False):
    """One consuming span taking one message."""

    known: Known
    mention: Mention
    by: JoinedBy


class Attempt(msgspec.Struct, gc=False):
    """One try: the takes of one delivery."""

    receive: Take | None = None
    process: Take | None = None
    settle: Take | None = None


class Taken(msgspec.Struct, gc=False):
    """Everything one consumer did with one message."""

    publication: Publication
    key: str
    group: str | None
    destination: str | None
    receives: list[Take] = []
    processes: list[Take] = []
    settles: list[Take] = []


class Receives:
    """The receive spans of one delivery, found without looking at each."""

    def __init__(self, takes: list[Take]) -> None:
        self.takes = sorted(takes, key=lambda take: take.known.index)
        self.places = [take.known.index for take in self.takes]
        self.by_index = {take.known.index: take for take in self.takes}
        self.by_ref = {take.known.ref: take for take in reversed(self.takes)}

    def of(self, process: Take | None, family: Family) -> Take | None:
        """The one around or linked from the handling, else the last before it."""
        if process is None or not self.takes:
            return None
        known = process.known
        for ancestor in family.ancestors(known.index, 8):
            if ancestor in self.by_index:
                return self.by_index[ancestor]
        for link in known.fact.links if isinstance(known.fact, Span) else ():
            linked = self.by_ref.get((link.ref.trace_id, link.ref.span_id))
            if linked is not None:
                return linked
        return self.takes[max(0, bisect_right(self.places, known.index) - 1)]
