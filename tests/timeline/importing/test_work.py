"""Rows accepted once, however often an import is ended and begun again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from timeline import records as kept
from timeline import wiring
from timeline.domain import Entity
from timeline.errors import BadQuery
from timeline.importing import work
from timeline.importing.mapping import read
from timeline.importing.reading import Record
from timeline.importing.work import Import, Sum
from timeline.inbox.inbox import Inbox
from timeline.indexing import Drain
from timeline.models import Declaration, Refusal
from timeline.search.query import All, EntityIs, Query
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db
MAPPING = 'name = "feed"\n[fields]\ntime = "t"\ntype = "kind"\nid = "id"\n[entities]\norder = "order"\n'
START = 1_764_158_400


def rows(count: int) -> list[Record]:
    """Every tenth row is the same as the one before, every seventh has no time."""
    return [
        Record(
            number + 2,
            {
                "t": str(START + number - (number % 10 == 9)) if number % 7 else "",
                "kind": "Placed",
                "id": f"e-{number - (number % 10 == 9)}",
                "order": str(number % 3),
            },
        )
        for number in range(count)
    ]


class Node:
    """An inbox, an index and an import between them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.inbox = Inbox(folder / "inbox.sqlite3")
        self.store = TantivyStore(folder / "index", writable=True)

    def begin(self, file: str = "a") -> Import:
        return Import(self.inbox, self.folder, read(MAPPING), file)

    def run(self, found: list[Record]) -> Sum:
        begun = self.begin()
        try:
            return begun.run(found)
        finally:
            begun.close()

    def drained(self) -> int:
        Drain(self.inbox, self.store, kept.rules).run()
        return self.store.count(Query(where=All())).value

    def sums(self) -> Counter[str]:
        found: Counter[str] = Counter()
        for line in self.inbox.snapshot()[1]:
            found[line.what] += line.items
        return found


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setattr(work, "PART", 10)
    made = Node(tmp_path)
    with made.store:
        yield made


def test_every_row_is_stored_or_refused_and_the_sum_is_even(node: Node) -> None:
    total = node.run(rows(100))
    assert (85, {"no_time": 15}, 0) == (total.accepted, total.refused, total.before)
    assert 85 == node.drained()
    sums = node.sums()
    assert 100 == sums["received"] == sums["refused"] + sums["new"]
    assert 15 == sum(Refusal.objects.values_list("items", flat=True))
    assert "line 2: nothing at 't'" in Refusal.objects.get().message
    order = Query(where=EntityIs(Entity(type="order", id="1")))
    assert 20 < node.store.count(order).value < 35


def test_equal_rows_are_different_facts_and_the_file_again_is_none(node: Node) -> None:
    same = Record(2, {"t": str(START), "kind": "Placed", "id": "one"})
    node.run([same] * 25)
    assert 25 == node.drained()
    assert 25 == node.run([same] * 25).before
    assert 25 == node.drained()


@pytest.mark.parametrize("after", [0, 1, 3, 8])
def test_ended_between_accepting_and_noting_it_goes_on_and_doubles_nothing(
    node: Node, monkeypatch: pytest.MonkeyPatch, after: int
) -> None:
    real, calls = work._noted, 0

    def dies(*said: Any) -> None:
        nonlocal calls
        calls += 1
        if calls == after + 1:
            raise KeyboardInterrupt
        real(*said)

    monkeypatch.setattr(work, "_noted", dies)
    with pytest.raises(KeyboardInterrupt):
        node.run(rows(100))
    monkeypatch.setattr(work, "_noted", real)
    total = node.run(rows(100))
    assert 10 * after == total.before
    assert 85 == node.drained()
    sums = node.sums()
    assert sums["received"] == sums["refused"] + sums["new"] + sums["already"]


def test_a_name_stands_for_one_file(node: Node) -> None:
    node.begin().close()
    with pytest.raises(BadQuery, match="begun with another file"):
        node.begin("b")


FILE = "t,kind,id,order\n2025-11-26T12:00:00Z,Placed,e-1,7\nnever,Placed,e-2,7\n2025-11-26T12:00:05Z,Paid,e-3,7\n"


@pytest.fixture
def file(node: Node, monkeypatch: pytest.MonkeyPatch, settings: Any) -> Path:
    settings.DATA_DIR = node.folder
    monkeypatch.setattr(wiring, "inbox", lambda: node.inbox)
    (node.folder / "map.toml").write_text(MAPPING)
    path = node.folder / "orders.csv"
    path.write_text(FILE)
    return path


def ask(*args: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command("import", *args, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


def test_the_command_suggests_previews_and_imports(node: Node, file: Path) -> None:
    assert 'order = "order_id"' not in ask(str(file), "--suggest")[0]
    mapped = ("--mapping", str(node.folder / "map.toml"))
    out, err = ask(str(file), *mapped, "--dry-run")
    assert '"name": "Placed"' in out
    assert "line 3: bad_time" in err
    assert 0 == node.inbox.backlog().items
    out, err = ask(str(file), *mapped)
    assert "2 rows accepted, 1 refused" in out
    assert "line 3: bad_time" in err
    assert 2 == node.drained()
    assert "0 rows accepted, 3 done before" in ask(str(file), *mapped)[0]


def test_only_a_whole_file_is_declared_complete(node: Node, file: Path) -> None:
    mapped = ("--mapping", str(node.folder / "map.toml"), "--complete")
    with pytest.raises(CommandError, match="not declared complete"):
        ask(str(file), *mapped)
    assert not Declaration.objects.exists()
    (node.folder / "map.toml").write_text(MAPPING.replace("feed", "other"))
    file.write_text(FILE.replace("never", "2025-11-26T12:00:01Z"))
    ask(str(file), *mapped)
    made = Declaration.objects.get()
    assert (START * 10**9 - made.start, 5 * 10**9 + 1) == (0, made.end - made.start)


@pytest.mark.parametrize(
    ("args", "said"),
    [((), "--mapping is missing"), (("--mapping", "nowhere.toml"), "nowhere.toml")],
)
def test_what_is_missing_is_named(file: Path, args: tuple[str, ...], said: str) -> None:
    with pytest.raises(CommandError, match=said):
        ask(str(file), *args)
