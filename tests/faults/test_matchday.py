"""One match day on a node with its own index and on one with Elasticsearch: the answers are equal."""

from __future__ import annotations

import json
import random
import secrets
import time
import urllib.request
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from examples.matchday import story
from examples.matchday.history import record
from examples.matchday.record import rfc3339
from examples.matchday.send import Door, send_all
from tests.faults.cluster import Mortal
from tests.node.harness import RunningNode, until
from timeline.search.times import format_ns

pytestmark = [pytest.mark.server, pytest.mark.slow, pytest.mark.timeout(900)]
# long enough ago for every fact to come late: on a busy machine the second node gets its own a minute after the first
NOW = time.time_ns() - 5 * story.MINUTE
RANGE = urlencode({"from": rfc3339(NOW - 7 * story.DAY), "to": rfc3339(NOW)})
# what is of the node that answers and of the moment it was asked, not of the facts
OWN = frozenset(
    {
        "received_at",
        "arrived_at",
        "coverage",
        "took_ns",
        "next",
        "up_to",
        "now",
        "made_at",
        "as_of",
        "quiet_ns",
        "read_at",
        "sha256",
        "cursor",
    }
)
COHORTS = (
    {"reached": "BetSettled", "missing": "PayoutCompleted"},
    {"reached": "PayoutCompleted", "limit": "1000"},
    {"reached": "BetPlaced", "missing": "BetSettled"},
)
Two = tuple[RunningNode, RunningNode]


@pytest.fixture(scope="module")
def two(elasticsearch: Mortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Two]:
    """Two nodes with the same history, drained."""
    # a name of its own: a second try must not find what the first has sent
    url = f"elasticsearch://127.0.0.1:{elasticsearch.port}/matchday-{secrets.token_hex(4)}"
    nodes = (
        RunningNode(tmp_path_factory.mktemp("embedded")),
        RunningNode(tmp_path_factory.mktemp("cluster"), THROUGHLINE_STORE_URL=url),
    )
    book = record(story.Clock.ending(NOW))
    try:
        for node in nodes:
            node.start()
            facts = send_all(book, Door(node.receiver))
            node.drained(seconds=300)
            until(partial(_holds, node, facts), seconds=300, what=f"{facts} facts")
        yield nodes
    finally:
        for node in nodes:
            node.stop()


def _holds(node: RunningNode, facts: int) -> bool:
    return bool(node.get(f"/api/v1/search?{RANGE}&q=")["total"]["value"] == facts)


def _same(value: Any) -> Any:
    """The answer without what may differ."""
    if isinstance(value, dict):
        return {key: _same(one) for key, one in value.items() if key not in OWN}
    return [_same(one) for one in value] if isinstance(value, list) else value


def _equal(two: Two, path: str) -> Any:
    one, other = (_same(node.get(path)) for node in two)
    assert one == other, path
    return one


def _pages(node: RunningNode, path: str) -> list[Any]:
    """All pages of a list."""
    pages, cursor = [], ""
    while True:
        page = node.get(path + (f"&cursor={quote(cursor)}" if cursor else ""))
        pages.append(page)
        cursor = page["next"]
        if not cursor:
            return pages


@pytest.mark.parametrize(
    "question", ["", *(question for question, _ in story.QUESTIONS), "status:error", "duration>1s"]
)
@pytest.mark.parametrize("sort", ["newest", "oldest"])
def test_searches_give_the_same_facts_facets_and_bars(two: Two, question: str, sort: str) -> None:
    path = f"/api/v1/search?{RANGE}&q={quote(question)}&sort={sort}&limit=200"
    answer = _equal(two, path)
    assert not answer["partial"]
    if question != story.NOT_SEEN_QUERY:
        assert "seen" == answer["verdict"]
        assert answer["facets"]
        assert answer["histogram"]["buckets"]


def test_every_fact_comes_out_of_both_the_same_in_the_same_order(two: Two) -> None:
    path = f"/api/v1/search?{RANGE}&q=&sort=oldest&limit=1000"
    one, other = ([_same(page["facts"]) for page in _pages(node, path)] for node in two)
    assert one == other
    assert len(one) > 5


def test_timelines_of_entities_are_the_same(two: Two) -> None:
    entities = [f"bet:{name}" for name in (*story.HANGING, story.DOUBLE_CREDIT, story.TWO_PARTITIONS)]
    for entity in (*entities, f"player:{story.PLAYER}", f"match:{story.MATCH}"):
        for more in ("", "&expand=true", "&context=true"):
            answer = _equal(two, f"/api/v1/entities/any?entity={quote(entity)}&{RANGE}{more}")
            assert answer["entries"], entity


def test_traces_are_the_same(two: Two) -> None:
    facts = two[0].get(f"/api/v1/search?{RANGE}&q=fact:span&limit=1000")["facts"]
    ids = sorted({fact["trace_id"] for fact in facts})
    for trace in random.Random(4711).sample(ids, 40):
        assert _equal(two, f"/api/v1/traces/{trace}")["spans"]


def test_exports_hold_the_same_facts(two: Two) -> None:
    found = []
    for node in two:
        url = f"{node.web}/api/v1/export/search?{RANGE}&q=&format=ndjson"
        ask = urllib.request.Request(url, headers={"Authorization": f"Bearer {node.token}"})
        with urllib.request.urlopen(ask, timeout=120) as answer:
            lines = [json.loads(line) for line in answer]
        assert "end" in lines[-1]
        found.append([_same(line["fact"]) for line in lines if "fact" in line])
    assert found[0] == found[1]


def _summed_up(node: RunningNode, sent: int) -> bool:
    """Whether the summaries hold all that was sent before ``sent`` (ns)."""
    paid = node.get("/api/v1/entities/bet?reached=PayoutCompleted&limit=1")
    stuck = node.get("/api/v1/entities/bet?reached=BetSettled&missing=PayoutCompleted")["total"]
    up_to: str = paid["coverage"]["up_to"]
    return up_to > format_ns(sent) and (story.PAID, story.BETS - story.PAID) == (paid["total"], stuck)


def test_cohorts_are_the_same(two: Two) -> None:
    sent = time.time_ns()
    for node in two:
        until(partial(_summed_up, node, sent), what="997 paid bets and three that are not")
    for asked in COHORTS:
        answer = _equal(two, f"/api/v1/entities/bet?{urlencode(asked)}")
        assert ("BetPlaced" in asked["reached"]) != bool(answer["entities"])


def test_verdicts_on_many_ids_are_the_same(two: Two) -> None:
    ids = [*story.HANGING, story.DOUBLE_CREDIT, story.NEVER_SENT, "no-such-id-1"]
    one, other = (node.post("/api/v1/seen", {"ids": ids}) for node in two)
    assert [(v["id"], v["answer"]["kind"], v["answer"]["count"]) for v in one["verdicts"]] == [
        (v["id"], v["answer"]["kind"], v["answer"]["count"]) for v in other["verdicts"]
    ]
