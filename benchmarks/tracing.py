"""``make bench-tracing``: what tracing adds to a message, beside the plain client and the stock package.

Each way of each client runs in processes of its own, by turns, on one real broker; of several rounds the cheapest
counts, as noise only ever adds. CPU is that of the whole process, the client's own threads included.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.run import RESULTS, machine
from tests.node.harness import ROOT
from tests.servers.kafka import Kafka
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.zoo.environment import stock_python

WAYS = ("plain", "ours", "instrumented", "stock")
HANDLER_US = 5_000  # a handler that works 5 ms
FAMILIES: dict[str, tuple[str, dict[str, int]]] = {
    # module that runs one client: messages per round
    "kafka": (
        "benchmarks.tracing_kafka",
        {"confluent_kafka": 20_000, "kafka_python": 5_000, "aiokafka": 5_000},
    ),
    "rabbitmq": ("benchmarks.tracing_brokers", {"pika": 3_000, "aio_pika": 3_000, "celery": 2_000}),
    "redis": ("benchmarks.tracing_brokers", {"redis_streams": 5_000}),
    "none": ("benchmarks.tracing_brokers", {"django": 3_000}),
}


def main() -> None:
    """Measure, print, and write one result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=float, default=1.0, help="of the messages of a round")
    parser.add_argument("--families", nargs="*", default=list(FAMILIES), choices=list(FAMILIES))
    options = parser.parse_args()
    load = [os.getloadavg()[1]]
    clients = measure(options.rounds, options.share, options.families)
    load.append(os.getloadavg()[1])  # what else the machine was doing, our own one or two included
    figures: dict[str, Any] = {"machine": machine(), "load": load, "clients": clients}
    for client, found in figures["clients"].items():
        show(client, found)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"tracing-{datetime.now(UTC):%Y-%m-%d}.json"
    file.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\nwritten to benchmarks/results/{file.name}")


def measure(rounds: int, share: float = 1.0, families: Collection[str] = tuple(FAMILIES)) -> dict[str, Any]:
    """Figures by client: each way's cheapest round, and what it adds to the plain one."""
    python, found = stock_python(), {}
    for family in families:
        module, clients = FAMILIES[family]
        with BROKERS[family]() as place:
            for client, count in clients.items():
                found[client] = compare(python, module, client, place, rounds, max(200, int(count * share)))
    return found


def compare(python: Path, module: str, client: str, place: Any, rounds: int, count: int) -> dict[str, Any]:
    """One client, every way by turns."""
    runs: dict[str, list[dict[str, float]]] = {way: [] for way in WAYS}
    for turn in range(rounds):
        for way in WAYS:
            url, topic = place(f"{client}-{way}-{turn}")
            done = subprocess.run(
                [python, "-m", module, client, way, url, topic, str(count // 100 * 100)],
                cwd=ROOT,
                capture_output=True,
                text=True,
                timeout=300,
            )
            if done.returncode:
                raise RuntimeError(f"{client}, {way}: {done.stderr[-2000:]}")
            runs[way].append(json.loads(done.stdout.splitlines()[-1]))
    best = {way: {name: min(run[name] for run in rows) for name in rows[0]} for way, rows in runs.items()}
    plain = best["plain"]
    for way in WAYS[1:]:
        for part in ("send", "handle"):
            best[way][f"{part}_added_us"] = best[way][f"{part}_us"] - plain[f"{part}_us"]
            best[way][f"{part}_ratio"] = best[way][f"{part}_us"] / plain[f"{part}_us"]
        best[way]["of_a_5_ms_handler"] = best[way]["handle_added_us"] / HANDLER_US
        best[way]["header_bytes"] -= plain["header_bytes"]
    return {way: {name: round(value, 4) for name, value in row.items()} for way, row in best.items()}


def show(client: str, found: dict[str, Any]) -> None:
    """One table."""
    print(f"\n{client}: us of CPU per message; plain sends in {found['plain']['send_us']:.1f}", end="")
    print(f" and handles in {found['plain']['handle_us']:.1f}")
    for way in WAYS[1:]:
        row = found[way]
        print(
            f"  {way:<13} send +{row['send_added_us']:5.1f} (x{row['send_ratio']:.2f})"
            f"   handle +{row['handle_added_us']:5.1f} (x{row['handle_ratio']:.2f},"
            f" {row['of_a_5_ms_handler']:.2%} of a 5 ms handler)   header bytes +{row['header_bytes']:.0f}"
        )


@contextmanager
def kafka() -> Iterator[Any]:
    """A real Kafka; gives what makes a topic and says its url."""
    with Kafka() as server:
        admin = AdminClient({"bootstrap.servers": server.url})

        def place(name: str) -> tuple[str, str]:
            admin.create_topics([NewTopic(name, 1, 1)])[name].result(20)
            return server.url, name

        yield place


@contextmanager
def rabbitmq() -> Iterator[Any]:
    """A real RabbitMQ; clients declare the queue themselves."""
    with RabbitMQ() as server:
        yield lambda name: (server.url.removesuffix("//") + "/%2F", name)


@contextmanager
def redis() -> Iterator[Any]:
    """A real Redis."""
    with Redis() as server:
        yield lambda name: (server.url, name)


@contextmanager
def none() -> Iterator[Any]:
    """No broker at all."""
    yield lambda name: ("", name)


BROKERS = {"kafka": kafka, "rabbitmq": rabbitmq, "redis": redis, "none": none}


if __name__ == "__main__":
    main()
