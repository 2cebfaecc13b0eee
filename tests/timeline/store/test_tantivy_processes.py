"""One process writes, others read: through kills, a second writer, and a full disk."""

from __future__ import annotations

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests import builders as b
from tests.contract.pair import asking, walk
from tests.timeline.store.writing_process import BATCH, batch
from timeline.errors import StoreUnavailable
from timeline.search.query import All, FieldIs
from timeline.store.tantivy import TantivyStore

ROOT = Path(__file__).parents[3]
KILLS = 10


def writing(folder: Path, seed: int, start: int) -> subprocess.Popen[str]:
    """A process that writes from batch ``start`` on."""
    command = [
        sys.executable,
        "-m",
        "tests.timeline.store.writing_process",
        str(folder),
        str(seed),
        str(start),
    ]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


@pytest.mark.server
@pytest.mark.slow
def test_what_was_confirmed_survives_every_kill_and_nothing_is_doubled(tmp_path: Path) -> None:
    folder = tmp_path / "index"
    with TantivyStore(folder, writable=True) as store:
        store.prepare()
    reader = TantivyStore(folder, writable=False)
    counts: list[int] = []
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            counts.append(reader.count(asking(All())).value)

    watcher = threading.Thread(target=read)
    watcher.start()
    confirmed = -1
    try:
        for seed in range(KILLS):
            process = writing(folder, seed, confirmed + 1)
            assert process.stdout is not None
            # Kill at another point of the cycle each time: so many batches in, then at once.
            for _ in range(3 + seed):
                confirmed = int(process.stdout.readline())
            process.send_signal(signal.SIGKILL)
            process.wait()
            with process.stdout as rest:
                confirmed = max([confirmed, *(int(line) for line in rest if line.endswith("\n"))])
            for number in range(confirmed + 1):
                assert BATCH == reader.count(asking(FieldIs("trace_id", b.trace_id(number)))).value
    finally:
        stop.set()
        watcher.join()
    assert sorted(counts) == counts
    rows = walk(reader, asking(All()), limit=5_000)
    ids = [row.id for row in rows]
    assert len(set(ids)) == len(ids)
    assert {s.receipt.id for number in range(confirmed + 1) for s in batch(number)} <= set(ids)
    assert 0 == reader.count(asking(All())).variants
    reader.close()


@pytest.mark.server
def test_a_second_writing_process_is_told_what_to_do(tmp_path: Path) -> None:
    process = writing(tmp_path / "index", 1, 0)
    try:
        assert process.stdout is not None
        assert "0\n" == process.stdout.readline()
        second = TantivyStore(tmp_path / "index", writable=True)
        with pytest.raises(StoreUnavailable) as caught:
            second.prepare()
        assert "stop the other worker" in caught.value.remedy
        with pytest.raises(StoreUnavailable):
            second.write([b.stored()])
        assert second.count(asking(All())).value >= BATCH  # reading works meanwhile
    finally:
        process.kill()
        process.communicate()
    assert "stored" == second.write([b.stored()])[0].outcome
    second.close()


def test_a_reader_sees_a_write_of_another_store_at_once(tmp_path: Path) -> None:
    with TantivyStore(tmp_path, writable=True) as writer, TantivyStore(tmp_path, writable=False) as reader:
        writer.prepare()
        for number in range(1, 6):
            writer.write([b.stored(b.span(number=number))])
            assert number == reader.count(asking(All())).value


@contextmanager
def file_size_limit(size: int) -> Iterator[None]:
    """No file of this process may grow beyond ``size`` bytes: the disk is full."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_fails_the_write_and_loses_nothing_confirmed(tmp_path: Path) -> None:
    facts = list(b.facts(3_000))
    store = TantivyStore(tmp_path / "index", writable=True)
    store.write(facts[:500])
    with file_size_limit(4_096), pytest.raises(StoreUnavailable) as caught:
        store.write(facts[500:])
    assert "disk" in caught.value.remedy
    assert 500 == store.count(asking(All())).value
    reports = store.write(facts)
    assert ["already"] * 500 + ["stored"] * 2_500 == [report.outcome for report in reports]
    assert 3_000 == store.count(asking(All())).value
    store.close()


def test_every_batch_that_waits_for_a_failed_commit_is_told(tmp_path: Path) -> None:
    store = TantivyStore(tmp_path / "index", writable=True)
    store.prepare()
    failed: list[StoreUnavailable] = []

    def write(number: int) -> None:
        try:
            store.write(list(b.facts(400, seed=number, start=b.NOW + number * b.HOUR)))
        except StoreUnavailable as error:
            failed.append(error)

    with file_size_limit(4_096):
        threads = [threading.Thread(target=write, args=(number,)) for number in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert 3 == len(failed)
    assert 0 == store.count(asking(All())).value
    assert 3 == len(set(map(id, failed)))
    store.close()
