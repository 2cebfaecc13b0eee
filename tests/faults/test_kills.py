"""Killing Elasticsearch and the worker while facts flow: nothing acknowledged is lost, nothing is doubled."""

from __future__ import annotations

import random
import threading
import time

import pytest

from tests.faults.conftest import Bench
from tests.faults.ledger import SEED
from tests.faults.watching import watching
from tests.node.harness import RunningNode, until

pytestmark = [pytest.mark.server]


def _kill_workers(node: RunningNode, kills: int, seed: int, killed: list[float]) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        until(lambda: node.processes("worker"), what="a running worker")
        time.sleep(chance.uniform(0.0, 2.0))  # the moment of the kill is what is random here
        node.kill("worker")
        killed.append(time.monotonic())


def _kill_cluster(bench: Bench, kills: int, seed: int) -> None:
    """Each time while a bulk is under way, or a moment after."""
    chance = random.Random(seed)
    for _ in range(kills):
        bench.proxy.bulk_came.clear()
        assert bench.proxy.bulk_came.wait(180), "no bulk came"
        time.sleep(chance.uniform(0.0, 0.3))  # as above
        bench.cluster.kill()
        bench.cluster.start()


def _die(bench: Bench, *, clusters: int, workers: int) -> None:
    ledger = bench.ledger(f"kills-{clusters}")
    killed: list[float] = []
    began = time.monotonic()
    with watching(bench.node) as watch:
        with ledger.load(threads=1, pause=0.1):
            killer = threading.Thread(
                target=_kill_workers, args=(bench.node, workers, SEED, killed), daemon=True
            )
            killer.start()
            _kill_cluster(bench, clusters, SEED + 1)
            killer.join(600)
        until(lambda: bench.node.processes("worker"), what="a running worker")
        bench.quiet()
    assert workers == len(killed)
    bench.settled(ledger, watch)
    print(f"{clusters} kills of Elasticsearch, {workers} of the worker in {time.monotonic() - began:.0f} s")


@pytest.mark.timeout(900)
def test_kills_of_elasticsearch_and_of_workers_lose_and_double_nothing(bench: Bench) -> None:
    _die(bench, clusters=2, workers=8)


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_ten_kills_of_elasticsearch_and_fifty_of_workers_lose_and_double_nothing(bench: Bench) -> None:
    _die(bench, clusters=10, workers=50)
