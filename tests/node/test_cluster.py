"""Two nodes on one PostgreSQL, RabbitMQ and Elasticsearch: one product, whichever of them is asked."""

from __future__ import annotations

import itertools
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from typing import Any, NamedTuple

import psutil
import psycopg
import pytest

from tests.node.harness import ROOT, RunningNode, until
from tests.node.otlp import PROTOBUF, request, span
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.postgres import Postgres
from tests.servers.rabbitmq import RabbitMQ

pytestmark = [pytest.mark.server, pytest.mark.timeout(900)]


class Cluster(NamedTuple):
    """What runs."""

    a: RunningNode
    b: RunningNode
    postgres: Postgres
    rabbitmq: RabbitMQ
    search: Elasticsearch

    def row(self, sql: str, *values: object) -> Any:
        """The first row of a query."""
        with psycopg.connect(self.postgres.url, autocommit=True) as connection:
            found = connection.execute(sql, values)  # type: ignore[call-overload]
            return found.fetchone() if found.description else None


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("cluster")
    with ExitStack() as stack:
        search = stack.enter_context(Elasticsearch(heap="512m"))
        postgres = stack.enter_context(Postgres())
        rabbitmq = stack.enter_context(RabbitMQ())
        shared = {
            "DATABASE_URL": postgres.url,
            "THROUGHLINE_BROKER_URL": rabbitmq.url,
            "THROUGHLINE_STORE_URL": f"elasticsearch://127.0.0.1:{search.port}/cluster",
            "THROUGHLINE_SECRET_KEY": "the same on every node, so that a session is one too",
        }
        nodes = [RunningNode(folder / name, THROUGHLINE_NODE=name, **shared) for name in "ab"]
        for node in nodes:
            stack.callback(node.stop)
        for node in nodes:
            node.launch()  # at once, on an empty database
        for node in nodes:
            node.ready()
        yield Cluster(*nodes, postgres, rabbitmq, search)


def _send(node: RunningNode, service: str, start: int, requests: int, each: int = 5) -> int:
    for number in range(requests):
        spans = [span(77, start + number * each + n, name=service) for n in range(each)]
        assert 200 == node.send("/v1/traces", request(service, spans), PROTOBUF)
    return requests * each


def _found(node: RunningNode, service: str) -> tuple[int, int]:
    total = node.get(f"/api/v1/search?q=service:{service}&range=1h")["total"]
    return total["value"], total["variants"]


def _on_both(cluster: Cluster, service: str, count: int) -> None:
    """Exactly so many facts, found on either node, and none of them a repetition."""
    for node in (cluster.a, cluster.b):
        until(lambda: _found(node, service)[0] >= count, seconds=240, what=f"{count} of {service}")  # noqa: B023
        node.drained()
        assert (count, 0) == _found(node, service)


_tries = itertools.count(1)
REPORTED = 4.0  # s after which every process of a node has reported anew


def _tally(node: RunningNode) -> Counter[str]:
    """The sum over all nodes, once it is even and has stayed the same: reports are some seconds old."""
    steady: list[tuple[Counter[str], float]] = []

    def even() -> Counter[str] | None:
        tally: Counter[str] = Counter(node.get("/api/v1/senders")["tally"])
        parts = sum(tally[part] for part in ("refused", "inbox", "new", "already", "variant", "quarantined"))
        tally["asked"] = 1  # true, even where nothing was sent yet
        if tally["received"] != parts or tally["inbox"]:
            steady.clear()
            return None
        if not steady or steady[0][0] != tally:
            steady[:] = [(tally, time.monotonic())]
        return tally if time.monotonic() - steady[0][1] > REPORTED else None

    return until(even, seconds=120, what="an even sum")


@contextmanager
def _still(*processes: psutil.Process) -> Iterator[None]:
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            if process.is_running():
                process.resume()


def test_facts_sent_to_either_node_are_found_on_both_and_counted_once(cluster: Cluster) -> None:
    before = _tally(cluster.a)
    sent = _send(cluster.a, "either", 1, 20) + _send(cluster.b, "either", 10_001, 20)
    _on_both(cluster, "either", sent)
    assert {"a", "b"} == {node["name"] for node in cluster.a.get("/api/v1/senders")["nodes"]}
    for node in (cluster.a, cluster.b):
        after = _tally(node)
        assert (sent, sent) == (
            after["received"] - before["received"],
            after["new"] - before["new"],
        )


def test_the_same_request_sent_to_both_nodes_is_stored_once(cluster: Cluster) -> None:
    body = request("twice", [span(78, n, at=time.time_ns()) for n in range(1, 101)])
    for node in (cluster.a, cluster.b, cluster.a):
        assert 200 == node.send("/v1/traces", body, PROTOBUF)
    _on_both(cluster, "twice", 100)


def test_one_node_cannot_say_while_the_other_has_a_backlog(cluster: Cluster) -> None:
    def asked() -> Any:
        return cluster.b.get("/api/v1/search?q=service:waiting&range=30s")["answer"]

    with _still(*cluster.a.processes("worker")):
        sent = _send(cluster.a, "waiting", 20_001, 3)
        found = until(
            lambda: answer if "not yet indexed" in (answer := asked())["sentence"] else None,
            what="cannot say",
        )
        assert "cannot_say" == found["kind"]
        assert found["sentence"].startswith("Cannot say: 3 requests not yet indexed")
    _on_both(cluster, "waiting", sent)
    assert "seen" == cluster.b.get("/api/v1/search?q=service:waiting&range=1h")["verdict"]


def test_a_broker_that_is_killed_in_the_middle_loses_nothing(cluster: Cluster) -> None:
    sent = _send(cluster.a, "broken", 30_001, 10)
    cluster.rabbitmq.halt(signal.SIGKILL)
    try:
        sent += _send(cluster.a, "broken", 40_001, 10) + _send(cluster.b, "broken", 50_001, 10)
        _on_both(cluster, "broken", sent)
    finally:
        cluster.rabbitmq.start()
    sent += _send(cluster.b, "broken", 60_001, 10)
    _on_both(cluster, "broken", sent)


@pytest.mark.parametrize("part", ["postgres", "search"])
def test_a_database_or_store_that_goes_and_comes_back_loses_nothing(cluster: Cluster, part: str) -> None:
    number = next(_tries)  # a second try must not meet the facts of the first
    server, name, start = getattr(cluster, part), f"without-{part}-{number}", 100_001 * number
    sent = _send(cluster.a, name, start, 5)
    server.halt()
    try:
        sent += _send(cluster.a, name, start + 1_000, 5) + _send(cluster.b, name, start + 2_000, 5)
    finally:
        server.start()
    sent += _send(cluster.b, name, start + 3_000, 5)
    until(lambda: _answers(cluster.a) and _answers(cluster.b), what="both dashboards")
    _on_both(cluster, name, sent)
    until(lambda: all(_up(node) for node in (cluster.a, cluster.b)), what="every heartbeat")


def _answers(node: RunningNode) -> bool:
    try:
        node.get("/api/v1/senders")
    except OSError:
        return False
    return True


def _up(node: RunningNode) -> bool:
    return all(one["up"] for one in node.get("/api/v1/senders")["nodes"])


def test_periodic_work_goes_to_the_other_node_when_its_holder_dies(cluster: Cluster) -> None:
    supervisor = psutil.Process(cluster.a.process.pid) if cluster.a.process else None
    assert supervisor is not None
    with _still(supervisor):  # nobody starts them again meanwhile
        for role in ("worker", "beat"):
            for process in cluster.a.processes(role):
                process.kill()
        lease = "INSERT INTO timeline_lease (task, node, holder, until, done) VALUES (%s, 'a', 'x', 0, 0)"
        change = "ON CONFLICT (task) DO UPDATE SET node = 'a', holder = 'x', until = 0, done = 0"
        cluster.row(f"{lease} {change}", "expire")
        held = "SELECT node, done > 0 FROM timeline_lease WHERE task = 'expire'"
        until(lambda: cluster.row(held) == ("b", True), seconds=100, what="b doing what was a's")
    until(lambda: cluster.a.processes("worker") and cluster.a.processes("beat"), what="both back")


def _leased_until(node: RunningNode) -> int:
    """When the last lease of a worker of the node runs out (ns); 0 where none has leased requests."""
    with closing(sqlite3.connect(f"file:{node.data}/inbox.sqlite3?mode=ro", uri=True)) as inbox:
        return int(
            inbox.execute("SELECT coalesce(max(lease_until), 0) FROM turns WHERE lease != ''").fetchone()[0]
        )


def _takes_writes(node: RunningNode) -> bool:
    """Whether the inbox can be written to at this moment."""
    inbox = sqlite3.connect(node.data / "inbox.sqlite3", timeout=0.05, isolation_level=None)
    try:
        inbox.execute("BEGIN IMMEDIATE")
        inbox.execute("ROLLBACK")
    except sqlite3.OperationalError:
        return False
    else:
        return True
    finally:
        inbox.close()


def _catch_at_work(node: RunningNode, workers: list[psutil.Process], caught: threading.Event) -> None:
    """Suspend a worker in the middle of a drain: with requests that it alone may write."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for process in workers:
            process.suspend()
        # caught while it writes to the inbox, it would lock everybody else out
        if _leased_until(node) and _takes_writes(node):
            caught.set()
            return
        for process in workers:
            process.resume()
        time.sleep(0.02)


@contextmanager
def _another_worker(node: RunningNode) -> Iterator[None]:
    """As a supervisor would start one that took the first for dead."""
    command = [
        *(sys.executable, "-m", "celery", "-A", "config.celery", "--quiet", "worker", "-n", "other@%h")
    ]
    command += ["--pool", "threads", "--concurrency", "2", "--without-gossip", "--without-mingle"]
    with (node.data / "run.log").open("ab") as log:
        process = subprocess.Popen(command, cwd=ROOT, env=node.environ, stdout=log, stderr=log)
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


@pytest.mark.slow
def test_the_late_write_of_a_worker_that_stood_still_doubles_nothing(cluster: Cluster) -> None:
    paused = cluster.a.processes("worker")
    before = _tally(cluster.a)
    caught = threading.Event()
    catching = threading.Thread(target=_catch_at_work, args=(cluster.a, paused, caught))
    catching.start()
    try:
        sent, start = 0, 100_001
        while catching.is_alive():
            sent += _send(cluster.a, "paused", start, 5, each=200)
            start += 1_000
        assert caught.is_set(), "the worker was never caught at work"
        ends = _leased_until(cluster.a)
        assert ends, "nothing has to be taken over"
        with _another_worker(cluster.a):
            cluster.a.drained(seconds=200)  # the lease runs out after a minute, then the other one takes over
            assert time.time_ns() > ends, "it was taken over before its time"
            for process in paused:
                process.resume()
            sent += _send(cluster.a, "paused", start, 1)
            _on_both(cluster, "paused", sent)
            after = _tally(cluster.b)
            assert (sent, sent) == (after["received"] - before["received"], after["new"] - before["new"])
    finally:
        for process in paused:
            process.resume()
