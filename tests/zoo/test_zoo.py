"""The zoo: every style tells the story, the product rebuilds it, and it is always the same story."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.node.harness import ROOT, RunningNode, until
from tests.servers.kafka import Kafka
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.zoo.environment import stock_python
from tests.zoo.expected import HOPS, STOCK, TIMELINE
from tests.zoo.styles import Style, styles

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(600)]
STYLES = styles()


@pytest.fixture(scope="module")
def kafka() -> Iterator[str]:
    with Kafka() as server:
        yield server.url


@pytest.fixture(scope="module")
def rabbitmq() -> Iterator[str]:
    with RabbitMQ() as server:
        yield server.url.removesuffix("//") + "/%2F"


@pytest.fixture(scope="module")
def redis() -> Iterator[str]:
    with Redis() as server:
        yield server.url


@pytest.fixture(scope="module")
def node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    running = RunningNode(tmp_path_factory.mktemp("node")).start()
    yield running
    running.stop()


def told(style: Style, broker: str, node: RunningNode) -> tuple[str, dict[str, Any]]:
    """The order that the story was told of in this style, and what its teller says of it."""
    order = f"o-{style.name.replace(' ', '-')}"
    python = stock_python() if style.stock else sys.executable
    done = subprocess.run(
        [python, "-m", "tests.zoo.emit", style.name, broker, node.receiver, order],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert 0 == done.returncode, done.stderr[-4000:]
    node.drained()
    return order, json.loads(done.stdout.splitlines()[-1])


def place(hop: dict[str, Any]) -> str:
    """The destination as its producer names it: of RabbitMQ's ``exchange:key:queue`` the exchange."""
    return str(hop["destination"]).partition(":")[0]


def hops(node: RunningNode, order: str, traces: list[str]) -> list[dict[str, Any]]:
    """Every hop of these traces, each once.

    A trace that ends with sending does not know who took the message where the consumer's own does.
    """
    found = {}
    for trace in traces:
        answer = until(lambda trace=trace: node.get(f"/api/v1/traces/{trace}"), what="the trace")
        for hop in answer["hops"]:
            facts = (
                hop["producer"],
                hop["consumer"] or hop["receiver"],  # the trace of a handler may not know who received
                hop["event"],
                hop["offset"],
                hop["attempt"],
            )
            found[facts] = hop
    taken = {(hop["producer"], place(hop)) for hop in found.values() if hop["consumer_service"]}
    return [
        hop for hop in found.values() if hop["consumer_service"] or (hop["producer"], place(hop)) not in taken
    ]


def graph(rows: list[dict[str, Any]], order: str) -> Counter[Any]:
    """Hops as the table writes them."""
    return Counter(
        (
            hop["producer_service"],
            place(hop).removeprefix(f"{order}."),
            hop["consumer_service"],
            hop["attempt"],
            hop["outcome"],
        )
        for hop in rows
    )


@pytest.mark.parametrize("style", [name for name, style in STYLES.items() if not style.stock])
def test_every_style_of_ours_is_rebuilt_to_the_one_graph_and_the_one_timeline(
    style: str, request: pytest.FixtureRequest, node: RunningNode
) -> None:
    order, said = told(STYLES[style], request.getfixturevalue(STYLES[style].broker), node)
    assert {} == said["losses"]
    assert Counter(HOPS) == graph(hops(node, order, said["traces"]), order)
    answer = node.get(f"/api/v1/entities/order/{order}/timeline")
    doing = [
        (row["lane"], row["what"]) for row in answer["entries"] if (row["lane"], row["what"]) in TIMELINE
    ]
    assert TIMELINE == doing


@pytest.mark.parametrize("style", [name for name, style in STYLES.items() if style.stock])
def test_what_the_stock_packages_send_is_rebuilt_as_far_as_they_tell(
    style: str, request: pytest.FixtureRequest, node: RunningNode
) -> None:
    order, said = told(STYLES[style], request.getfixturevalue(STYLES[style].broker), node)
    assert Counter(STOCK[style]) == graph(hops(node, order, said["traces"]), order)
