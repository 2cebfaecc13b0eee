"""A real receiver under granian: slow senders, large bodies, restarts, keys and hints."""

from __future__ import annotations

import gzip
import http.client
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from tests.receiving import ROOT, Running, wait_for
from tests.timeline.receive import otlp
from tests.timeline.receive.otlp import JSON, PROTOBUF

pytestmark = pytest.mark.server
MIB = 1 << 20


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """A receiver on loopback for all tests of this file that leave it as it was."""
    receiver = Running(tmp_path_factory.mktemp("receiver"))
    yield receiver
    receiver.stop()


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Running]:
    """A receiver of its own."""
    receiver = Running(tmp_path)
    yield receiver
    receiver.stop()


def post(
    running: Running, path: str, headers: dict[str, str], body: bytes
) -> tuple[int, dict[str, str], bytes, float]:
    """Status, headers and body of an answer, and the seconds it took."""
    began = time.monotonic()
    connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=30)
    connection.request("POST", path, body, headers)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, content, time.monotonic() - began


def rss(pid: int) -> int:
    """Resident bytes of a process."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu(pid: int) -> float:
    """Seconds that a process has worked so far, whatever else the machine had to do."""
    worked = psutil.Process(pid).cpu_times()
    return worked.user + worked.system


def rows(running: Running, sql: str) -> list[tuple[object, ...]]:
    """A question to the relational database."""
    with sqlite3.connect(running.folder / "throughline.sqlite3") as connection:
        return connection.execute(sql).fetchall()


def slow_sender(running: Running) -> socket.socket:
    """A connection that sends the start of a body and then nothing."""
    sender = socket.create_connection(("127.0.0.1", running.port), timeout=30)
    sender.sendall(
        b"POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        b"content-length: 500000\r\n\r\n{"
    )
    return sender


def test_five_hundred_slow_senders_and_as_many_idle_ones_starve_nobody(running: Running) -> None:
    idle = [socket.create_connection(("127.0.0.1", running.port)) for _ in range(500)]
    slow = [slow_sender(running) for _ in range(500)]
    try:
        for _ in range(5):
            status, _, _, took = post(running, "/v1/traces", JSON, otlp.traces())
            assert 200 == status
            assert took < 5, "it waited for slow senders, who are given up after 10 s"
            connection = http.client.HTTPConnection("127.0.0.1", running.port, timeout=5)
            connection.request("GET", "/healthz")
            assert 200 == connection.getresponse().status
            connection.close()
        running.accepted(5)
        first = slow[0].recv(4096)
        assert first.startswith(b"HTTP/1.1 503 ")
        assert b"retry-after: 1\r\n" in first
        ended = [sender for sender in slow[1:] if sender.recv(4096).startswith(b"HTTP/1.1 503 ")]
        assert 499 == len(ended)
        assert b"" == slow[0].recv(1)
    finally:
        for connection_ in (*idle, *slow):
            connection_.close()
    assert 0 == running.inbox().backlog().requests


def test_a_slow_sender_whose_bytes_keep_coming_is_heard(running: Running) -> None:
    body = otlp.traces()
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as sender:
        head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        sender.sendall(f"{head}content-length: {len(body)}\r\n\r\n".encode())
        for start in range(0, len(body), 20):
            sender.sendall(body[start : start + 20])
            time.sleep(0.02)  # this is what makes it slow
        assert sender.recv(4096).startswith(b"HTTP/1.1 200 ")
    running.accepted()


@pytest.mark.parametrize("framing", ["length", "chunked"])
def test_a_body_cut_off_by_its_sender_is_never_stored(running: Running, framing: str) -> None:
    body = otlp.traces()
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as sender:
        head = "POST /v1/traces HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
        if framing == "length":
            sender.sendall(f"{head}content-length: {len(body) + 1}\r\n\r\n".encode() + body)
        else:
            sender.sendall(
                f"{head}transfer-encoding: chunked\r\n\r\n{len(body):x}\r\n".encode() + body + b"\r\n"
            )
        sender.shutdown(socket.SHUT_WR)
        while sender.recv(4096):
            pass
    post(running, "/v1/logs", JSON, otlp.logs())
    assert ["logs"] == [request.signal for request in running.accepted()]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (PROTOBUF, lambda: bytes(64 * MIB + 1)),
        (PROTOBUF | {"content-encoding": "gzip"}, lambda: gzip.compress(bytes(64 * MIB + 1))),
        (PROTOBUF | {"content-encoding": "gzip"}, lambda: gzip.compress(bytes(300 * MIB), 9)),
        (PROTOBUF | {"content-encoding": "gzip"}, lambda: gzip.compress(otlp.empty_spans(200_000))),
    ],
    ids=["plain", "inflated", "bomb", "empty spans"],
)  # fmt: skip
def test_what_is_too_large_is_refused_within_a_second_in_bounded_memory(
    running: Running, headers: dict[str, str], body: Callable[[], bytes]
) -> None:
    large, worker = body(), running.worker()
    held, spent = rss(worker), cpu(worker)
    status, answered, _, took = post(running, "/v1/traces", headers, large)
    assert (413, "application/x-protobuf") == (status, answered["content-type"])
    assert cpu(worker) - spent < 1
    assert took < 10  # on a machine of its own a second; of this one others take their share
    assert rss(worker) - held < 150 * MIB
    assert 200 == post(running, "/v1/traces", JSON, otlp.traces())[0]
    running.accepted()


def test_a_body_at_the_limit_is_taken(running: Running) -> None:
    filler = "x" * (4 * MIB - 1000)
    body = b"".join(otlp.traces_protobuf(1, name=filler) for _ in range(15))
    status, _, content, _ = post(running, "/v1/traces", PROTOBUF, body)
    assert (200, b"") == (status, content)
    assert [15] == [request.items for request in running.accepted()]


def test_a_refusal_can_be_looked_at_within_a_second(fresh: Running) -> None:
    for _ in range(20):
        post(fresh, "/v1/traces", PROTOBUF, b"garbage")
    found = wait_for(
        lambda: [
            row for row in rows(fresh, "SELECT sum(items), min(sample) FROM timeline_refusal") if row[0] == 20
        ],
        "the refusals",
        3,
    )
    assert [(20, b"garbage")] == found
    assert {("received", ""): 20, ("refused", "malformed"): 20} == fresh.tally()


def test_the_heartbeat_tells_what_waits(fresh: Running) -> None:
    post(fresh, "/v1/traces", JSON, otlp.traces({}, {}))
    sql = "SELECT role, pending_requests, pending_items, tally FROM timeline_node WHERE name = 'tested'"
    (role, requests, items, tally), *others = wait_for(
        lambda: [row for row in rows(fresh, sql) if row[1]], "a heartbeat", 5
    )
    assert (["receiver", 1, 2], []) == ([role, requests, items], others)
    assert [("received", 2)] == [(line["what"], line["items"]) for line in json.loads(str(tally))]


def test_a_restart_is_recorded_as_an_outage_and_keeps_what_was_accepted(fresh: Running) -> None:
    post(fresh, "/v1/traces", JSON, otlp.traces())
    wait_for(lambda: rows(fresh, "SELECT beat FROM timeline_node"), "a heartbeat")
    assert [] == rows(fresh, "SELECT * FROM timeline_outage")
    os.kill(fresh.worker(), signal.SIGKILL)
    fresh.process.kill()
    fresh.process.wait()
    killed = time.time_ns()
    fresh.start()
    (start, end, reason), *others = wait_for(
        lambda: rows(fresh, "SELECT start, end, reason FROM timeline_outage"), "an outage"
    )
    assert [] == others
    assert start <= killed <= end
    assert "the receiver was not running" == reason
    assert [1] == [request.items for request in fresh.accepted()]


def test_a_worker_dies_with_its_master(fresh: Running) -> None:
    fresh.process.kill()
    fresh.process.wait()

    def refused() -> bool:
        try:
            socket.create_connection(("127.0.0.1", fresh.port), timeout=1).close()
        except ConnectionRefusedError:
            return True
        return False

    wait_for(refused, "the orphaned worker to end")


def test_an_orderly_stop_is_quick_even_with_a_stalled_sender(fresh: Running) -> None:
    stalled = slow_sender(fresh)
    began = time.monotonic()
    fresh.stop()
    assert time.monotonic() - began < 15
    stalled.close()


def test_a_hint_reaches_the_nodes_queue(fresh: Running) -> None:
    queue = fresh.folder / "broker" / "queue"
    for _ in range(30):
        post(fresh, "/v1/traces", JSON, otlp.traces())
    (hint, *others) = wait_for(lambda: list(queue.glob("*drain.tested*")), "a hint")
    assert b"timeline.tasks.drain" in hint.read_bytes()
    assert len(others) < 29


def test_a_key_made_on_the_command_line_opens_and_a_revoked_one_closes(fresh: Running) -> None:
    code = (
        "import django; django.setup(); from timeline import keys;"
        "print(keys.create('payments', 'ingest', workspace='shop'))"
    )
    environment = os.environ | {
        "THROUGHLINE_DATA_DIR": str(fresh.folder),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    made = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    headers = JSON | {"authorization": f"Bearer {made.stdout.strip()}", "x-forwarded-for": "10.0.0.1"}
    assert 200 == post(fresh, "/v1/traces", headers, otlp.traces())[0]
    assert [("payments", "shop")] == [(request.sender, request.workspace) for request in fresh.accepted()]
    with sqlite3.connect(fresh.folder / "throughline.sqlite3") as connection:
        connection.execute("UPDATE timeline_token SET revoked = '2020-01-01 00:00:00'")
    # 5 s after it was asked for last; a key that nobody asks for again would serve a minute
    wait_for(lambda: post(fresh, "/v1/traces", headers, otlp.traces())[0] == 401, "the key to be dead", 30)


def test_headers_that_are_not_ascii_are_seen_through_the_server(running: Running) -> None:
    with socket.create_connection(("127.0.0.1", running.port), timeout=10) as sender:
        sender.sendall(
            "POST /v1/events HTTP/1.1\r\nhost: x\r\nce-id: 1\r\nce-source: /s\r\nce-type: t\r\nce-specversion: 1.0\r\n"
            "ce-subject: café\r\ncontent-length: 0\r\n\r\n".encode()
        )
        assert sender.recv(4096).startswith(b"HTTP/1.1 400 ")
