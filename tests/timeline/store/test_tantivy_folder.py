"""Folders that hold no index, somebody else's, an older one, or a damaged one."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest
import tantivy

from tests import builders as b
from tests.contract.pair import asking
from timeline.domain import SpanRef, Stored
from timeline.errors import BadQuery, StoreUnavailable
from timeline.search.query import All
from timeline.store import codec, packing
from timeline.store.tantivy import TantivyStore
from timeline.store.tantivy.shelf import FolderShelf


def filled(folder: Path, count: int = 50) -> None:
    """An index of a few facts."""
    with TantivyStore(folder, writable=True) as store:
        store.write(list(b.facts(count)))


def refused(folder: Path, *, writable: bool = False) -> StoreUnavailable:
    """How opening the folder fails."""
    store = TantivyStore(folder, writable=writable)
    with pytest.raises(StoreUnavailable) as caught:
        store.prepare()
    with pytest.raises(StoreUnavailable):
        store.check()
    with pytest.raises(StoreUnavailable):
        store.search(asking(All()))
    return caught.value


def test_a_reader_without_an_index_is_told_to_start_the_worker(tmp_path: Path) -> None:
    assert "start the worker" in refused(tmp_path / "nothing").remedy


def test_a_reader_waits_for_no_restart_once_the_index_is_there(tmp_path: Path) -> None:
    reader = TantivyStore(tmp_path / "index", writable=False)
    with pytest.raises(StoreUnavailable):
        reader.check()
    filled(tmp_path / "index")
    assert 50 == reader.count(asking(All())).value


@pytest.mark.parametrize("writable", [False, True])
def test_an_index_that_is_not_ours_is_left_alone(tmp_path: Path, writable: bool) -> None:
    builder = tantivy.SchemaBuilder()
    builder.add_text_field("title")
    tantivy.Index(builder.build(), str(tmp_path))
    before = sorted(path.name for path in tmp_path.iterdir())
    assert "empty folder" in refused(tmp_path, writable=writable).remedy
    assert before == sorted(path.name for path in tmp_path.iterdir())


@pytest.mark.parametrize("writable", [False, True])
def test_an_index_of_another_version_names_both_versions(tmp_path: Path, writable: bool) -> None:
    filled(tmp_path)
    (tmp_path / "throughline-index.json").write_text('{"schema": 999}')
    error = refused(tmp_path, writable=writable)
    assert "999" in error.message
    assert "release that wrote it" in error.remedy


@pytest.mark.parametrize("label", ["", "{", "[]", '{"schema": "one"}', "\0"])
def test_a_damaged_label_is_said(tmp_path: Path, label: str) -> None:
    filled(tmp_path)
    (tmp_path / "throughline-index.json").write_text(label)
    assert refused(tmp_path).remedy


@pytest.mark.parametrize("writable", [False, True])
@pytest.mark.parametrize("meta", ["", "{", "[]", '{"segments": 5}'])
def test_a_damaged_meta_file_is_said_with_the_remedy(tmp_path: Path, meta: str, writable: bool) -> None:
    filled(tmp_path)
    (tmp_path / "meta.json").write_text(meta)
    assert "backup" in refused(tmp_path, writable=writable).remedy


def test_a_missing_segment_file_is_said_with_the_remedy(tmp_path: Path) -> None:
    filled(tmp_path)
    for path in tmp_path.glob("*.store"):
        path.unlink()
    store = TantivyStore(tmp_path, writable=False)
    with pytest.raises(StoreUnavailable) as caught:
        store.search(asking(All()))
    assert caught.value.remedy


def test_a_missing_dictionary_is_said_with_the_remedy(tmp_path: Path) -> None:
    filled(tmp_path, 5_000)
    (dictionary,) = tmp_path.glob("*.dictionary")
    dictionary.unlink()
    store = TantivyStore(tmp_path, writable=False)
    with pytest.raises(StoreUnavailable) as caught:
        store.search(asking(All()))
    assert "backup" in caught.value.remedy


def test_a_reader_does_not_write(tmp_path: Path) -> None:
    filled(tmp_path)
    reader = TantivyStore(tmp_path, writable=False)
    for refuse in (lambda: reader.write([b.stored()]), lambda: reader.expire(b.NOW)):
        with pytest.raises(StoreUnavailable) as caught:
            refuse()
        assert "worker" in caught.value.remedy


def test_a_closed_store_opens_again_when_it_is_used(tmp_path: Path) -> None:
    store = TantivyStore(tmp_path, writable=True)
    store.write(list(b.facts(5)))
    store.close()
    assert "already" == store.write(list(b.facts(1)))[0].outcome
    store.close()


def test_a_check_says_when_the_disk_is_nearly_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with TantivyStore(tmp_path, writable=True) as store:
        store.check()
        monkeypatch.setattr("timeline.store.tantivy.LOW_DISK", 1 << 62)
        with pytest.raises(StoreUnavailable) as caught:
            store.check()
        assert "free" in caught.value.remedy


def test_dictionaries_are_learnt_soon_then_from_more_and_again_when_facts_change(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec, "STAGES", ((1, 400), (2, 400)))
    kept: list[tuple[Stored, bytes]] = []
    packer = codec.Packer(codec.Codec(FolderShelf(tmp_path)))
    packer.start()

    def pack(facts: Iterable[Stored]) -> int:
        kept.extend((stored, packer.pack([packing.pack(stored)])[0]) for stored in facts)
        return len(list(tmp_path.glob("*.dictionary")))

    assert 0 == pack(b.facts(399))
    assert 1 == pack(b.facts(1))
    assert 2 == pack(b.facts(800, seed=2))
    assert 2 == pack(b.facts(2_400, seed=3))
    changed = (
        b.stored(
            b.span(number=n, attributes={f"{n:x}{k}{n * 7:x}": f"{n * 31 + k:x}" * 4 for k in range(12)})
        )
        for n in range(800)
    )
    assert 3 == pack(changed)
    reading = codec.Codec(FolderShelf(tmp_path))  # as another process would, from the files alone
    for stored, packed in kept[::37]:
        assert stored == reading.unpack(packed)


@pytest.mark.parametrize("trace", ["ab" * 16, "AB" * 16, "", "zz" * 16, "ab" * 15, "0" * 32])
@pytest.mark.parametrize("other", ["cd" * 8, "CD" * 8, "x", "0" * 16])
def test_ids_of_any_form_come_back_as_they_were(tmp_path: Path, trace: str, other: str) -> None:
    ref = SpanRef(trace_id=trace, span_id=other)
    facts = [b.span(ref=ref, parent=other), b.span(ref=ref), b.event(ref=ref), b.event()]
    for fact in facts:
        for content in ("ef" * 16, "EF" * 16, "", "made up"):
            stored = b.stored(fact, content=content)
            assert stored == packing.unpack(*packing.pack(stored))


def test_a_page_beyond_the_limit_names_it(tmp_path: Path) -> None:
    with TantivyStore(tmp_path, writable=True) as store:
        store.prepare()
        with pytest.raises(BadQuery) as caught:
            store.search(asking(All()), limit=10_001)
        assert "10000" in caught.value.message
