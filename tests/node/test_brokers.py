"""Brokers between machines: with each of them hints arrive, and without it nothing is lost."""

from __future__ import annotations

import signal
import sqlite3
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psutil
import pytest
from celery import Celery
from kombu import Exchange, Queue
from redis import Redis as StrictRedis

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, request, span
from tests.servers.process import Server
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis

pytestmark = pytest.mark.server


def _send(node: RunningNode, number: int) -> None:
    body = request("shop", [span(1, number, attributes={"parcel": f"p-{number}"})])
    began = time.monotonic()
    assert 200 == node.send("/v1/traces", body, PROTOBUF)
    assert time.monotonic() - began < 2, "the broker held up a sender"


def _found(node: RunningNode, number: int) -> bool:
    return bool(node.get(f"/api/v1/search?q=parcel:p-{number}&range=1h")["total"]["value"] == 1)


def _connected(node: RunningNode, port: int) -> Callable[[], bool]:
    """Whether the worker has a connection to the broker now."""

    def check() -> bool:
        return any(
            one.raddr and one.raddr.port == port and one.status == psutil.CONN_ESTABLISHED
            for process in node.processes("worker")
            for one in process.net_connections("tcp")
        )

    return check


def _ticks(node: RunningNode, broker: Server) -> None:
    """A task offered to the node's queue is taken from it and done: no sweeper would do this one."""
    app = Celery(broker=broker.url)
    queue = Queue("drain.n1", exchange=Exchange(""), routing_key="drain.n1", no_declare=True)
    with closing(sqlite3.connect(node.data / "throughline.sqlite3", timeout=10)) as database, database:
        database.execute("DELETE FROM timeline_lease")

    def done() -> bool:
        # again and again: what is sent before the worker has made its queue goes nowhere
        app.send_task("timeline.tasks.tidy_node", queue=queue)
        with closing(sqlite3.connect(node.data / "throughline.sqlite3", timeout=10)) as database:
            found = database.execute("SELECT done FROM timeline_lease WHERE task = 'tidy n1'").fetchone()
        return bool(found and found[0])

    try:
        until(done, what="a tick through the broker")
    except AssertionError as error:
        said = [node.log.read_text()[-4000:], broker.log()[-2000:]]
        raise AssertionError("\n\n".join([str(error), *said])) from error
    app.close()


@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", [RabbitMQ, Redis])
def test_a_broker_may_be_away_at_the_start_come_and_go_hang_and_be_full(
    kind: type[RabbitMQ | Redis], tmp_path: Path
) -> None:
    broker = kind()
    node = RunningNode(tmp_path / "node", THROUGHLINE_BROKER_URL=broker.url, THROUGHLINE_NODE="n1")
    try:
        node.start()
        _send(node, 1)
        until(lambda: _found(node, 1), what="found without any broker")
        broker.start()
        until(_connected(node, broker.port), what="the worker at the broker")
        _ticks(node, broker)
        _send(node, 2)
        until(lambda: _found(node, 2), what="found by a hint")
        broker.halt(signal.SIGKILL)
        _send(node, 3)
        until(lambda: _found(node, 3), what="found after the broker died")
        broker.start()
        until(_connected(node, broker.port), what="the worker at the broker again")
        _ticks(node, broker)
        processes = _machines(broker)
        for process in processes:
            process.suspend()
        try:
            for number in range(4, 10):
                _send(node, number)
            until(lambda: _found(node, 9), what="found while the broker hangs")
        finally:
            for process in processes:
                process.resume()
        _send(node, 10)
        until(lambda: _found(node, 10), what="found once it goes on")
        broker.full(True)
        for number in range(11, 15):
            _send(node, number)
        until(lambda: _found(node, 14), what="found while the broker takes nothing")
        broker.full(False)
        _send(node, 15)
        until(lambda: _found(node, 15), what="found in the end")
        until(_connected(node, broker.port), what="the worker at the broker in the end")
        _ticks(node, broker)
        tally = node.get("/api/v1/senders")["tally"]
        assert (15, 15, 0) == (tally["received"], tally["new"], tally["inbox"])
    finally:
        node.stop()
        broker.stop()


def _machines(broker: Server) -> list[psutil.Process]:
    assert broker.process is not None
    launcher = psutil.Process(broker.process.pid)
    return [launcher, *launcher.children(recursive=True)]


def test_a_refused_login_is_told_in_one_line_with_the_remedy_and_holds_nothing_up(tmp_path: Path) -> None:
    with RabbitMQ() as broker:
        wrong = broker.url.replace("guest:guest", "guest:wrong")
        refused = broker.log().count("login refused")
        node = RunningNode(tmp_path / "node", THROUGHLINE_BROKER_URL=wrong)
        try:
            node.start()
            until(lambda: broker.log().count("login refused") > refused + 20, seconds=60, what="many tries")
            _send(node, 1)
            until(lambda: _found(node, 1), seconds=20, what="found although the broker refuses")
        finally:
            node.stop()
    lines = [line for line in node.log.read_text().splitlines() if "Cannot connect" in line]
    assert 1 == len(lines)
    assert "set the user, password and vhost of THROUGHLINE_BROKER_URL" in lines[0]
    assert "Traceback" not in node.log.read_text()


def test_a_redis_that_flaps_and_forgets_costs_nothing_but_hints(tmp_path: Path) -> None:
    broker = Redis().start()
    node = RunningNode(tmp_path / "node", THROUGHLINE_BROKER_URL=broker.url, THROUGHLINE_NODE="n1")
    try:
        node.start()
        until(_connected(node, broker.port), what="the worker at the broker")
        for number in range(1, 5):  # dead and back again, each time under load
            broker.halt(signal.SIGKILL)
            _send(node, 2 * number)
            broker.start()
            _send(node, 2 * number + 1)
        with closing(StrictRedis.from_url(broker.url)) as client:
            client.flushall()
        _send(node, 10)
        until(lambda: _found(node, 10), what="found after everything was wiped")
        until(_connected(node, broker.port), what="the worker at the broker in the end")
        _ticks(node, broker)
        tally = node.get("/api/v1/senders")["tally"]
        assert (9, 9, 0) == (tally["received"], tally["new"], tally["inbox"])
    finally:
        node.stop()
        broker.stop()
