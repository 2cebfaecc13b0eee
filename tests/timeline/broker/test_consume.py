"""What a Collector wrote to Kafka is stored once, whatever happens on the way."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from tests.node.harness import ROOT, until
from tests.node.otlp import request, span
from tests.servers.kafka import Kafka
from timeline.broker.consume import Consuming
from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.ingest.entities import Rules
from timeline.models import Consumed, Quarantined
from timeline.redactions import Redactions
from timeline.search.query import All, Query
from timeline.store.port import ItemReport
from timeline.store.tantivy import TantivyStore

pytestmark = [pytest.mark.server, pytest.mark.django_db]
SPANS, LOGS = "otlp_spans", "otlp_logs"
PARTITIONS = 4
LOG = b'{"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "hello"}}]}]}]}'


@pytest.fixture(scope="module")
def kafka() -> Iterator[Kafka]:
    with Kafka() as running:
        yield running


class Group:
    """A consumer group of one test and the topics it reads; what an earlier test left cannot reach it."""

    def __init__(self, kafka: Kafka) -> None:
        self.name = f"tests-{uuid.uuid4()}"
        self._kafka = kafka
        self._processes: list[subprocess.Popen[bytes]] = []

    def consuming(self, store: TantivyStore, dirty: Callable[[Any], None] = list) -> Consuming:
        """A member of it."""
        config = {"bootstrap.servers": self._kafka.url, "group.id": self.name}
        return Consuming(
            config, {SPANS: "traces", LOGS: "logs"}, store, lambda _: Rules.default(), dirty, Redactions()
        )

    def process(self, data: Path, members: int, churn: str = "") -> subprocess.Popen[bytes]:
        """Members of it in a process of their own, which ends with the test."""
        data.mkdir(exist_ok=True)
        (data / "ready").unlink(missing_ok=True)
        module = "tests.timeline.broker.consuming_process"
        command = [sys.executable, "-m", module, self._kafka.url, self.name, str(data), str(members), churn]
        with (data / "log").open("ab") as log:
            process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=log)
        self._processes.append(process)
        return process

    def lag(self) -> int:
        """Records of the topics that it has not committed."""
        return until(self._asked, what="an answer about the group")[0]

    def _asked(self) -> tuple[int] | None:
        reader = Consumer({"bootstrap.servers": self._kafka.url, "group.id": self.name})
        try:
            asked = [TopicPartition(topic, n) for topic in (SPANS, LOGS) for n in range(PARTITIONS)]
            ends = [reader.get_watermark_offsets(one, timeout=10)[1] for one in asked]
            done = [max(one.offset, 0) for one in reader.committed(asked, timeout=10)]
            return (sum(ends) - sum(done),)
        except KafkaException:  # the coordinator of a new group is not there at once
            return None
        finally:
            reader.close()

    def end(self) -> None:
        """Leave no process behind."""
        for process in self._processes:
            process.kill()
            process.wait()


@pytest.fixture
def group(kafka: Kafka) -> Iterator[Group]:
    """A group of its own, and both topics made anew and gone in the end."""
    admin = AdminClient({"bootstrap.servers": kafka.url})
    until(lambda: not {SPANS, LOGS} & set(admin.list_topics(timeout=5).topics), what="the old topics gone")
    for future in admin.create_topics([NewTopic(name, PARTITIONS, 1) for name in (SPANS, LOGS)]).values():
        future.result(10)
    made = Group(kafka)
    yield made
    made.end()
    for future in admin.delete_topics([SPANS, LOGS]).values():
        future.result(10)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[TantivyStore]:
    made = TantivyStore(tmp_path / "index", writable=True)
    made.prepare()
    yield made
    made.close()


def _write(kafka: Kafka, topic: str, values: Sequence[bytes | None]) -> None:
    producer = Producer({"bootstrap.servers": kafka.url, "linger.ms": 5})
    for number, value in enumerate(values):
        producer.produce(topic, value, partition=number % PARTITIONS)
    assert 0 == producer.flush(30)


def _run_until(consuming: Consuming, done: Callable[[], bool], *, seconds: float = 120) -> None:
    """Consume in this thread, which has the database, until another one sees that it is done."""

    def watch() -> None:
        deadline = time.monotonic() + seconds
        try:
            while not done() and time.monotonic() < deadline:
                time.sleep(0.05)
        finally:
            consuming.stop()

    watching = threading.Thread(target=watch)
    watching.start()
    consuming.run()
    watching.join()
    assert done()


def _held(store: TantivyStore) -> int:
    return store.count(Query(where=All())).value


def _tally() -> dict[str, int]:
    sums: Counter[str] = Counter()
    for lines in Consumed.objects.values_list("tally", flat=True):
        for line in lines:
            sums[line["what"]] += line["items"]
    return dict(sums)


def _spans(start: int, count: int, each: int = 1) -> list[bytes]:
    return [
        request(
            "shop", [span(9, start + n * each + m, attributes={"order.id": f"o-{n}"}) for m in range(each)]
        )
        for n in range(count)
    ]


def test_both_topics_in_both_encodings_are_stored_counted_and_committed(
    kafka: Kafka, group: Group, store: TantivyStore
) -> None:
    _write(kafka, SPANS, _spans(1, 40, each=5))
    _write(kafka, LOGS, [LOG.replace(b"hello", b"hello %d" % n) for n in range(10)])
    dirty: list[Any] = []
    consuming = group.consuming(store, dirty.extend)
    _run_until(consuming, lambda: _held(store) == 210)
    assert 0 == group.lag()
    assert {"received": 210, "new": 210} == _tally()
    assert ("main", "order:o-0") in dirty
    again = group.consuming(store)
    _run_until(again, lambda: again.state()["pending_requests"] == 0)
    assert {"received": 210, "new": 210} == _tally()


def test_poison_is_kept_with_its_bytes_and_its_neighbours_are_stored(
    kafka: Kafka, group: Group, store: TantivyStore
) -> None:
    nameless = span(9, 3)
    nameless.trace_id = b"\x01"
    _write(
        kafka,
        SPANS,
        [b"\xffnot otlp", request("shop", [span(9, 1), nameless, span(9, 2)]), None, b"{}", b"{\x00"],
    )
    _run_until(group.consuming(store), lambda: _held(store) == 2 and group.lag() == 0)
    kept = {bytes(row.data)[:9]: row.reason for row in Quarantined.objects.all()}
    assert {"undecodable", "bad_trace_id"} == set(kept.values())
    assert {b"\xffnot otlp", b"{\x00"} <= set(kept)
    assert {"received": 5, "new": 2, "quarantined": 3} == _tally()


class Starting(Consumer):
    """A consumer of a broker that has no coordinator for the first questions."""

    refusals = 3

    def committed(self, *asked: Any, **options: Any) -> list[TopicPartition]:
        """Refuse at first."""
        if self.refusals:
            self.refusals -= 1
            raise KafkaException(KafkaError(KafkaError.NOT_COORDINATOR))
        return super().committed(*asked, **options)


def test_a_coordinator_that_is_not_there_yet_is_asked_again(
    kafka: Kafka, group: Group, store: TantivyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeline.broker.consume.Consumer", Starting)
    _write(kafka, SPANS, _spans(1, 20))
    consuming = group.consuming(store)
    _run_until(consuming, lambda: _held(store) == 20 and group.lag() == 0)
    assert 0 == consuming._consumer.refusals


class Broken(Consumer):
    """A consumer that will never be one again."""

    def committed(self, *asked: Any, **options: Any) -> list[TopicPartition]:
        """Fail for good."""
        raise KafkaException(KafkaError(KafkaError._FATAL, "over", True))


def test_what_fails_for_good_is_not_asked_again(
    kafka: Kafka, group: Group, store: TantivyStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("timeline.broker.consume.Consumer", Broken)
    with pytest.raises(KafkaException, match="over"):
        group.consuming(store).run()


class Away(TantivyStore):
    """A store that is away for its first writes."""

    refusals = 6

    def write(self, facts: Sequence[Stored], *, visible: bool = False) -> list[ItemReport]:
        """Refuse while it is away."""
        if self.refusals:
            self.refusals -= 1
            raise StoreUnavailable("it is away")
        return super().write(facts, visible=visible)


def test_while_the_store_is_away_nothing_is_committed_or_lost_and_the_partitions_are_kept(
    kafka: Kafka, group: Group, tmp_path: Path
) -> None:
    store = Away(tmp_path / "away", writable=True)
    store.prepare()
    _write(kafka, SPANS, _spans(1, 20))
    consuming = group.consuming(store)
    seen: list[tuple[int, int, int]] = []

    def done() -> bool:
        if store.refusals:
            seen.append((len(consuming._hand.places()), group.lag(), _held(store)))
        return _held(store) == 40 and group.lag() == 0

    def more() -> None:
        until(lambda: store.refusals < 5, what="a first refusal")
        _write(kafka, SPANS, _spans(100, 20))

    writing = threading.Thread(target=more)
    writing.start()
    _run_until(consuming, done)
    writing.join()
    assert (2 * PARTITIONS, 0) in {(places, held) for places, _, held in seen if places}
    assert all(lag >= 20 for places, lag, _ in seen if places)
    assert {"received": 40, "new": 40} == _tally()
    store.close()


def test_what_waits_in_kafka_is_known_and_since_when(kafka: Kafka, group: Group, tmp_path: Path) -> None:
    store = Away(tmp_path / "away", writable=True)
    store.refusals = 10**9
    store.prepare()
    before = time.time_ns() // 10**6 * 10**6
    _write(kafka, SPANS, _spans(1, 20))
    after = time.time_ns()
    consuming = group.consuming(store)
    states: list[dict[str, Any]] = []

    def done() -> bool:
        if len(consuming._hand) == 20:
            states.append(consuming.state())
        return len(states) > 3

    _run_until(consuming, done)
    assert {20} == {state["pending_requests"] for state in states}
    assert all(before <= state["oldest_pending"] <= after for state in states)
    store.close()


def _counted(data: Path) -> dict[str, int]:
    sums: Counter[str] = Counter()
    with closing(sqlite3.connect(data / "throughline.sqlite3", timeout=10)) as database:
        for (tally,) in database.execute("SELECT tally FROM timeline_consumed"):
            for line in json.loads(tally):
                sums[line["what"]] += line["items"]
        sums["arrivals"] = database.execute("SELECT count(*) FROM timeline_arrival").fetchone()[0]
    return dict(sums)


def _stop(process: subprocess.Popen[bytes], data: Path) -> None:
    until((data / "ready").exists, what="a process that can be told to stop")
    process.terminate()
    assert 0 == process.wait(30)


def _all_held(data: Path) -> int:
    store = TantivyStore(data / "index", writable=False)
    try:
        return _held(store)
    finally:
        store.close()


def test_members_killed_again_and_again_lose_and_double_nothing(
    kafka: Kafka, group: Group, tmp_path: Path
) -> None:
    data = tmp_path / "killed"
    for turn in range(4):
        _write(kafka, SPANS, _spans(1 + 10_000 * turn, 400, each=5))
        behind = group.lag()
        process = group.process(data, members=1)
        until(lambda: group.lag() < behind, what="some progress")  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
    process = group.process(data, members=1)
    until(lambda: group.lag() == 0, what="everything committed")
    _stop(process, data)
    assert 8_000 == _all_held(data)
    assert {"received": 8_000, "new": 8_000, "arrivals": 0} == _counted(data)


def test_members_that_come_and_go_lose_and_double_nothing(kafka: Kafka, group: Group, tmp_path: Path) -> None:
    data = tmp_path / "churn"
    process = group.process(data, members=2, churn="churn")
    for turn in range(10):
        _write(kafka, SPANS, _spans(1 + 10_000 * turn, 200, each=5))
        until(lambda: group.lag() < 400, what="progress")
    until(lambda: group.lag() == 0, what="everything committed")
    _stop(process, data)
    assert 10_000 == _all_held(data)
    assert {"received": 10_000, "new": 10_000, "arrivals": 0} == _counted(data)
