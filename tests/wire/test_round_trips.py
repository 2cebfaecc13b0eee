"""How often an answer of the API asks the cluster: each time costs a reader a millisecond or two."""

from __future__ import annotations

import time
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from elastic_transport import Urllib3HttpNode

from tests import builders as b
from tests.servers import elasticsearch
from timeline import keys, wiring
from timeline.domain import Message
from timeline.inbox.inbox import Inbox
from timeline.models import Token
from timeline.reading.desk import Desk
from timeline.store.elasticsearch.address import read_address
from timeline.store.elasticsearch.client import Cluster
from timeline.store.elasticsearch.store import ElasticsearchStore

pytestmark = [pytest.mark.server, pytest.mark.django_db]


class Counting(Urllib3HttpNode):
    """Reaches the node and counts what it is asked, by the end of the path."""

    asked: Counter[str] = Counter()

    def perform_request(self, method: str, target: str, *args: Any, **options: Any) -> Any:
        """Count a request and pass it on."""
        self.asked[target.partition("?")[0].rpartition("/")[2]] += 1
        return super().perform_request(method, target, *args, **options)


class Api:
    """The API before a cluster with forty facts in twenty traces."""

    def __init__(self, folder: Path) -> None:
        address = f"elasticsearch://{elasticsearch.shared()}/trips-{uuid.uuid4().hex[:12]}"
        self.store = ElasticsearchStore(cluster=Cluster(read_address(address), Counting))
        self.store.prepare()
        now = time.time_ns()
        self.store.write(
            [
                b.stored(
                    b.span(
                        trace=1 + number // 2,
                        number=number,
                        start=now - number * b.SECOND,
                        message=Message(
                            system="kafka", destination="orders", operation="send", id=f"m{number}"
                        ),
                    )
                )
                for number in range(40)
            ],
            visible=True,
        )
        inbox = Inbox(folder / "inbox.sqlite3")
        self.desk = Desk(self.store, inbox, node="here", retention_days=14, rules=lambda _: {})
        self._token = keys.create("test", Token.Scope.READ)

    def trips(self, path: str) -> dict[str, int]:
        """What the cluster is asked for an answer, once what is remembered for a while is known."""
        for _ in range(2):
            Counting.asked.clear()
            answer = Client().get(f"/api/v1/{path}", headers={"Authorization": f"Bearer {self._token}"})
            assert 200 == answer.status_code, answer.content
            answer.getvalue()
        return dict(Counting.asked)


@pytest.fixture
def api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Api]:
    made = Api(tmp_path)
    monkeypatch.setattr(wiring, "reading", lambda: made.desk)
    yield made
    made.store.close()


@pytest.mark.parametrize("asked", ["q=service:orders", "q=service:orders&sort=received", "q="])
def test_a_list_is_one_request(api: Api, asked: str) -> None:
    assert {"_msearch": 1} == api.trips(f"search?{asked}&limit=20&drawn=false")


def test_a_list_of_nothing_asks_the_other_clock_and_what_else_to_try(api: Api) -> None:
    assert {"_msearch": 3} == api.trips("search?q=service:nobody&limit=20&drawn=false")


def test_a_search_adds_its_readings_facets_and_histogram(api: Api) -> None:
    assert {"_msearch": 3, "_search": 3} == api.trips("search?q=service:orders&limit=20")


def test_a_trace_is_its_facts_and_what_joins_their_hops(api: Api) -> None:
    assert {"_search": 2} == api.trips(f"traces/{b.trace_id(3)}")


@pytest.mark.parametrize("path", ["coverage", "senders"])
def test_the_state_of_the_way_in_asks_the_cluster_nothing(api: Api, path: str) -> None:
    assert {} == api.trips(path)
