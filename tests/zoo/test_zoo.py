"""The zoo: every style tells the story, the product rebuilds it, and it is always the same story."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import uuid
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import datetime
from fnmatch import fnmatchcase
from typing import Any

import pytest

from tests.node.harness import ROOT, RunningNode
from tests.servers.kafka import Kafka
from tests.servers.rabbitmq import RabbitMQ
from tests.servers.redis import Redis
from tests.zoo import canvas, expected
from tests.zoo.environment import stock_python
from tests.zoo.story import GROUPS
from tests.zoo.styles import Style, styles

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(600)]
STYLES = styles()
AT_ONCE = 3  # stories told beside each other: they mostly wait for their brokers
MS = 1_000_000


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


@pytest.fixture(scope="module")
def told(request: pytest.FixtureRequest, node: RunningNode) -> Iterator[dict[str, Future[dict[str, Any]]]]:
    """By style what its teller says, of every style that this run asks for."""
    asked = [
        item.callspec.params["style"]
        for item in request.session.items
        if item.path == request.path and "style" in item.callspec.params
    ]
    brokers = {name: request.getfixturevalue(name) for name in {STYLES[style].broker for style in asked}}
    stock = stock_python() if any(STYLES[style].stock for style in asked) else ""
    with ThreadPoolExecutor(AT_ONCE) as pool:
        yield {
            style: pool.submit(
                tell, STYLES[style], stock if STYLES[style].stock else sys.executable, brokers, node
            )
            for style in asked
        }
        pool.shutdown(cancel_futures=True)


def order_of(style: str) -> str:
    return f"o-{style.replace(' ', '-')}"


def tell(style: Style, python: object, brokers: dict[str, str], node: RunningNode) -> dict[str, Any]:
    """Have the story told in this style, in a process of its own."""
    return run(
        "tests.zoo.emit", python, style.name, brokers[style.broker], node.receiver, order_of(style.name)
    )


def run(module: str, python: object, *arguments: str) -> dict[str, Any]:
    """What a teller prints."""
    done = subprocess.run(
        [str(python), "-m", module, *arguments],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": str(ROOT), "DJANGO_SETTINGS_MODULE": ""},  # ours is not the shop's
        capture_output=True,
        text=True,
        timeout=400,
    )
    assert 0 == done.returncode, done.stderr[-4000:]
    return dict(json.loads(done.stdout.splitlines()[-1]))


def place(hop: dict[str, Any], order: str) -> str:
    """The destination's name in the story: queues of RabbitMQ and Celery say the group after it."""
    return re.split("[:.]", str(hop["destination"]).removeprefix(f"{order}."))[0]


def facts(hop: dict[str, Any], order: str) -> tuple[str, ...]:
    """A rebuilt hop as the table writes it."""
    return (
        hop["producer_service"],
        place(hop, order),
        hop["consumer_service"],
        str(hop["attempt"]),
        hop["outcome"],
    )


@pytest.mark.parametrize("style", STYLES)
def test_every_style_is_rebuilt_to_the_one_graph_and_the_one_timeline(
    style: str, told: dict[str, Future[dict[str, Any]]], node: RunningNode
) -> None:
    order, said = order_of(style), told[style].result()
    assert {} == said["losses"]
    node.drained()
    answer = node.get(f"/api/v1/entities/order/{order}/timeline?expand=true")
    hops = expected.hops(style)
    assert Counter(hop.facts for hop in hops) == Counter(facts(hop, order) for hop in answer["hops"])
    least = {hop.facts: hop for hop in hops}
    first = {
        (hop["consumer_service"], place(hop, order)): hop for hop in answer["hops"] if hop["attempt"] == 1
    }
    for hop in answer["hops"]:
        before = first.get((hop["consumer_service"], place(hop, order))) if hop["attempt"] > 1 else None
        assert_bounds(least[facts(hop, order)], hop, before, said["took"])

    timeline = expected.timeline([group for gone in STYLES[style].without for group in GROUPS[gone]])
    entries = [(entry["lane"], entry["what"]) for entry in answer["entries"]]
    assert timeline == [entry for entry in entries if entry in timeline]
    if STYLES[style].door:
        assert_door(answer)


def begun(hop: dict[str, Any]) -> int:
    """When (ns) its handling began, or its taking where nobody told of a handling."""
    whole, _, part = (hop["started"] or hop["received"]).rstrip("Z").partition(".")
    return round(datetime.fromisoformat(whole + "+00:00").timestamp()) * 1000 * MS + int(part.ljust(9, "0"))


def assert_bounds(least: expected.Hop, hop: dict[str, Any], before: dict[str, Any] | None, took: int) -> None:
    """It waited and was worked on as long as the story made sure of, and not longer than the story took."""
    wait, work = (None if hop[name] is None else int(hop[name]) for name in ("wait_ns", "work_ns"))
    assert (least.waited is None, least.worked is None) == (wait is None, work is None), hop
    waited = wait or 0 if before is None else begun(hop) - begun(before)
    assert (least.waited or 0) * MS <= waited, hop
    assert (least.worked or 0) * MS <= (work or 0), hop
    assert 0 <= (wait or 0) < took - (work or 0), hop


def assert_door(answer: dict[str, Any]) -> None:
    """The request is what the shop's events come from, and the customer's call what the request comes from."""
    entries = {entry["fact"]: entry for entry in answer["entries"]}
    sent = {hop["producer"] for hop in answer["hops"] if hop["producer_service"] == "shop"}
    for producer in sent:
        entry = entries[producer]
        while entry["what"] != "check out":  # a client may have spans around the one whose context goes along
            entry = entries[entry["parent"]]
        for lane, what in expected.rows(expected.DOOR):
            assert entry is not None, f"nothing is the cause where {lane} should be: {what}"
            assert lane == entry["lane"]
            assert fnmatchcase(entry["what"], what)
            entry = entries.get(entry["parent"])
        assert entry is None


@pytest.mark.parametrize("broker", ["rabbitmq", "redis"])
def test_a_chain_and_a_chord_are_rebuilt_to_one_story(
    broker: str, redis: str, node: RunningNode, request: pytest.FixtureRequest
) -> None:
    order = f"o-canvas-{broker}-{uuid.uuid4().hex[:6]}"  # told anew where the test is run again
    said = run(
        "tests.zoo.canvas", sys.executable, request.getfixturevalue(broker), redis, node.receiver, order
    )
    assert {} == said["losses"]
    node.drained()
    answer = node.get(f"/api/v1/entities/order/{order}/timeline?expand=true")
    told = Counter({tuple(cells): int(often) for *cells, often in expected.rows(canvas.HOPS, head=0)})
    assert told == Counter(facts(hop, order) for hop in answer["hops"])
    # the task's id would tie the two sides together as well: it must be the context that did
    assert {hop["joined_by"] for hop in answer["hops"]} <= {"parent", "link"}
    entries = {entry["fact"]: entry for entry in answer["entries"]}
    for last, causes in canvas.CAUSES.items():
        (entry,) = (one for one in entries.values() if one["what"] == last)
        for what in causes:
            entry = entries[entry["parent"]]
            assert what == entry["what"]
        assert entry["parent"] not in entries
