"""Kafka as the big buffer: the Collector's topics, straight into the store.

An offset is committed when the store has confirmed every item of every record before it. What a
crash or a rebalance makes somebody consume again is recognised by identity.
"""

from __future__ import annotations

import logging
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final, cast

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition
from confluent_kafka.admin import AdminClient
from django.db import Error, close_old_connections

from timeline.broker.ends import ends
from timeline.broker.hand import Hand, Place, Taken, taken
from timeline.errors import QueueUnavailable, Unavailable
from timeline.inbox.dirty import Touched
from timeline.inbox.inbox import Inbox
from timeline.indexing import Drain
from timeline.ingest.entities import Rules
from timeline.ingest.facts import Make
from timeline.ingest.request import Signal
from timeline.models import Consumed
from timeline.redactions import Redactions
from timeline.store.port import Store

log = logging.getLogger(__name__)
_MOST: Final = 500  # records a poll
_BYTES: Final = 32 << 20  # of records in hand, about
_BACK_OFF: Final = (0.2, 10.0)  # seconds, first and longest
_MOVED: Final = (
    KafkaError.ILLEGAL_GENERATION,
    KafkaError.UNKNOWN_MEMBER_ID,
    KafkaError.REBALANCE_IN_PROGRESS,
    KafkaError._ASSIGNMENT_LOST,
    KafkaError._NO_OFFSET,
)
OURS: Final = {
    "enable.auto.commit": False,
    "enable.auto.offset.store": False,
    "enable.partition.eof": True,
    "auto.offset.reset": "earliest",
    "isolation.level": "read_committed",
    "partition.assignment.strategy": "cooperative-sticky",
    "queued.max.messages.kbytes": 32 << 10,
    "queued.min.messages": 1000,
    "session.timeout.ms": 15_000,
}


class Consuming:
    """One member of the consumer group; ``run`` returns after ``stop``.

    ``config`` is librdkafka's (brokers, group, security); ``topics`` says which signal each topic
    holds; ``touch`` is told of entities whose summaries are out of date.
    """

    def __init__(
        self,
        config: Mapping[str, Any],
        topics: Mapping[str, Signal],
        store: Store,
        rules: Callable[[str], Rules],
        touch: Callable[[Iterable[Touched]], None],
        redactions: Redactions,
        make: Make | None = None,
    ) -> None:
        self._topics = topics
        self._redactions = redactions
        self._group = str(config["group.id"])
        self._consumer = Consumer({**config, **OURS}, logger=log)
        self._hand = Hand(self._group, commit=self._commit, touch=touch)
        # the hand offers what the drain asks of an inbox, and no more
        self._drain = Drain(cast(Inbox, self._hand), store, rules, make)
        client = {name: value for name, value in config.items() if name != "group.id"}
        self._admin = AdminClient(client, logger=log)
        self._cluster = ""
        self._stop_asked = threading.Event()
        self._holding = False
        self._average = float(_BYTES // 50)  # bytes of a record, until some have been seen

    def stop(self) -> None:
        """Finish what is in hand where the store allows, then leave the group."""
        self._stop_asked.set()

    def run(self) -> None:
        """Consume until asked to stop."""
        self._consumer.subscribe(
            list(self._topics), on_assign=self._assigned, on_revoke=self._revoked, on_lost=self._revoked
        )
        try:
            while not self._stop_asked.is_set():
                self._take(min(_MOST, max(1, int(_BYTES / self._average))), 0.5)
                self._store()
        finally:
            self._consumer.close()

    def state(self) -> dict[str, Any]:
        """What lies in Kafka and not yet in the store, for the heartbeat; raises ``QueueUnavailable``."""
        behind, oldest = self._hand.behind(ends(self._admin, self._hand.places()))
        return {"pending_requests": behind, "pending_items": behind, "oldest_pending": oldest}

    def _take(self, most: int, seconds: float) -> None:
        found: list[Taken] = []
        reached: list[tuple[Place, int]] = []
        for message in self._consumer.consume(most, timeout=seconds):
            error = message.error()
            if error is None:
                found.append(self._taken(message))
                size = len(found[-1].request.body) + 100
                self._average += (size - self._average) / 50
            elif error.code() == KafkaError._PARTITION_EOF:
                reached.append(_where(message))
            elif error.fatal():
                raise KafkaException(error)
            else:
                log.warning("Kafka: %s", error.str())
        self._hand.put(found)
        for place, end in reached:  # after what was taken before it
            self._hand.reached(place, end)

    def _taken(self, message: Message) -> Taken:
        kind, milliseconds = message.timestamp()
        at = milliseconds * 10**6 if kind else time.time_ns()
        place, offset = _where(message)
        value = message.value() or b""
        signal, redaction = self._topics[place[0]], self._redactions.of("main")
        return taken(signal, place, offset, at, value, cluster=self._cluster, redaction=redaction)

    def _store(self) -> None:
        """Empty the hand; while something is away, hold on to the partitions and try again."""
        for wait in _waits():
            if not len(self._hand):
                break
            close_old_connections()
            try:
                self._drain.run()
            except Unavailable as error:
                log.warning("what was consumed waits %.1f s: %s", wait, error)
            except Exception:
                log.exception("what was consumed could not be stored; it is tried again, in the end alone")
            else:
                break
            if self._stop_asked.is_set():
                return
            self._hold(wait)
        if self._holding:
            self._holding = False
            self._consumer.resume(self._consumer.assignment())

    def _hold(self, seconds: float) -> None:
        """Wait without new records, and stay a member of the group: it polls, as Kafka wants it."""
        if not self._holding:
            self._holding = True
            self._consumer.pause(self._consumer.assignment())
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0 and not self._stop_asked.is_set():
            self._take(1, min(left, 0.5))

    def _commit(self, nexts: Mapping[Place, int]) -> None:
        offsets = [TopicPartition(*place, offset) for place, offset in nexts.items()]
        try:
            answers = self._consumer.commit(offsets=offsets, asynchronous=False)
            failed = next((one.error for one in answers if one.error), None)
        except KafkaException as problem:
            failed = problem.args[0]
        if failed is None:
            return
        if failed.code() in _MOVED:
            log.info("stored, but another member has the partition now and will find it stored: %s", failed)
            return
        raise QueueUnavailable(f"Kafka took no offsets: {failed.str()}", remedy="it is tried again by itself")

    def _assigned(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        for wait in _waits():
            try:
                nexts = self._begins(consumer, partitions)
                break
            except KafkaException as problem:  # a broker that starts has no coordinator for a while
                error = problem.args[0]
                if error.fatal():
                    raise
                log.warning("where to begin is asked again in %.1f s: %s", wait, error.str())
            if self._stop_asked.wait(wait):
                return
        self._hand.assigned(nexts)
        consumer.incremental_assign(partitions)
        if self._holding:
            consumer.pause(partitions)

    def _begins(self, consumer: Consumer, partitions: list[TopicPartition]) -> dict[Place, int]:
        """The offset each begins with; raises ``KafkaException``."""
        if not self._cluster:
            self._cluster = consumer.cluster_id(timeout=10) or ""
        nexts: dict[Place, int] = {}
        for partition in consumer.committed(partitions, timeout=10):
            low, high = consumer.get_watermark_offsets(partition, timeout=10)
            place = (partition.topic, partition.partition)
            nexts[place] = partition.offset if partition.offset >= 0 else low
            self._begin_again(place, low, high)
        return nexts

    def _begin_again(self, place: Place, low: int, high: int) -> None:
        """A topic that was made anew begins at 0, and so does its accounting."""
        counted = Consumed.objects.filter(group=self._group, topic=place[0], partition=place[1])
        try:
            counted.filter(next__gt=high).update(next=low, attempts=0)
        except Error as error:
            log.warning("the database does not answer yet: %s", error)

    def _revoked(self, consumer: Consumer, partitions: list[TopicPartition]) -> None:
        self._hand.drop((one.topic, one.partition) for one in partitions)


def _waits() -> Iterator[float]:
    """Seconds to wait before each further try, longer and longer."""
    wait = _BACK_OFF[0]
    while True:
        yield random.uniform(wait / 2, wait)
        wait = min(wait * 2, _BACK_OFF[1])


def _where(message: Message) -> tuple[Place, int]:
    """Its partition, and its offset there; a message that was consumed has all three."""
    topic, partition, offset = message.topic(), message.partition(), message.offset()
    return (cast(str, topic), cast(int, partition)), cast(int, offset)
