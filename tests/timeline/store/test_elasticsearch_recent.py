"""The newest of many are found among the last facts, in the order that a look at all would give."""

from __future__ import annotations

import random
import socket
import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import cast

import pytest

from tests import builders as b
from tests.contract.pair import Pair, asking
from tests.servers import elasticsearch
from timeline.errors import StoreUnavailable
from timeline.inbox.inbox import Inbox
from timeline.reading.desk import Desk
from timeline.reading.search import Ask
from timeline.search.query import All, AttributeIs, Window
from timeline.store.elasticsearch import reader, recent
from timeline.store.elasticsearch.address import read_address
from timeline.store.elasticsearch.client import Cluster
from timeline.store.elasticsearch.recent import Held
from timeline.store.elasticsearch.store import ElasticsearchStore
from timeline.store.patience import patience, spent
from timeline.store.port import Store


@pytest.fixture
def many(monkeypatch: pytest.MonkeyPatch) -> Iterator[Pair]:
    """Three days of facts, some of them odd, some tied, in a store that takes 40 for very many."""
    monkeypatch.setattr(recent, "MANY", 40)
    monkeypatch.setattr(recent, "STEPS", (10, 60))
    monkeypatch.setattr(recent, "FRESH", 0.0)
    monkeypatch.setattr(reader, "FEW", 20)
    store = ElasticsearchStore(f"elasticsearch://{elasticsearch.shared()}/recent-{uuid.uuid4().hex[:12]}")
    store.prepare()
    pair, dice = Pair(store), random.Random(5)
    facts = []
    for number in range(300):
        at = None if number % 50 == 7 else b.NOW + dice.randrange(3) * b.DAY + dice.randrange(40) * b.SECOND
        kinds = {"common": "yes" if number % 2 else "no", "rare": "yes" if number % 75 == 0 else "no"}
        facts.append(b.stored(b.span(number=number, start=at, attributes=kinds), tie=number % 3))
    pair.write(facts)
    yield pair
    store.close()


@pytest.mark.server
@pytest.mark.parametrize("page", [3, 25])
def test_pages_and_overviews_are_those_of_a_look_at_all(many: Pair, page: int) -> None:
    middle = Window(start=b.NOW + 5 * b.SECOND, end=b.NOW + b.DAY + 20 * b.SECOND)
    for window in (Window(), middle, Window(start=b.NOW + b.DAY), Window(end=b.NOW + b.DAY)):
        for where in (All(), AttributeIs("common", "yes"), AttributeIs("rare", "yes")):
            many.agree(asking(where, window=window), page=page)


@pytest.mark.server
def test_a_common_value_is_asked_of_the_last_facts_only(many: Pair) -> None:
    edges = many.store._reader._fetch.recent.edges(Window(), None)  # type: ignore[attr-defined]
    assert 2 == len(edges)
    newest = sorted(fact.at or 0 for fact in (s.fact for s in many.model.facts.values()))
    assert 5 <= sum(at >= edges[0] for at in newest) <= 20
    assert 30 <= sum(at >= edges[1] for at in newest) <= 120


def test_a_moment_since_which_so_many_facts_were_placed_lies_in_the_day_that_holds_it() -> None:
    days = [Held(100, 1_000, 1_999), Held(1_000, 0, 999)]
    assert 1_500 == recent._since(days, 50)
    assert 900 == recent._since(days, 200)
    assert 0 == recent._since(days, 5_000)


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """What takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0), backlog=64) as listening:
        listening.setblocking(False)
        yield listening


def _asked(silent: socket.socket) -> int:
    """How many connections were made since the last look."""
    found = 0
    with suppress(BlockingIOError):
        while True:
            silent.accept()[0].close()
            found += 1
    return found


def test_of_many_readers_of_a_silent_cluster_one_asks_and_all_wait_no_longer_than_one(
    silent: socket.socket,
) -> None:
    address = read_address(f"elasticsearch://127.0.0.1:{silent.getsockname()[1]}/silent")
    known = recent.Recent(Cluster(address))

    begin = threading.Barrier(8)

    def reader(_: int) -> float:
        begin.wait(30)
        with patience(1.0):
            with suppress(StoreUnavailable):
                known.edges(Window(), None)
            return spent()

    with ThreadPoolExecutor(8) as readers:
        waited = list(readers.map(reader, range(8)))
    assert 1 == _asked(silent)
    assert max(waited) < 4.0, "they wait together, not one after the other"
    assert sum(seconds > 0.1 for seconds in waited) > 1, "waiting for the one who asks counts, too"
    with patience(5.0):
        assert ([], ()) == (known.edges(Window(), None), known.closed())
        assert spent() < 0.5
    assert 0 == _asked(silent)


@pytest.mark.server
@pytest.mark.django_db
def test_a_day_that_an_operator_closed_is_named_by_coverage_and_verdict(many: Pair, tmp_path: Path) -> None:
    store = cast(Store, many.store)
    prefix = store._reader._fetch.cluster.prefix  # type: ignore[attr-defined]
    day = time.strftime("%Y.%m.%d", time.gmtime(b.NOW // b.SECOND))
    desk = Desk(store, Inbox(tmp_path / "inbox"), node="here", retention_days=14, rules=lambda _: {})
    window = Window(start=b.NOW - b.DAY, end=b.NOW + 3 * b.DAY)
    before = desk.search(Ask(text="common:yes", window=window))
    assert () == store.missing(window)
    elasticsearch.call(elasticsearch.shared(), "POST", f"/{prefix}-facts-{day}/_close")
    (said,) = store.missing(window)
    assert f"{prefix}-facts-{day} is closed" in said
    assert () == store.missing(Window(start=b.NOW + 2 * b.DAY, end=b.NOW + 3 * b.DAY))
    assert said in [cause.sentence for cause in desk.coverage(window).causes]
    answer = desk.search(Ask(text="common:yes", window=window))
    assert (before.total.value > answer.total.value, True) == (True, answer.verdict.at_least)
    nothing = desk.search(Ask(text="service:nobody", window=window))
    assert ("cannot_say", said) == (nothing.verdict.kind, nothing.verdict.causes[0].sentence)
    elasticsearch.call(elasticsearch.shared(), "POST", f"/{prefix}-facts-{day}/_open")
