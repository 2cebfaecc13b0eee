"""Follows topics without a group: partitions are assigned by hand, and nothing is ever committed.

What was read is accepted first and its position noted after that. Ended between the two, it is read again and
recognised, since a record is identified by where it lies.
"""

from __future__ import annotations

import logging
import re
import secrets
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
from confluent_kafka import (
    TIMESTAMP_NOT_AVAILABLE,
    Consumer,
    KafkaError,
    KafkaException,
    Message,
    TopicPartition,
)
from confluent_kafka.admin import AdminClient
from django.db import Error, close_old_connections

from timeline import records
from timeline.broker.ends import ends
from timeline.broker.tap.positions import Place, Positions
from timeline.broker.tap.reading import Raw, record_of
from timeline.broker.tap.rules import TopicRules
from timeline.errors import QueueUnavailable, Unavailable
from timeline.inbox.inbox import Entry, Inbox
from timeline.inbox.room import wait_for_room
from timeline.ingest.request import Accepted, digest_of
from timeline.ingest.tapped import MEDIA, Record, Records, encode
from timeline.redaction.requests import redacted_record
from timeline.redaction.rules import Redaction

log = logging.getLogger(__name__)
ROWS: Final = 1_000  # records of one poll, and of one request
BYTES: Final = 8 << 20  # of records in one poll, about
SECONDS: Final = 0.5  # of one poll
_LOOK: Final = 30.0  # s between looks for new topics and partitions
_ASK: Final = 10.0  # s for an answer about them
OURS: Final = {
    # the client wants a name; nobody joins under it, and it never appears on the cluster
    "group.id": "throughline-tap",
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "error",  # what is gone is told, never skipped in silence
    "isolation.level": "read_committed",
    "allow.auto.create.topics": False,
    "fetch.max.bytes": BYTES,
    "queued.max.messages.kbytes": 32 << 10,
}
Start = str | int  # earliest, latest, or ns UTC


class Tap:
    """One tap of one cluster; ``run`` returns after ``stop``.

    ``config`` is librdkafka's; ``topics`` are names, or patterns that begin with ``^``. ``start`` says where
    partitions begin of a topic that was never followed. ``redaction`` gives the rules in force.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topics: Sequence[str],
        rules: TopicRules,
        inbox: Inbox,
        folder: Path,
        *,
        start: Start = "latest",
        redaction: Callable[[], Redaction | None] = lambda: None,
    ) -> None:
        self._names = [name for name in topics if not name.startswith("^")]
        self._patterns = {name: re.compile(name) for name in topics if name.startswith("^")}
        self._rules, self._inbox, self._folder, self._start = rules, inbox, folder, start
        self._redaction = redaction
        self._consumer = Consumer({**config, **OURS}, logger=log)
        self._positions = Positions(folder)
        self._cluster = ""
        self._next: dict[Place, int] = {}
        self._unread: set[Place] = set()  # that could not be asked where they begin
        self._gone: set[Place] = set()  # where what comes next was deleted
        self._goal: dict[Place, int] = {}  # where each ended when it was first asked
        self._eof: dict[Place, int] = {}  # ends that were met behind what is in hand
        self._heard: dict[Place, int] = {}  # up to when (ns) all of a partition was read
        self._admin = AdminClient({**config}, logger=log)
        self._looked = 0.0
        self._stop_asked = threading.Event()
        self._told: set[str] = set()
        self.records = 0  # accepted in this run
        self.lost = 0  # that were gone before they were read

    def stop(self) -> None:
        """Accept what is in hand, note it, then end."""
        self._stop_asked.set()

    def run(self, *, until_caught_up: bool = False) -> None:
        """Follow until asked to stop, or until every partition was read to where it ended when it was first asked."""
        try:
            while not self._stop_asked.is_set():
                try:
                    self._look()
                    self._take(self._polled())
                    self._skip()
                    if until_caught_up and self._caught_up():
                        return
                except Unavailable as error:
                    self._say(f"what was read waits: {error}")
                    self._again()
        finally:
            self._consumer.close()
            self._positions.close()

    def _caught_up(self) -> bool:
        if not self._next or self._unread:
            return False
        if new := self._next.keys() - self._goal.keys():
            self._goal |= ends(self._admin, new)
        return all(self._next[place] >= end for place, end in self._goal.items())

    def behind(self) -> dict[Place, int]:
        """Records of each partition that were not read, as the cluster says now; raises ``QueueUnavailable``."""
        nexts = dict(self._next)
        return {place: max(end - nexts[place], 0) for place, end in ends(self._admin, nexts).items()}

    def state(self) -> dict[str, Any]:
        """What lies in Kafka and not yet in the inbox, for the heartbeat; raises ``QueueUnavailable``."""
        if self._unread or not self._looked:
            raise QueueUnavailable("nobody knows yet what lies in partitions that were not asked")
        now = time.time_ns()
        behind = self.behind()
        heard = [self._heard.get(place, 0) for place, records in behind.items() if records]
        self._heard |= {place: now for place, records in behind.items() if not records}
        waits = sum(behind.values())
        return {"pending_requests": waits, "pending_items": waits, "oldest_pending": min(heard, default=None)}

    def _look(self) -> None:
        """Find topics and partitions, now and then; new ones are read from where they begin."""
        if self._looked and time.monotonic() - self._looked < _LOOK:
            return
        try:
            found = self._consumer.list_topics(timeout=_ASK)
            self._cluster = self._cluster or found.cluster_id or ""
        except KafkaException as error:
            raise QueueUnavailable(f"Kafka did not answer: {error}", remedy="it is asked again") from error
        topics = {
            name: topic for name, topic in found.topics.items() if self._wanted(name) and not topic.error
        }
        missing = [name for name in self._names if name not in topics]
        if missing:
            self._say(
                f"there is no topic {', '.join(missing)}, or it may not be described; it is looked for again"
            )
        self._begin(
            {
                (name, number): partition.leader >= 0
                for name, topic in topics.items()
                for number, partition in topic.partitions.items()
                if (name, number) not in self._next
            }
        )
        self._positions.follows(self._cluster, [*self._names, *self._patterns])
        self._looked = time.monotonic()

    def _wanted(self, name: str) -> list[str]:
        """The names and patterns under which a topic is followed."""
        patterns = [text for text, pattern in self._patterns.items() if pattern.search(name)]
        return [name, *patterns] if name in self._names else patterns

    def _begin(self, led: Mapping[Place, bool]) -> None:
        """Begin to read new places; one without a leader, or that does not answer, keeps no other waiting."""
        known, followed = self._positions.known(self._cluster), self._positions.followed(self._cluster)
        followed |= {topic for topic, _ in known}
        begun: dict[Place, int] = {}
        before, self._unread = self._unread, {place for place, leader in led.items() if not leader}
        why = "it has no leader"
        for place in led.keys() - self._unread:
            came_later = place[0] in followed or not followed.isdisjoint(self._wanted(place[0]))
            try:
                begun[place] = self._start_of(place, known.get(place), came_later=came_later)
            except QueueUnavailable as error:
                self._unread.add(place)
                why = error.message
        if self._unread - before:
            (topic, partition), count = min(self._unread), len(self._unread)
            log.warning("%d partitions are asked again, such as %s/%d: %s", count, topic, partition, why)
        if begun:
            self._positions.reached(self._cluster, begun)
            self._next |= begun
            self._assign()

    def _start_of(self, place: Place, noted: int | None, *, came_later: bool) -> int:
        """As noted; else as chosen, but where its topic was followed before, at its first record."""
        low, high = self._bounds(place)
        if noted is not None:
            return self._kept(place, noted, low, high)
        if came_later or self._start == "earliest":
            return low
        return high if self._start == "latest" else self._of_time(place, int(self._start), high)

    def _assign(self) -> None:
        self._consumer.assign([TopicPartition(*place, following) for place, following in self._next.items()])

    def _kept(self, place: Place, following: int, low: int, high: int) -> int:
        """The noted position where it is still there; what was deleted before it was read is counted."""
        if low <= following <= high:
            return following
        gone = low - following
        topic, partition = place
        if gone > 0:
            self.lost += gone
            self._say(f"{gone:,} records of {topic}/{partition} were deleted before they were read")
            self._missed(topic, gone, f"offsets {following} to {low - 1} of {topic}/{partition} were deleted")
        else:
            self._say(f"{topic}/{partition} was made anew; it is read from its first record")
        return low

    def _missed(self, topic: str, items: int, message: str) -> None:
        """A cause for verdicts: these were sent and will never be here."""
        now = time.time_ns()
        try:
            records.refused(
                sender=f"tap {topic}",
                signal="records",
                reason="deleted_before_read",
                message=message,
                items=items,
                first=now,
                last=now,
            )
        except Error as error:
            close_old_connections()
            log.warning("%s, which could not be noted: %s", message, error)

    def _bounds(self, place: Place) -> tuple[int, int]:
        try:
            low, high = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=_ASK)
        except KafkaException as error:
            raise QueueUnavailable(
                f"{place[0]}/{place[1]} cannot be read: {error.args[0].str()}",
                remedy="`manage.py check_access` says what is missing",
            ) from error
        return low, high

    def _of_time(self, place: Place, ns: int, high: int) -> int:
        try:
            (found,) = self._consumer.offsets_for_times([TopicPartition(*place, ns // 10**6)], timeout=_ASK)
        except KafkaException as error:
            raise QueueUnavailable(f"Kafka did not answer: {error}", remedy="it is asked again") from error
        return found.offset if found.offset >= 0 else high

    def _polled(self) -> list[Message]:
        """At most so many records, bytes and seconds."""
        found: list[Message] = []
        size, until = 0, time.monotonic() + SECONDS
        while len(found) < ROWS and size < BYTES and (left := until - time.monotonic()) > 0:
            for message in self._consumer.consume(min(ROWS - len(found), 200), timeout=left):
                error = message.error()
                if error is None:
                    found.append(message)
                    size += len(message.value() or b"") + len(message.key() or b"") + 100
                else:
                    self._failed(message, error)
        return found

    def _failed(self, message: Message, error: KafkaError) -> None:
        place = (message.topic() or "", message.partition() or 0)
        code = error.code()
        if code == KafkaError._PARTITION_EOF:
            self._eof[place] = message.offset() or 0
        elif code in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE) and place in self._next:
            self._gone.add(place)
        elif error.fatal():
            raise KafkaException(error)
        elif code != KafkaError.GROUP_AUTHORIZATION_FAILED:  # the tap has no use for a group
            self._say(f"Kafka: {error.str()}")

    def _skip(self) -> None:
        """Past what was deleted, once it is noted what was read before it."""
        for place in sorted(self._gone):
            low, high = self._bounds(place)
            self._next[place] = self._kept(place, self._next[place], low, high)
            self._positions.reached(self._cluster, {place: self._next[place]})
            self._consumer.seek(TopicPartition(*place, self._next[place]))
        self._gone.clear()

    def _take(self, messages: list[Message]) -> None:
        if messages and not wait_for_room(self._inbox, self._folder, lambda: not self._stop_asked.is_set()):
            return  # asked to stop: it is read again at the next start
        now, redaction = time.time_ns(), self._redaction()
        taken = [record_of(_raw(message), self._rules, now) for message in messages]
        if redaction is not None:
            taken = [redacted_record(one, redaction) for one in taken]
        by_topic: dict[str, list[Record]] = {}
        for one in taken:
            by_topic.setdefault(one.topic, []).append(one)
        requests = [self._request(topic, found) for topic, found in by_topic.items()]
        entries = [Entry(sender=one.sender, what="received", items=one.items) for one in requests]
        if requests:
            self._inbox.accept(requests, entries)
        nexts: dict[Place, int] = {}
        for one in taken:
            nexts[one.topic, one.partition] = one.offset + 1
        for place, end in self._eof.items():  # markers of transactions are no taken, and may lie before it
            nexts[place] = max(nexts.get(place, 0), end)
        self._eof.clear()
        if nexts:
            self._positions.reached(self._cluster, nexts)
        self._next |= nexts
        for one in taken:
            self._hear((one.topic, one.partition), one.stamped, now)
        self.records += len(taken)
        if taken:
            self._told.clear()

    def _hear(self, place: Place, stamped: int | None, now: int) -> None:
        """The stamp may be a producer's clock: one of the future would take the backlog out of verdicts, and one
        before what was read already says nothing new."""
        if stamped is not None and self._heard.get(place, 0) < stamped <= now:
            self._heard[place] = stamped

    def _request(self, topic: str, found: list[Record]) -> Accepted:
        body = encode(Records(cluster=self._cluster, records=found))
        request = Accepted(
            id=secrets.token_hex(8),
            signal="records",
            content_encoding="",
            headers={"content-type": MEDIA},
            body=body,
            received=0,
            sender=f"tap {topic}"[:100],
            items=len(found),
        )
        return msgspec.structs.replace(request, digest=digest_of(request))

    def _again(self) -> None:
        """Back to what is noted: what was read and not accepted is read once more, after a while."""
        self._eof.clear()
        self._gone.clear()
        self._stop_asked.wait(1)
        if self._next:
            self._assign()

    def _say(self, text: str) -> None:
        """Once, until something was read."""
        if text not in self._told:
            self._told.add(text)
            log.warning("%s", text)


def _raw(message: Message) -> Raw:
    kind, milliseconds = message.timestamp()
    return Raw(
        topic=message.topic() or "",
        partition=message.partition() or 0,
        offset=message.offset() or 0,
        stamped=None if kind == TIMESTAMP_NOT_AVAILABLE or milliseconds < 0 else milliseconds * 10**6,
        key=message.key(),
        value=message.value(),
        headers=[(str(name), _bytes(value)) for name, value in message.headers() or ()],  # type: ignore[str-unpack]
    )


def _bytes(value: str | bytes | None) -> bytes | None:
    return value.encode() if isinstance(value, str) else value
