"""Records taken from Kafka and not yet confirmed: to the drain they are an inbox."""

from __future__ import annotations

import hashlib
import logging
import threading
import time
import uuid
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, Final

import msgspec
from django.db import Error, transaction

from timeline import records
from timeline.errors import QueueUnavailable, Rejected
from timeline.inbox.dirty import Touched
from timeline.inbox.inbox import Claimed, Entry
from timeline.ingest.decode import inspect
from timeline.ingest.request import Accepted, BadItem, Signal
from timeline.models import Consumed
from timeline.redaction.requests import redacted
from timeline.redaction.rules import Redaction

log = logging.getLogger(__name__)
Place = tuple[str, int]  # topic, partition


class Taken(msgspec.Struct, kw_only=True):
    """One record as a request, and what its sender would have been told had it a sender."""

    place: Place
    offset: int
    request: Accepted
    items: int
    refused: tuple[BadItem, ...] = ()
    attempts: int = 0


def taken(
    signal: Signal,
    place: Place,
    offset: int,
    at: int,
    value: bytes,
    *,
    cluster: str,
    redaction: Redaction | None = None,
) -> Taken:
    """A record of the Collector's Kafka exporter (``otlp_proto`` or ``otlp_json``) as a request.

    ``at`` is the record's time (ns). The same record always makes the same request, so what was
    stored before a crash is recognised as its own. With rules of ``redaction`` nothing that could not be
    read is kept.
    """
    name = f"{cluster}/{place[0]}/{place[1]}/{offset}/{at}"
    json = value.lstrip()[:1] == b"{"  # no protobuf message of OTLP begins so
    request = Accepted(
        id=hashlib.sha256(name.encode()).hexdigest()[:32],
        signal=signal,
        content_encoding="",
        headers={"content-type": "application/json" if json else "application/x-protobuf"},
        body=value,
        received=at,
        sender=f"kafka {place[0]}"[:100],
        items=1,
    )
    try:
        found = inspect(request)
    except Rejected:
        if redaction is not None:
            request = msgspec.structs.replace(request, headers={"content-type": _NOT_KEPT}, body=b"")
        return Taken(place=place, offset=offset, request=request, items=1)  # the drain sets it aside
    kept, refused = found.items - len(found.refused), found.refused
    if redaction is not None:
        request = redacted(request, redaction)
        refused = tuple(msgspec.structs.replace(item, data=b"") for item in refused)
    return Taken(
        place=place,
        offset=offset,
        request=msgspec.structs.replace(request, items=kept),
        items=found.items,
        refused=refused,
    )


_NOT_KEPT: Final = "not kept: no OTLP, and redaction rules are in force"


class Hand:
    """Holds what was taken until all of it is stored, accounted for and committed.

    Offers what the drain asks of an inbox: ``claim``, ``release``, ``give_back``. ``commit`` gets
    the next offset of each partition, ``touch`` the entities whose summaries are out of date.

    What is claimed is noted in the database first: a record that ends its process is known by the
    next one, which claims ever fewer of those that were in hand, in the end one, and the drain
    sets that aside.
    """

    divisible = False  # offsets are committed in order

    def __init__(
        self,
        group: str,
        *,
        commit: Callable[[Mapping[Place, int]], None],
        touch: Callable[[Iterable[Touched]], None],
    ) -> None:
        self._group = group
        self._commit = commit
        self._touch = touch
        self._lock = threading.Lock()  # the heartbeat looks in
        self._held: list[Taken] = []
        self._claimed: list[Taken] = []
        self._next: dict[Place, int] = {}
        self._suspects: dict[Place, tuple[int, int, int]] = {}  # first and last offset, attempts
        self._unknown: set[Place] = set()  # whose suspects are still to be read
        self._last: dict[Place, int] = {}  # when the last confirmed record was written, ns

    def put(self, found: Sequence[Taken]) -> None:
        """Hold these, which follow what is held of their partitions."""
        self._mark(found)
        with self._lock:
            self._held.extend(found)

    def assigned(self, nexts: Mapping[Place, int]) -> None:
        """These partitions are ours, from these offsets on."""
        with self._lock:
            self._next.update(nexts)
        self._unknown.update(nexts)
        try:
            self._suspect()
        except QueueUnavailable as error:  # nothing is claimed before the database is back
            log.warning("%s", error)

    def _suspect(self) -> None:
        """Learn what was in hand of partitions that are new to us when a process ended."""
        with _database():
            rows = list(Consumed.objects.filter(group=self._group, attempts__gt=0))
        for place in self._unknown:
            self._suspects.pop(place, None)  # of an earlier time here; others may have stored it since
        for row in rows:
            if (row.topic, row.partition) in self._unknown:
                self._suspects[row.topic, row.partition] = (row.trying, row.up_to, row.attempts)
        self._mark([one for one in self._held if one.place in self._unknown])
        self._unknown.clear()

    def _mark(self, found: Iterable[Taken]) -> None:
        for one in found:
            first, last, attempts = self._suspects.get(one.place, (0, -1, 0))
            if first <= one.offset <= last:
                one.attempts = attempts

    def drop(self, places: Iterable[Place]) -> None:
        """These partitions are another's now: so is what is held of them."""
        gone = set(places)
        self._unknown -= gone
        with self._lock:
            self._held = [one for one in self._held if one.place not in gone]
            for place in gone:
                self._next.pop(place, None)
                self._last.pop(place, None)

    def reached(self, place: Place, offset: int) -> None:
        """A partition holds no record before ``offset`` that was not taken."""
        with self._lock:
            if place in self._next and not any(one.place == place for one in self._held):
                self._next[place] = max(self._next[place], offset)

    def __len__(self) -> int:
        return len(self._held)

    def behind(self, ends: Mapping[Place, int]) -> tuple[int, int | None]:
        """How many records lie between what is confirmed and these ends, and when the oldest was written."""
        with self._lock:
            oldest: dict[Place, int] = {}
            for one in self._held:
                oldest.setdefault(one.place, one.request.received)
            lags = {place: ends.get(place, 0) - offset for place, offset in self._next.items()}
            late = {place: lag for place, lag in lags.items() if lag > 0}
            # what is not even fetched is younger than what was confirmed before it; unknown at first
            times = [oldest.get(place, self._last.get(place, 0)) for place in late]
            return sum(late.values()), min(times, default=None)

    def places(self) -> list[Place]:
        """The partitions that are ours."""
        with self._lock:
            return list(self._next)

    def claim(self, *, items: int = 4000, size: int = 16 << 20) -> tuple[str, list[Claimed]]:
        """The oldest records, up to so many items and bytes; ever fewer of those that failed before.

        Raises ``QueueUnavailable`` where the database is away.
        """
        self._claimed = []
        if self._unknown and self._held:
            self._suspect()
        total = weight = 0
        for one in self._held:
            total += one.items
            weight += len(one.request.body)
            room = items >> 3 * min(one.attempts, 4)  # 4,000, 500, 62, 7, and then alone
            other = self._claimed and one.attempts != self._claimed[0].attempts
            if self._claimed and (other or total > room or weight > size):
                break
            self._claimed.append(one)
        if self._claimed:
            self._note(self._claimed)
        return uuid.uuid4().hex, [
            Claimed(request=one.request, attempts=one.attempts) for one in self._claimed
        ]

    def give_back(self, lease: str, *, attempted: bool = False, wait: int = 0) -> None:
        """Keep them for the next try."""
        for one in self._claimed:
            one.attempts += attempted

    def survived(self, lease: str) -> None:
        """These have harmed nobody: whatever ends the process from here on is not their doing."""
        for one in self._claimed:
            one.attempts = 0
        places = {one.place for one in self._claimed}
        with _database():
            for topic, partition in sorted(places):
                Consumed.objects.filter(group=self._group, topic=topic, partition=partition).update(
                    attempts=0
                )

    def _note(self, claimed: Sequence[Taken]) -> None:
        """Say in the database what is in hand, before anything of it is looked at."""
        by_place: dict[Place, list[Taken]] = defaultdict(list)
        for one in claimed:
            by_place[one.place].append(one)
        with _database():
            for (topic, partition), found in sorted(by_place.items()):
                state = {
                    "trying": found[0].offset,
                    "up_to": found[-1].offset,
                    "attempts": found[0].attempts + 1,
                }
                Consumed.objects.update_or_create(
                    group=self._group, topic=topic, partition=partition, defaults=state
                )

    def release(
        self, lease: str, outcome: Mapping[str, Sequence[Entry]], *, dirty: Iterable[Touched] = ()
    ) -> int:
        """Account for what was claimed, then commit it; raises ``QueueUnavailable``."""
        done = self._claimed
        records.keep(
            kept=[
                records.Kept(one.request, item, 1, replayable=False) for one in done for item in one.refused
            ],
            again=[],
            partly=[],
            new=[],
        )
        self._account(done, outcome)
        self._touch(dirty)
        nexts = {one.place: one.offset + 1 for one in done}
        self._commit(nexts)
        with self._lock:
            self._held = self._held[len(done) :]
            self._next.update(nexts)
            self._last.update({one.place: one.request.received for one in done})
        return len(done)

    def _account(self, done: Sequence[Taken], outcome: Mapping[str, Sequence[Entry]]) -> None:
        """Each record once, however often it is consumed: a row per partition knows how far it counted."""
        by_place: dict[Place, list[Taken]] = defaultdict(list)
        for one in done:
            by_place[one.place].append(one)
        with _database():
            for (topic, partition), found in sorted(by_place.items()):
                key: dict[str, Any] = {"group": self._group, "topic": topic, "partition": partition}
                Consumed.objects.get_or_create(**key)
                row = Consumed.objects.select_for_update().get(**key)
                new = [one for one in found if one.offset >= row.next]
                if new:
                    entries = [entry for one in new for entry in (*_entries(one), *outcome[one.request.id])]
                    row.tally = _added(row.tally, entries)
                    row.next = new[-1].offset + 1
                row.attempts = 0
                row.save()


@contextmanager
def _database() -> Iterator[None]:
    """One transaction; raises ``QueueUnavailable`` where the database is away."""
    try:
        with transaction.atomic():
            yield
    except Error as error:
        raise _away(error) from error


def _away(error: Error) -> QueueUnavailable:
    return QueueUnavailable(f"the database did not answer: {error}", remedy="it is tried again by itself")


def _entries(one: Taken) -> list[Entry]:
    sender = one.request.sender
    reasons = Counter(item.reason for item in one.refused)
    return [
        Entry(sender=sender, what="received", items=one.items),
        *(Entry(sender=sender, what="quarantined", items=n, reason=why) for why, n in reasons.items()),
    ]


def _added(tally: list[dict[str, Any]], entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The accounting with these entries, one line per sender, kind and reason."""
    lines = {(line["sender"], line["what"], line["reason"]): dict(line) for line in tally}
    for entry in entries:
        key = (entry.sender, entry.what, entry.reason)
        known = lines.setdefault(
            key,
            {"sender": entry.sender, "what": entry.what, "reason": entry.reason, "items": 0, "requests": 0},
        )
        known["items"] += entry.items
        known["requests"] += 1
        known["last"] = time.time_ns()
    return list(lines.values())
