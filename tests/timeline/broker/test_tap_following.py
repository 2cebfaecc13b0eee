"""Where the tap begins, goes on and says it is, against a cluster that is told what to answer."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError, KafkaException, TopicPartition

from timeline.broker.tap import following
from timeline.broker.tap.following import Tap
from timeline.broker.tap.positions import Positions
from timeline.broker.tap.rules import TopicRules
from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Inbox

Place = tuple[str, int]
HOUR = 3_600 * 10**9


class Cluster:
    """Stands in for consumer and admin client: partitions with bounds, and what a poll gives."""

    def __init__(self) -> None:
        self.bounds: dict[Place, tuple[int, int]] = {}
        self.leaderless: set[Place] = set()
        self.silent: set[Place] = set()
        self.polls: list[list[Any]] = []
        self.assigned: dict[Place, int] = {}
        self.sought: dict[Place, int] = {}
        self.grows = 0  # records of each partition between two questions for the ends

    def list_topics(self, **_: Any) -> Any:
        topics: dict[str, Any] = {}
        for topic, number in self.bounds:
            leader = -1 if (topic, number) in self.leaderless else 1
            found = topics.setdefault(topic, SimpleNamespace(error=None, partitions={}))
            found.partitions[number] = SimpleNamespace(leader=leader)
        return SimpleNamespace(cluster_id="c1", topics=topics)

    def get_watermark_offsets(self, at: TopicPartition, **_: Any) -> tuple[int, int]:
        if (at.topic, at.partition) in self.leaderless | self.silent:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        return self.bounds[at.topic, at.partition]

    def list_offsets(self, asked: Iterable[TopicPartition], **_: Any) -> dict[TopicPartition, Future[Any]]:
        answers: dict[TopicPartition, Future[Any]] = {}
        for at in asked:
            low, high = self.bounds[at.topic, at.partition]
            answers[at] = Future()
            answers[at].set_result(SimpleNamespace(offset=high))
            self.bounds[at.topic, at.partition] = (low, high + self.grows)
        return answers

    def assign(self, places: Iterable[TopicPartition]) -> None:
        self.assigned = {(at.topic, at.partition): at.offset for at in places}

    def seek(self, at: TopicPartition) -> None:
        self.sought[at.topic, at.partition] = at.offset

    def consume(self, _: int, timeout: float) -> list[Any]:
        if self.polls and (found := self.polls.pop(0)):
            return found
        time.sleep(timeout)
        return []

    def close(self) -> None:
        """Nothing is held."""


class Said:
    """A message of the client: a record, or an error where it says one."""

    def __init__(self, offset: int, stamped: int = 0, error: int | None = None) -> None:
        self._offset, self._stamped, self._error = offset, stamped, error

    def error(self) -> KafkaError | None:
        return None if self._error is None else KafkaError(self._error)

    def topic(self) -> str:
        return "orders"

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return TIMESTAMP_CREATE_TIME, self._stamped // 10**6

    def key(self) -> None:
        return None

    def value(self) -> bytes:
        return b"{}"

    def headers(self) -> None:
        return None


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Cluster:
    made = Cluster()
    monkeypatch.setattr(following, "Consumer", lambda *_, **__: made)
    monkeypatch.setattr(following, "AdminClient", lambda *_, **__: made)
    monkeypatch.setattr(following, "SECONDS", 0.01)
    return made


@pytest.fixture
def tap(cluster: Cluster, tmp_path: Path) -> Callable[..., Tap]:
    def made(*topics: str, **options: Any) -> Tap:
        inbox = Inbox(tmp_path / "inbox.sqlite3")
        return Tap({}, topics or ("orders",), TopicRules([]), inbox, tmp_path, **options)

    return made


def ran(one: Tap) -> None:
    """One look, and the end of the process."""
    one._look()
    one._positions.close()


def test_partitions_made_while_it_was_down_are_read_from_their_first_record(
    cluster: Cluster, tap: Callable[..., Tap]
) -> None:
    cluster.bounds = {("orders", 0): (0, 10)}
    ran(tap())
    assert {("orders", 0): 10} == cluster.assigned
    cluster.bounds |= {("orders", 0): (0, 15), ("orders", 1): (2, 7), ("bets", 0): (0, 4)}
    ran(tap("orders", "bets"))
    assert {("orders", 0): 10, ("orders", 1): 2, ("bets", 0): 4} == cluster.assigned


def test_topics_that_a_pattern_finds_later_are_read_from_their_first_record(
    cluster: Cluster, tap: Callable[..., Tap]
) -> None:
    ran(tap("^bets", "payments"))  # neither is there yet
    cluster.bounds = {("bets.placed", 0): (0, 4), ("payments", 0): (1, 5), ("orders", 0): (0, 3)}
    ran(tap("^bets", "payments", "^ord"))
    assert {("bets.placed", 0): 0, ("payments", 0): 1, ("orders", 0): 3} == cluster.assigned


def test_what_an_older_tap_noted_counts_as_followed(
    cluster: Cluster, tap: Callable[..., Tap], tmp_path: Path
) -> None:
    positions = Positions(tmp_path)
    positions.reached("c1", {("orders", 0): 6})
    positions.close()
    cluster.bounds = {("orders", 0): (0, 10), ("orders", 1): (0, 10)}
    ran(tap())
    assert {("orders", 0): 6, ("orders", 1): 0} == cluster.assigned


def test_a_partition_that_cannot_be_asked_keeps_no_other_waiting(
    cluster: Cluster, tap: Callable[..., Tap], caplog: pytest.LogCaptureFixture
) -> None:
    cluster.bounds = {("orders", number): (0, 10) for number in range(3)}
    cluster.leaderless, cluster.silent = {("orders", 1)}, {("orders", 2)}
    one = tap()
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            one._look()
            one._looked = 0.0
    assert {("orders", 0): 10} == cluster.assigned
    assert 1 == sum("asked again" in line for line in caplog.messages)
    with pytest.raises(QueueUnavailable, match="nobody knows"):
        one.state()  # so the heartbeat grows old, and no verdict rests on this tap

    cluster.leaderless, cluster.silent = set(), set()
    one._look()
    assert {("orders", 0): 10, ("orders", 1): 0, ("orders", 2): 0} == cluster.assigned
    assert 20 == one.state()["pending_items"]


def test_nothing_is_vouched_for_before_the_first_look(cluster: Cluster, tap: Callable[..., Tap]) -> None:
    cluster.bounds = {("orders", 0): (0, 10)}
    with pytest.raises(QueueUnavailable, match="nobody knows"):
        tap().state()


@pytest.mark.parametrize("late", [HOUR, -2 * HOUR])
def test_a_wrong_clock_of_a_producer_does_not_move_the_backlog(
    cluster: Cluster, tap: Callable[..., Tap], late: int
) -> None:
    right = (time.time_ns() - HOUR) // 10**6 * 10**6
    cluster.bounds = {("orders", 0): (0, 10)}
    one = tap(start="earliest")
    one._look()
    cluster.polls = [[Said(0, right), Said(1, time.time_ns() + late)]]
    one._take(one._polled())
    assert (8, right) == (one.state()["pending_items"], one.state()["oldest_pending"])


def test_records_in_hand_are_not_counted_as_deleted(cluster: Cluster, tap: Callable[..., Tap]) -> None:
    cluster.bounds = {("orders", 0): (0, 10)}
    one = tap(start="earliest")
    one._look()
    cluster.bounds = {("orders", 0): (2, 10)}
    cluster.polls = [[Said(0), Said(1), Said(2, error=KafkaError._AUTO_OFFSET_RESET)]]
    one._take(one._polled())
    one._skip()
    assert (0, {("orders", 0): 2}) == (one.lost, cluster.sought)


def test_catching_up_ends_on_a_topic_that_grows(cluster: Cluster, tap: Callable[..., Tap]) -> None:
    cluster.bounds, cluster.grows = {("orders", 0): (0, 3)}, 1
    cluster.polls = [poll for offset in range(20) for poll in ([Said(offset)], [])]
    one = tap(start="earliest")
    give_up = threading.Timer(5, one.stop)
    give_up.start()
    one.run(until_caught_up=True)
    give_up.cancel()
    assert 3 == one.records


def test_a_second_tap_on_a_data_folder_is_refused(cluster: Cluster, tap: Callable[..., Tap]) -> None:
    first = tap()
    with pytest.raises(QueueUnavailable, match="another tap runs") as refused:
        tap("bets")
    assert "THROUGHLINE_DATA_DIR" in refused.value.remedy
    first.stop()
    first.run()
    ran(tap("bets"))
