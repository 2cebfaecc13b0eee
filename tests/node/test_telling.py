"""A node that tells of itself: figures of all its processes, log lines as JSON, spans that end by themselves."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, request, span

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def telling(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    running = RunningNode(
        tmp_path_factory.mktemp("telling"),
        THROUGHLINE_OWN_TRACES="1",
        THROUGHLINE_LOG_FORMAT="json",
        THROUGHLINE_LOG_LEVEL="INFO",
    )
    try:
        yield running.start()
    finally:
        running.stop()


def figures(node: RunningNode, accept: str = "") -> dict[tuple[str, tuple[tuple[str, str], ...]], float]:
    headers = {"Authorization": f"Bearer {node.token}", **({"Accept": accept} if accept else {})}
    with urllib.request.urlopen(urllib.request.Request(f"{node.web}/metrics", headers=headers)) as answer:
        text = answer.read().decode()
    if accept:
        assert text.endswith("# EOF\n")
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text.removesuffix("# EOF\n"))
        for sample in family.samples
    }


def _of(node: RunningNode, name: str, **labels: str) -> float:
    return figures(node).get((name, tuple(sorted(labels.items()))), 0.0)


def test_figures_of_every_process_are_on_one_page(telling: RunningNode) -> None:
    node = telling
    before = _of(node, "throughline_receiver_requests_total", signal="traces", door="http", status="200")
    bad = _of(node, "throughline_receiver_requests_total", signal="traces", door="http", status="400")
    assert 200 == node.send("/v1/traces", request("shop", [span(0xF16, 1)]), PROTOBUF)
    assert 400 == node.send("/v1/traces", b"{", "application/json")
    node.drained()
    until(
        lambda: (
            _of(node, "throughline_receiver_requests_total", signal="traces", door="http", status="200")
            > before
        ),
        what="the receiver's count",
    )
    assert bad + 1 == _of(
        node, "throughline_receiver_requests_total", signal="traces", door="http", status="400"
    )
    until(lambda: _of(node, "throughline_drain_seconds_count", step="write"), what="the worker's count")
    until(
        lambda: _of(node, "throughline_web_seconds_count", view="metrics", status="200"),
        what="the web's count",
    )
    assert any(name == "throughline_items_total" for name, _ in figures(node, "application/openmetrics-text"))


def test_log_lines_are_json_objects(telling: RunningNode) -> None:
    def lines() -> list[dict[str, Any]]:
        text = telling.log.read_text().splitlines()
        return [json.loads(line) for line in text if line.startswith("{")]

    telling.kill("beat")  # the supervisor says so
    found = until(lines, what="a log line")
    assert {"time", "level", "logger", "message", "node", "pid"} <= set(found[0])


def test_own_spans_are_facts_and_tell_nothing_of_themselves(telling: RunningNode) -> None:
    node = telling
    # receiver and worker tell of work for others only
    assert 200 == node.send("/v1/traces", request("shop", [span(0x0F1, 1)]), PROTOBUF)

    def services() -> set[str]:
        found = node.get("/api/v1/search?q=service:throughline*&range=1h&limit=200")
        return {fact["service"] for fact in found["facts"]}

    until(
        lambda: {"throughline-web", "throughline-receiver", "throughline-worker"} <= services(),
        what="spans of all three",
    )

    def count(service: str) -> int:
        found = node.get(f"/api/v1/search?q=service:{service}&range=1h")["total"]["value"]
        return int(found)

    def settled() -> bool:
        """Whether nothing of receiver and worker is on its way any more, while spans of the web still come."""
        receives, drains, pages = (
            count("throughline-receiver"),
            count("throughline-worker"),
            count("throughline-web"),
        )
        until(lambda: count("throughline-web") > pages + 2, what="spans of the questions just asked")
        return (receives, drains) == (count("throughline-receiver"), count("throughline-worker"))

    assert until(settled, what="an end of what our own spans bring about")
