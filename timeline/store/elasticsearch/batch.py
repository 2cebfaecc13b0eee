"""The facts of one write: sent once each, in bulks that leave as soon as they are full; then repeats and
variants are told from what was there.

In: facts in the order they came. Out: what became of each. Not here: how a bulk is sent and asked again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future
from typing import Final, NamedTuple, Protocol

from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.ingest.identity import variant_id
from timeline.storable import Storable, id_of
from timeline.store.elasticsearch.document import Line, days_of, parts
from timeline.store.port import ItemReport

BULK_BYTES: Final = 3_000_000
UNDER_WAY: Final = 2  # bulks of one process at a time
MADE_TOGETHER: Final = 500  # facts: a quarter of a bulk, usually
PIECE: Final = 1_000_000  # bytes that a bulk grows by


class Known(NamedTuple):
    """What is remembered of a fact: enough to tell a repeat from a variant."""

    content: str
    request: str
    partial: bool


class Answer(NamedTuple):
    """What became of one line: stored, there already, refused with a reason, or waiting for its day."""

    there: bool = False
    reason: str = ""
    waits: StoreUnavailable | None = None


STORED: Final = Answer()


class Sender(Protocol):
    """What sends bulks."""

    def lines(self, facts: Iterable[Storable]) -> list[Line | str]:
        """The lines of facts, in order; for one that is refused, why."""

    def away(self, day: str) -> StoreUnavailable | None:
        """Why a day cannot be written to, where that was so a moment ago."""

    def submit(self, lines: Sequence[Line]) -> Future[list[Answer]]:
        """Send one bulk; one answer for each line, in order."""

    def send(self, lines: Sequence[Line]) -> list[Answer]:
        """Send any number of lines and wait."""

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        """What is stored under these ids."""


class Batch:
    """The facts of one write, and what became of them."""

    def __init__(self, writer: Sender, facts: Sequence[Storable]) -> None:
        self._writer, self._facts = writer, facts
        self._ids = [id_of(stored) for stored in facts]
        self._reports: list[ItemReport | None] = [None] * len(facts)
        self._known: dict[str, Known] = {}
        self.waits: StoreUnavailable | None = None  # why some facts have no report

    def run(self) -> list[ItemReport | None]:
        """Store what is new first, then settle repeats and variants in the order they came."""
        waiting = list(range(len(self._facts)))
        while waiting:
            waiting = self._settle(self._first(waiting))
        return self._reports

    def _first(self, waiting: list[int]) -> list[int]:
        """Send the first fact of each id; returns the places that are still open, in order.

        A bulk leaves as soon as it is full, so the cluster works while the next is built.
        """
        news, later = self._told_apart(waiting)
        wanted = {self._ids[place] for place in later}
        bulks: list[tuple[list[int], list[Line], Future[list[Answer]]]] = []
        places: list[int] = []
        lines: list[Line] = []
        size = 0
        for placed, made in self._pieces(news):
            places += placed
            lines += made
            size += sum([len(line.data) for line in made])
            if size >= BULK_BYTES:
                if len(bulks) >= UNDER_WAY:
                    bulks[-UNDER_WAY][2].result()  # let the cluster catch up
                bulks.append((places, lines, self._writer.submit(lines)))
                places, lines, size = [], [], 0
        if lines:
            bulks.append((places, lines, self._writer.submit(lines)))
        there = [place for sent in bulks for place in self._note(sent[0], sent[1], sent[2].result(), wanted)]
        if there:
            self._known |= self._writer.known([self._ids[place] for place in there])
        return sorted(there + later)

    def _pieces(self, news: list[int]) -> Iterator[tuple[list[int], list[Line]]]:
        """The lines that can be sent, with their places; heavier than ``PIECE`` only where one line is."""
        for start in range(0, len(news), MADE_TOGETHER):
            taken = self._taken(news[start : start + MADE_TOGETHER])
            places, lines = [place for place, _ in taken], [line for _, line in taken]
            whole = sum([len(line.data) for line in lines]) <= PIECE
            for part in [slice(None)] if whole else parts(lines, PIECE):
                yield places[part], lines[part]

    def _told_apart(self, waiting: list[int]) -> tuple[list[int], list[int]]:
        """The first place of each id that is not known, and the other places."""
        ids = [self._ids[place] for place in waiting]
        if not self._known and len(set(ids)) == len(ids):
            return waiting, []
        news: dict[str, int] = {}
        later: list[int] = []
        for place, fact_id in zip(waiting, ids, strict=True):
            if fact_id in self._known or news.setdefault(fact_id, place) != place:
                later.append(place)
        return list(news.values()), later

    def _taken(self, places: list[int]) -> list[tuple[int, Line]]:
        """The lines of facts that can be sent now; the others are refused, or wait for their day."""
        lines = self._writer.lines([self._facts[place] for place in places])
        away = {day: why for day in days_of(lines) if (why := self._writer.away(day)) is not None}
        taken: list[tuple[int, Line]] = []
        for place, line in zip(places, lines, strict=True):
            if isinstance(line, str):
                self._refuse(place, line)
            elif away and line.day in away:
                self.waits = away[line.day]
            else:
                taken.append((place, line))
        return taken

    def _note(
        self, places: list[int], lines: list[Line], answers: list[Answer], wanted: set[str]
    ) -> list[int]:
        """Reports for what was stored or refused; returns the places of what was there. What is stored under an
        id that is ``wanted`` is remembered."""
        there = []
        for place, line, answer in zip(places, lines, answers, strict=True):
            if answer is STORED:
                fact_id, stored = self._ids[place], line.stored
                partial = isinstance(stored, Stored) and stored.receipt.partial  # else it went the other way
                self._reports[place] = ItemReport(id=fact_id, outcome="stored", partial=partial)
                if wanted and fact_id in wanted:
                    self._remember(stored)
            elif answer.there:
                there.append(place)
            elif answer.reason:
                self._refuse(place, answer.reason)
            else:
                self.waits = answer.waits
        return there

    def _settle(self, open_: list[int]) -> list[int]:
        """Repeats and variants of what is known by now; returns what must be sent as if new."""
        again: list[int] = []
        sending: dict[str, tuple[int, Line]] = {}
        repeats: list[tuple[int, str]] = []
        for place in open_:
            stored, fact_id = self._facts[place], self._ids[place]
            known = self._known.get(fact_id)
            if known is None:  # the first of its id was refused, or has expired meanwhile
                again.append(place)
            elif known.content == stored.receipt.content:
                repeats.append((place, fact_id))
            else:
                own = variant_id(stored)
                if own not in self._known and own not in sending:
                    (line,) = self._writer.lines([stored.marked(id=own, variant=True)])
                    if isinstance(line, str):
                        self._refuse(place, line)
                        continue
                    sending[own] = (place, line)
                else:
                    repeats.append((place, own))
        repeats += self._send_variants(sending)
        for place, fact_id in repeats:
            known = self._known.get(fact_id)
            if known is None:  # as above, for a variant
                again.append(place)
                continue
            self._reports[place] = ItemReport(
                id=fact_id, outcome="already", request=known.request, partial=known.partial
            )
        return sorted(again)

    def _send_variants(self, sending: dict[str, tuple[int, Line]]) -> list[tuple[int, str]]:
        """Store variants; returns those that were there."""
        if not sending:
            return []
        answers = self._writer.send([line for _, line in sending.values()])
        there: list[tuple[int, str]] = []
        for (own, (place, line)), answer in zip(sending.items(), answers, strict=True):
            if answer.there:
                there.append((place, own))
            elif answer.reason:
                self._refuse(place, answer.reason)
            elif answer.waits is not None:
                self.waits = answer.waits
            else:
                self._remember(line.stored)
                self._reports[place] = ItemReport(
                    id=own, outcome="variant", partial=line.stored.receipt.partial
                )
        if there:
            self._known |= self._writer.known([own for _, own in there])
        return there

    def _remember(self, stored: Storable) -> None:
        receipt = stored.receipt
        self._known[receipt.id] = Known(receipt.content, receipt.request, receipt.partial)

    def _refuse(self, place: int, reason: str) -> None:
        self._reports[place] = ItemReport(id=self._ids[place], outcome="refused", reason=reason)
