"""What goes to the cluster, request by request, so that a change of it is seen in a review."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests import builders as b
from tests.contract.summaries import asking as cohort_asking
from tests.contract.summaries import summary
from tests.wire.recorder import Recorder
from timeline.domain import EventInfo, Link, Message
from timeline.search import query as q
from timeline.store.cursor import search_asked, write_cursor
from timeline.store.elasticsearch.address import read_address
from timeline.store.elasticsearch.client import Cluster
from timeline.store.elasticsearch.store import ElasticsearchStore

GOLDEN = Path(__file__).parent / "golden"
DAY = q.Window(start=b.NOW - b.DAY, end=b.NOW)
WHERE = q.And(
    (
        q.FieldIs("service", "orders"),
        q.Or((q.AttributeIs("order.id", "ord-1"), q.AttributeStarts("order.id", "ord-2"))),
        q.Not(q.FieldIs("status", "error")),
        q.AttributeBetween("order.total", 10, 99.5, high_open=True),
        q.FieldBetween("duration", 1e6, None),
        q.Words(("could", "not"), phrase=True),
    )
)
ASKED = q.Query(where=WHERE, window=DAY)
WIDE = q.Query(
    where=q.EntityIs(b.entities("order:1")[0], context=True), window=q.Window(start=b.NOW, on="either")
)


def _spans() -> list:
    full = b.span(
        name="send orders",
        kind="producer",
        parent=b.span_id(9),
        environment="production",
        status_message="wallet empty",
        links=(Link(ref=b.ref(5, 6)),),
        message=Message(system="kafka", destination="orders", offset=7),
        event=EventInfo(id="e-1", type="OrderPlaced"),
        entities=b.entities("order:1"),
        attributes={"order.id": "ord-1", "order.total": 12.5, "note": "x`y\x7fz", "long": "x" * 300},
    )
    return [b.stored(full, tie=5), b.stored(b.span(number=2, start=None), tie=6)]


def _paged(store: ElasticsearchStore) -> None:
    cursor = write_cursor((b.NOW, 5, 1 << 50, 77), search_asked(ASKED, "newest"))
    store.search(ASKED, cursor=cursor, limit=20)


def _expire(store: ElasticsearchStore) -> None:
    day = "2026.09.20"
    expiry = store._expiry
    expiry._drop(day, "main", {"match_all": {}})


KINDS: dict[str, Callable[[ElasticsearchStore], object]] = {
    "prepare": lambda store: store.prepare(),
    "search-newest": lambda store: store.search(ASKED),
    "search-oldest": lambda store: store.search(ASKED, order="oldest"),
    "search-received": lambda store: store.search(WIDE, order="received"),
    "search-longest": lambda store: store.search(ASKED, order="longest"),
    "search-paged": _paged,
    "overview": lambda store: store.overview(ASKED, limit=20, count_to=10_000),
    "count": lambda store: store.count(ASKED),
    "count-limited": lambda store: store.count(ASKED, limit=10_000),
    "facets": lambda store: store.facets(ASKED, ("service", "status")),
    "facets-sampled": lambda store: store.facets(WIDE, ("customer.tier",)),
    "histogram": lambda store: store.histogram(ASKED, interval=b.HOUR),
    "histogram-fine": lambda store: store.histogram(
        q.Query(where=q.All(), window=q.Window(start=b.NOW, end=b.NOW + 3)), interval=1
    ),
    "facts-of": lambda store: list(store.facts_of(ASKED)),
    "get": lambda store: store.get([stored.receipt.id for stored in _spans()]),
    "group": lambda store: store.group("identity-1"),
    "sightings": lambda store: store.sightings([ASKED, WIDE]),
    "bulk": lambda store: store.write(_spans(), visible=True),
    "expire": lambda store: store.expire(b.NOW),
    "expire-a-day": _expire,
    "put-summaries": lambda store: store.put_summaries([summary("bet:1", "Placed")], visible=True),
    "summaries": lambda store: store.summaries(["bet:1"]),
    "cohort": lambda store: store.cohort(cohort_asking(reached=("A",), missing=("B",), quiet_for=b.HOUR)),
    "size": lambda store: store.size(),
    "size-seen": lambda store: store.size(seen=True),
    "check": lambda store: store.check(),
}


@pytest.fixture
def store(monkeypatch: pytest.MonkeyPatch) -> ElasticsearchStore:
    """A store on a cluster that only listens."""
    monkeypatch.setattr(Recorder, "requests", [])
    address = read_address("elasticsearch://127.0.0.1:9200/wire")
    return ElasticsearchStore(cluster=Cluster(address, Recorder), retention_days=36_500)


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_requests_are_the_golden_ones(
    kind: str, store: ElasticsearchStore, request: pytest.FixtureRequest
) -> None:
    KINDS[kind](store)
    assert Recorder.requests
    asked = "\n".join(Recorder.requests)
    file = GOLDEN / f"{kind}.txt"
    if request.config.getoption("--regenerate", default=False):
        file.write_text(asked)
    assert file.read_text() == asked, "if this is meant: pytest tests/wire --regenerate, and review the diff"


def test_every_golden_file_belongs_to_a_request() -> None:
    assert sorted(KINDS) == sorted(file.stem for file in GOLDEN.glob("*.txt"))
