"""Writing: facts as bulks of a few MB, two under way at a time, each fact once.

Every item is an ``op_type=create`` under the fact's id. What is there already is looked up once
for the whole batch and told from other content; the rest of the port's outcomes follow from
that, in the order the facts came. Nothing is confirmed that the cluster did not confirm.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, NamedTuple

from timeline.errors import StoreUnavailable, ThroughlineError
from timeline.ingest.identity import variant_id
from timeline.storable import Storable
from timeline.store.codec import Packer
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.client import (
    BUSY,
    CLIENT_ERRORS,
    Cluster,
    item_failure,
    pause,
    status_of,
    translate,
)
from timeline.store.elasticsearch.days import Days
from timeline.store.elasticsearch.document import Line, days_of, parts, prepare
from timeline.store.elasticsearch.fetch import Fetch
from timeline.store.elasticsearch.shelf import Standing
from timeline.store.port import ItemReport, PartlyStored

BULK_BYTES: Final = 3_000_000
UNDER_WAY: Final = 2  # bulks of one process at a time
MADE_TOGETHER: Final = 500  # facts: a third of a bulk
PATIENCE: Final = 30.0  # s that a batch waits for a busy cluster
LOST: Final = 3.0  # s that it waits for a day whose shard is away or blocked: other days go on
HELD: Final = 8.0  # s after which such a day is tried again
# a shard that is away is not waited for inside a request: the others' answers would wait with it
ANSWER: Final = {
    "filter_path": "items.*.status,items.*.error.type,items.*.error.reason",
    "timeout": "2s",
    "require_alias": "true",  # never an index of the cluster's own making
}
# what is wrong with the item itself, and will be each time
_HOPELESS: Final = frozenset(
    {
        "mapper_parsing_exception",
        "document_parsing_exception",
        "parsing_exception",
        "illegal_argument_exception",
        "x_content_parse_exception",
        "strict_dynamic_mapping_exception",
        "number_format_exception",
    }
)
_SHUT: Final = frozenset(
    {"cluster_block_exception", "index_closed_exception"}
)  # a whole day, until it is lifted


class _Known(NamedTuple):
    """What is remembered of a fact: enough to tell a repeat from a variant."""

    content: str
    request: str
    partial: bool


class _Answer(NamedTuple):
    """What became of one line: stored, there already, refused with a reason, or waiting for its day."""

    there: bool = False
    reason: str = ""
    waits: StoreUnavailable | None = None


_STORED: Final = _Answer()


class Writer:
    """Writes to one cluster; safe for use by several threads."""

    def __init__(
        self, cluster: Cluster, packer: Packer, fetch: Fetch, days: Days, standing: Standing
    ) -> None:
        self._cluster, self._packer, self._fetch, self._days = cluster, packer, fetch, days
        self._threads = ThreadPoolExecutor(UNDER_WAY, thread_name_prefix="throughline-bulk")
        self._turn = threading.Condition()
        self._running = 0
        self._closed = False
        self._away: dict[str, tuple[float, StoreUnavailable]] = {}  # days, until when, and why
        self._touched: set[str] = set()  # days written and not refreshed by us since
        self._standing = standing

    def write(self, facts: Sequence[Storable], *, visible: bool) -> list[ItemReport]:
        """One outcome per fact, in order, once all are durable."""
        with self._turn:
            if self._closed:
                raise StoreUnavailable("the store was closed", remedy="write after the restart")
            self._running += 1
        try:
            if not facts:
                return []
            self._packer.start()
            mark = self._standing.begin(self._packer)
            batch = _Batch(self, facts)
            reports = batch.run()
            self._standing.confirm(mark)
            if batch.waits is not None:
                raise PartlyStored(batch.waits, reports)
            if visible:
                self.refresh()
            return [report for report in reports if report is not None]
        finally:
            with self._turn:
                self._running -= 1
                self._turn.notify_all()

    def lines(self, facts: Iterable[Storable]) -> list[Line | str]:
        """The lines of facts, in order; for one that is refused, why."""
        lines = prepare(facts, self._cluster.prefix, self._packer)
        refused = {day: why for day in days_of(lines) if (why := self._days.refusal(day))}
        if not refused:
            return lines
        return [line if isinstance(line, str) else refused.get(line.day, line) for line in lines]

    def away(self, day: str) -> StoreUnavailable | None:
        """Why a day cannot be written to, where that was so a moment ago."""
        if day not in self._away:
            return None
        until, why = self._away[day]
        return why if time.monotonic() < until else None

    def refresh(self) -> None:
        """Let searches see what this process has written."""
        with self._turn:
            days, self._touched = self._touched, set()
        if not days:
            return
        try:
            self.refresh_days(days)
        except StoreUnavailable:
            with self._turn:
                self._touched |= days
            raise

    def refresh_days(self, days: Iterable[str]) -> None:
        """Let searches see all that was written to these days."""
        names = ",".join(sorted(mapping.facts_index(self._cluster.prefix, day) for day in set(days)))
        answer = self._cluster.ask(
            "POST", f"/{names}/_refresh", params={"ignore_unavailable": "true"}, doing="making facts visible"
        )
        if answer["_shards"]["failed"]:
            raise StoreUnavailable("some shards could not make facts visible", remedy="try again")

    def send(self, lines: Sequence[Line]) -> list[_Answer]:
        """Store these lines durably; one answer for each, in order."""
        answers: list[_Answer] = [_STORED] * len(lines)
        waiting = [(part, self.submit(lines[part])) for part in parts(lines, BULK_BYTES)]
        for part, future in waiting:
            answers[part] = future.result()
        return answers

    def submit(self, lines: Sequence[Line]) -> Future[list[_Answer]]:
        """As ``send``, for one bulk, without waiting."""
        return self._threads.submit(self._store, lines)

    def _store(self, lines: Sequence[Line]) -> list[_Answer]:
        """One bulk, again and again until each item has a lasting answer, within ``PATIENCE``.

        Items of a day that is away are given up after ``LOST``, and are answered as waiting.
        """
        with self._turn:
            self._touched.update(days_of(lines))
        answers: list[_Answer | None] = [None] * len(lines)
        missing = list(range(len(lines)))
        began, failures, size = time.monotonic(), 0, len(lines)
        while missing:
            part = missing[:size]
            sent = [lines[place] for place in part]
            for day in sorted(days_of(sent)):
                self._days.open(day)
            failure, away = self._once(sent, part, answers)
            if away and time.monotonic() - began > LOST:
                for place in missing:
                    if (why := away.get(lines[place].day)) and answers[place] is None:
                        answers[place] = _Answer(waits=why)
                self._away |= {day: (time.monotonic() + HELD, why) for day, why in away.items()}
            left = [place for place in missing if answers[place] is None]
            moved, missing = len(left) < len(missing), left
            if failure is None:
                # what it takes again it is given again, or one refusal would slow all that follow
                failures, size = 0, min(len(lines), size * 2)
                continue
            failures = 1 if moved else failures + 1
            size = max(1, size // 2)
            wait = pause(failures)
            if time.monotonic() + wait > began + PATIENCE:
                raise failure
            time.sleep(wait)
        return [answer for answer in answers if answer is not None]

    def _once(
        self, lines: list[Line], places: list[int], answers: list[_Answer | None]
    ) -> tuple[ThroughlineError | None, dict[str, StoreUnavailable]]:
        """Send a bulk and note what is settled; what may pass is returned: a failure, and days that are away."""
        body = b"".join([line.data for line in lines])
        doing = f"storing {len(lines)} facts"
        try:
            items = self._cluster.once("POST", "/_bulk", body, params=ANSWER, lines=True)["items"]
        except CLIENT_ERRORS as error:
            failure = translate(error, doing)
            if status_of(error) in BUSY or (status_of(error) == 413 and len(lines) > 1):
                failure.__cause__ = error
                return failure, {}
            raise failure from error
        failed: ThroughlineError | None = None
        away: dict[str, StoreUnavailable] = {}
        if (
            [item["create"]["status"] for item in items].count(201) == len(items) == len(lines)
        ):  # as nearly always
            for place in places:
                answers[place] = _STORED
            return None, {}
        for line, place, item in zip(lines, places, items, strict=True):
            result = item["create"]
            status = result["status"]
            if status == 201:
                answers[place] = _STORED
            elif status == 409:
                answers[place] = _Answer(there=True)
            elif status in (400, 413) and result.get("error", {}).get("type") in _HOPELESS:
                error_ = result["error"]
                answers[place] = _Answer(reason=f"the cluster cannot keep it: {str(error_['reason'])[:300]}")
            else:
                if status == 404:
                    self._days.gone(line.day)
                failed = item_failure(result, doing)
                if status == 503 or result.get("error", {}).get("type") in _SHUT:
                    away[line.day] = failed
        if away:  # of a day that takes some of its facts the others only wait their turn
            for line, item in zip(lines, items, strict=True):
                if item["create"]["status"] in (201, 409):
                    away.pop(line.day, None)
        return failed, away

    def known(self, ids: Sequence[str]) -> dict[str, _Known]:
        """What is stored under these ids, in any workspace, and not only what was visible."""
        self.refresh_days(self._days.of(fact_id) for fact_id in ids)
        found = self._fetch.by_ids(ids, workspace=None)
        return {
            stored.receipt.id: _Known(stored.receipt.content, stored.receipt.request, stored.receipt.partial)
            for stored in found.values()
        }

    def close(self) -> None:
        """Wait for what is being written and let others see it."""
        with self._turn:
            self._closed = True
            while self._running:
                self._turn.wait()
        self._threads.shutdown()
        self.refresh()


class _Batch:
    """The facts of one write, and what became of them."""

    def __init__(self, writer: Writer, facts: Sequence[Storable]) -> None:
        self._writer, self._facts = writer, facts
        self._reports: list[ItemReport | None] = [None] * len(facts)
        self._known: dict[str, _Known] = {}
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
        wanted = {self._facts[place].id for place in later}
        bulks: list[tuple[list[int], list[Line], Future[list[_Answer]]]] = []
        places: list[int] = []
        lines: list[Line] = []
        size = 0
        for start in range(0, len(news), MADE_TOGETHER):
            part = self._taken(news[start : start + MADE_TOGETHER])
            places += [place for place, _ in part]
            made = [line for _, line in part]
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
            self._known |= self._writer.known([self._facts[place].id for place in there])
        return sorted(there + later)

    def _told_apart(self, waiting: list[int]) -> tuple[list[int], list[int]]:
        """The first place of each id that is not known, and the other places."""
        ids = [self._facts[place].id for place in waiting]
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
        self, places: list[int], lines: list[Line], answers: list[_Answer], wanted: set[str]
    ) -> list[int]:
        """Reports for what was stored or refused; returns the places of what was there. What is stored under an
        id that is ``wanted`` is remembered."""
        there = []
        for place, line, answer in zip(places, lines, answers, strict=True):
            if answer is _STORED:
                stored = line.stored
                self._reports[place] = ItemReport(id=stored.id, outcome="stored", partial=stored.partial)
                if wanted and stored.id in wanted:
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
            stored = self._facts[place]
            known = self._known.get(stored.receipt.id)
            if known is None:  # the first of its id was refused, or has expired meanwhile
                again.append(place)
            elif known.content == stored.receipt.content:
                repeats.append((place, stored.receipt.id))
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
                self._reports[place] = ItemReport(id=own, outcome="variant", partial=line.stored.partial)
        if there:
            self._known |= self._writer.known([own for _, own in there])
        return there

    def _remember(self, stored: Storable) -> None:
        receipt = stored.receipt
        self._known[receipt.id] = _Known(receipt.content, receipt.request, receipt.partial)

    def _refuse(self, place: int, reason: str) -> None:
        self._reports[place] = ItemReport(id=self._facts[place].id, outcome="refused", reason=reason)
