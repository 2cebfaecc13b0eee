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
from typing import Final

from timeline.errors import StoreUnavailable, ThroughlineError
from timeline.storable import Storable
from timeline.store.codec import Packer
from timeline.store.elasticsearch import mapping
from timeline.store.elasticsearch.batch import BULK_BYTES, STORED, UNDER_WAY, Answer, Batch, Known
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
            batch = Batch(self, facts)
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

    def send(self, lines: Sequence[Line]) -> list[Answer]:
        """Store these lines durably; one answer for each, in order."""
        answers: list[Answer] = [STORED] * len(lines)
        waiting = [(part, self.submit(lines[part])) for part in parts(lines, BULK_BYTES)]
        for part, future in waiting:
            answers[part] = future.result()
        return answers

    def submit(self, lines: Sequence[Line]) -> Future[list[Answer]]:
        """As ``send``, for one bulk, without waiting."""
        return self._threads.submit(self._store, lines)

    def _store(self, lines: Sequence[Line]) -> list[Answer]:
        """One bulk, again and again until each item has a lasting answer, within ``PATIENCE``.

        Items of a day that is away are given up after ``LOST``, and are answered as waiting.
        """
        with self._turn:
            self._touched.update(days_of(lines))
        answers: list[Answer | None] = [None] * len(lines)
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
                        answers[place] = Answer(waits=why)
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
        self, lines: list[Line], places: list[int], answers: list[Answer | None]
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
        statuses = [item["create"]["status"] for item in items]
        if statuses.count(201) == len(statuses) == len(lines):  # as nearly always
            for place in places:
                answers[place] = STORED
            return None, {}
        for line, place, item in zip(lines, places, items, strict=True):
            result = item["create"]
            status = result["status"]
            if status == 201:
                answers[place] = STORED
            elif status == 409:
                answers[place] = Answer(there=True)
            elif status in (400, 413) and result.get("error", {}).get("type") in _HOPELESS:
                error_ = result["error"]
                answers[place] = Answer(reason=f"the cluster cannot keep it: {str(error_['reason'])[:300]}")
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

    def known(self, ids: Sequence[str]) -> dict[str, Known]:
        """What is stored under these ids, in any workspace, and not only what was visible."""
        self.refresh_days(self._days.of(fact_id) for fact_id in ids)
        found = self._fetch.by_ids(ids, workspace=None)
        return {
            stored.receipt.id: Known(stored.receipt.content, stored.receipt.request, stored.receipt.partial)
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
