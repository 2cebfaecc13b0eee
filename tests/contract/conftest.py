"""The stores that the kit is run against.

An adapter joins by one entry in ``ADAPTERS``: a function that takes an empty folder and
gives an ``Opened``. Every test then runs once more with it, against the same model.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.contract.pair import Pair
from tests.servers import elasticsearch
from timeline.store.elasticsearch.store import ElasticsearchStore
from timeline.store.port import Store
from timeline.store.tantivy import TantivyStore


class Opened:
    """An adapter on its own empty data.

    ``open_store`` opens that data as another process would; ``fields`` counts the fields
    that the engine knows by now; ``remove`` drops the data.
    """

    def __init__(
        self,
        open_store: Callable[[], Store],
        fields: Callable[[], int],
        remove: Callable[[], None] = lambda: None,
    ) -> None:
        self._open, self.fields, self._remove = open_store, fields, remove
        self.store = self._opened()

    def _opened(self) -> Store:
        store = self._open()
        store.prepare()
        return store

    def reopen(self) -> Store:
        """The same data as another process would find it."""
        self.store.close()
        self.store = self._opened()
        return self.store

    def close(self) -> None:
        """Let go of everything, data included."""
        self.store.close()
        self._remove()


def _embedded(folder: Path) -> Opened:
    def fields() -> int:
        return len(msgspec.json.decode((folder / "index" / "meta.json").read_bytes())["schema"])

    return Opened(lambda: TantivyStore(folder / "index", writable=True), fields)


def _shared(folder: Path) -> Opened:
    """On the one node of this test run, under a prefix of its own."""
    address = elasticsearch.shared()
    prefix = f"kit-{uuid.uuid4().hex[:12]}"

    def names() -> list[str]:
        return elasticsearch.call(address, "GET", f"/_cat/indices/{prefix}-*?h=index").decode().split()

    def fields() -> int:
        said = elasticsearch.call(address, "GET", f"/{prefix}-facts-*/_mapping")
        return max(len(one["mappings"]["properties"]) for one in msgspec.json.decode(said).values())

    def remove() -> None:
        if left := names():
            elasticsearch.call(address, "DELETE", "/" + ",".join(left))

    return Opened(lambda: ElasticsearchStore(f"elasticsearch://{address}/{prefix}"), fields, remove)


ADAPTERS: dict[str, Callable[[Path], Opened]] = {"tantivy": _embedded, "elasticsearch": _shared}
_MARKS = {"elasticsearch": pytest.mark.server}


@pytest.fixture(params=[pytest.param(name, marks=_MARKS.get(name, ())) for name in sorted(ADAPTERS)])
def opened(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Opened]:
    """An adapter on empty data."""
    adapter = ADAPTERS[request.param](tmp_path)
    yield adapter
    adapter.close()


@pytest.fixture
def store(opened: Opened) -> Store:
    """An empty store."""
    return opened.store


@pytest.fixture
def pair(store: Store) -> Pair:
    """An empty store beside an empty model."""
    return Pair(store)
