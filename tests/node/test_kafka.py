"""Kafka in front of a node: ``manage.py consume`` as an operator starts it."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic

from tests.node.harness import ROOT, RunningNode, until
from tests.node.otlp import request, span
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import Kafka

pytestmark = pytest.mark.server


def _listens(process: subprocess.Popen[bytes]) -> bool:
    """Whether SIGTERM ends it in order by now; before, in the middle of its imports, it ends at once."""
    status = Path(f"/proc/{process.pid}/status").read_text()
    caught = next(line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:"))
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@contextmanager
def consuming(node: RunningNode, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """``manage.py consume`` beside the block; it must end in order."""
    with (node.data / "consume.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "consume", *words],
            cwd=ROOT,
            env=node.environ,
            stdout=log,
            stderr=log,
        )
    try:
        until(lambda: _listens(process), what="a consumer that can be asked to stop")
        yield process
    finally:
        process.send_signal(signal.SIGCONT)
        process.terminate()
        code = process.wait(40)
    assert 0 == code, (node.data / "consume.log").read_text()[-3000:]


def _write(kafka: Kafka, start: int, count: int) -> None:
    producer = Producer({"bootstrap.servers": kafka.url})
    for number in range(start, start + count):
        body = request("collected", [span(3, number, attributes={"crate.id": f"c-{number}"})])
        producer.produce("otlp_spans", body)
    assert 0 == producer.flush(30)


def _asked(node: RunningNode, asked: str = "1h") -> Any:
    return node.get(f"/api/v1/search?q=service:collected&range={asked}")


def test_what_a_collector_wrote_is_found_and_what_waits_in_kafka_is_known(tmp_path: Path) -> None:
    with Kafka() as kafka, Elasticsearch(heap="512m") as search:
        admin = AdminClient({"bootstrap.servers": kafka.url})
        for future in admin.create_topics(
            [NewTopic(name, 2, 1) for name in ("otlp_spans", "otlp_logs")]
        ).values():
            future.result(10)
        store = f"elasticsearch://127.0.0.1:{search.port}/kafka"
        node = RunningNode(tmp_path / "node", THROUGHLINE_STORE_URL=store, THROUGHLINE_NODE="n1")
        properties = tmp_path / "kafka.properties"
        properties.write_text(f"# where\nbootstrap.servers = {kafka.url}\nclient.id=tests\n")
        try:
            node.start()
            with consuming(node, "--config", str(properties)) as consumer:
                _write(kafka, 1, 50)
                until(lambda: _asked(node)["total"]["value"] == 50, what="50 facts")
                roles = {(one["role"], one["up"]) for one in node.get("/api/v1/senders")["nodes"]}
                assert ("consumer", True) in roles
                consumer.send_signal(signal.SIGSTOP)
                _write(kafka, 51, 50)
                until(
                    lambda: (
                        "node n1 has not reported" in _asked(node, "10s")["answer"]["sentence"]
                        or "n1" in str(_asked(node, "10s")["answer"]["causes"])
                    ),
                    what="a consumer that is missed",
                )
            with consuming(node, "--brokers", kafka.url):
                until(lambda: _asked(node)["total"]["value"] == 100, what="100 facts")
                tally = until(
                    lambda: (
                        found if (found := node.get("/api/v1/senders")["tally"])["received"] == 100 else None
                    ),
                    what="the accounting",
                )
            assert (100, 0) == (tally["new"], tally["inbox"])
        finally:
            node.stop()


def test_an_embedded_index_is_not_written_by_two(tmp_path: Path) -> None:
    node = RunningNode(tmp_path / "node")
    node.data.mkdir()
    done = subprocess.run(
        [sys.executable, "manage.py", "consume", "--brokers", "127.0.0.1:1"],
        cwd=ROOT,
        env=node.environ,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert 1 == done.returncode
    assert "the embedded index has one writer" in done.stderr
