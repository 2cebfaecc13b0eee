"""One Elasticsearch for the fault tests of a process, a proxy in front of it, and a node that knows only the proxy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import count
from typing import Any

import pytest

from tests.faults.cluster import Mortal
from tests.faults.ledger import Ledger, Verdict, unaccounted
from tests.faults.proxy import Proxy
from tests.faults.watching import BOOKS, Browser, Watch, ask
from tests.node.harness import RunningNode, until

_numbers = count(1)


@dataclass
class Bench:
    """What a fault test works with."""

    cluster: Mortal
    proxy: Proxy
    node: RunningNode
    prefix: str
    browser: Browser
    items: int = 0  # sent to the cluster before this test
    before: Counter[str] = field(default_factory=Counter)

    @property
    def store(self) -> str:
        """The store URL without the proxy."""
        return f"elasticsearch://127.0.0.1:{self.cluster.port}/{self.prefix}"

    def ledger(self, name: str) -> Ledger:
        """A fresh ledger, of a service that nobody has been before: a second try meets no facts of the first."""
        number = next(_numbers)
        return Ledger(self.node, f"{name}-{number}", number)

    def tally(self) -> Counter[str]:
        """The node's books now."""
        said = ask(self.node, BOOKS)
        assert 200 == said.status, said
        return Counter(said.body["tally"])

    def grown(self) -> Counter[str]:
        """What this test added to the books."""
        now = self.tally()
        return Counter({kind: now[kind] - self.before[kind] for kind in now})

    def storing(self, items: int) -> None:
        """Wait until so many more items are stored."""
        begun = self.tally()["new"]
        until(lambda: self.tally()["new"] >= begun + items, what=f"{items} more items stored")

    def resent(self, ledger: Ledger) -> float:
        """How often a fact of this test was sent to the cluster beyond the first time, on average."""
        sent = self.proxy.seen.items - self.items
        return sent / len(ledger.sent) - 1

    def settled(self, ledger: Ledger, watch: Watch, *, set_aside: int = 0) -> Verdict:
        """After a fault: all is stored once, as it was sent; the books were right at every moment.

        ``set_aside`` items are in quarantine instead, where they are shown with their reason.
        """
        assert {200: sum(ledger.statuses.values())} == ledger.statuses
        verdict = ledger.check(self.store)
        assert set_aside == len(verdict.lost), str(verdict)
        assert ([], [], []) == (verdict.doubled, verdict.phantom, verdict.wrong), str(verdict)
        grown = self.grown()
        assert 0 == unaccounted(grown)
        assert (ledger.items, len(ledger.sent) - set_aside) == (grown["received"], grown["new"])
        assert ledger.items == grown["new"] + grown["already"] + grown["quarantined"]
        assert (0, 0) == (grown["refused"], grown["variant"])
        assert grown["quarantined"] >= set_aside
        assert bool(set_aside) == bool(grown["quarantined"])
        assert watch.books
        assert watch.searches
        assert [] == watch.unbalanced()
        assert [] == watch.failures()
        print(
            f"{ledger.service}: each fact sent {1 + self.resent(ledger):.2f} times, at most "
            f"{watch.most('inbox'):,} waited, slowest of {len(watch.searches)} searches {watch.slowest():.1f} s"
        )
        return verdict

    def backlog_said(self) -> dict[str, Any]:
        """The coverage of the last hour, once it names the backlog as a reason to say nothing."""

        def named() -> dict[str, Any] | None:
            found: dict[str, Any] = self.node.get("/api/v1/coverage?range=1h")
            return found if "backlog" in {cause["kind"] for cause in found["causes"]} else None

        return until(named, what="the backlog as a cause")  # type: ignore[return-value]

    def visible(self) -> None:
        """Let searches see all that is stored, without waiting for the next refresh."""
        self.cluster.ask("POST", f"/{self.prefix}-facts-*/_refresh")

    def quiet(self, *, seconds: float = 120) -> None:
        """Wait until nothing waits, without helping."""
        until(lambda: self.tally()["inbox"] == 0, seconds=seconds, what="an empty inbox")


@pytest.fixture(scope="package")
def elasticsearch() -> Iterator[Mortal]:
    """A real node, stopped in the end."""
    node = Mortal()
    try:
        node.start()
        yield node
    finally:
        node.stop()


@pytest.fixture(scope="package")
def standing(elasticsearch: Mortal, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    """The bench that the tests share."""
    proxy = Proxy(elasticsearch.port)
    url = f"elasticsearch://127.0.0.1:{proxy.port}/faults"
    node = RunningNode(tmp_path_factory.mktemp("faults"), THROUGHLINE_STORE_URL=url)
    try:
        node.start()
        bench = Bench(elasticsearch, proxy, node, "faults", Browser(node))
        bench.ledger("first").send(1)  # what a worker and a cluster do only once is done before a fault comes
        node.drained(seconds=300)
        yield bench
    finally:
        proxy.heal()
        node.stop()
        proxy.close()


@pytest.fixture
def bench(standing: Bench) -> Iterator[Bench]:
    """The bench, healthy and quiet before and after."""
    standing.proxy.heal()
    if standing.cluster.process is None:  # the test before broke off
        standing.cluster.start()
    standing.quiet()
    standing.before, standing.items = standing.tally(), standing.proxy.seen.items
    yield standing
    standing.proxy.heal()
