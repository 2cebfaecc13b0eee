"""F25: a disk that changes bytes of the inbox: nothing wrong is stored, nothing that can be read is held up."""

from __future__ import annotations

import json
import random
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from timeline.domain import Stored
from timeline.errors import QueueUnavailable
from timeline.inbox.inbox import Inbox
from timeline.indexing import Drain
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted, digest_of
from timeline.models import Quarantined
from timeline.store.port import ItemReport

pytestmark = pytest.mark.django_db
REQUESTS = 12
FLIPS = 100
LONG = 6_000


class Kept:
    """A store that remembers what it was given."""

    elsewhere = False

    def __init__(self) -> None:
        self.texts: list[str] = []

    def write(self, facts: Sequence[Stored], *, visible: bool = False) -> list[ItemReport]:
        self.texts += [str(stored.fact.body) for stored in facts]  # type: ignore[union-attr]
        return [
            ItemReport(outcome="stored", id=stored.receipt.id, request=stored.receipt.request)
            for stored in facts
        ]


def _text(number: int) -> str:
    return f"log {number} " + "x" * 200


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of an inbox in which twelve requests wait."""
    file = tmp_path_factory.mktemp("whole") / "inbox.sqlite3"
    inbox = Inbox(file)
    for number in range(REQUESTS):
        record = {"body": {"stringValue": _text(number)}, "timeUnixNano": "1790000000000000000"}
        accepted = Accepted(
            id=f"request-{number}",
            signal="logs",
            content_encoding="",
            headers={"content-type": "application/json"},
            body=json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]}).encode(),
            received=0,
            items=1,
        )
        inbox.accept([msgspec.structs.replace(accepted, digest=digest_of(accepted))])
    inbox._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return file


def _drained(file: Path) -> tuple[list[str], bool]:
    """What came out, and whether the inbox was readable to the end."""
    store: Any = Kept()
    try:
        inbox = Inbox(file)
        drain = Drain(inbox, store, lambda _: Rules.default())
        for _ in range(4 * REQUESTS):
            drain.run()
            if not inbox.waits():
                return store.texts, True
    except QueueUnavailable:
        return store.texts, False
    raise AssertionError("it is never done")


def flipped(whole: Path, folder: Path, seed: int, flips: int) -> None:
    rand, texts = random.Random(seed), {_text(number) for number in range(REQUESTS)}
    data = whole.read_bytes()
    readable = isolated = 0
    for number in range(flips):
        file = folder / f"{number}" / "inbox.sqlite3"
        file.parent.mkdir()
        changed = bytearray(data)
        changed[rand.randrange(len(changed))] ^= 1 << rand.randrange(8)
        file.write_bytes(bytes(changed))
        kept = Quarantined.objects.count()
        found, to_the_end = _drained(file)
        wrong = [text for text in found if text not in texts]
        assert [] == wrong, (seed, number)
        assert len(found) == len(set(found)), (seed, number)
        aside = Quarantined.objects.count() - kept
        if to_the_end:
            readable += 1
            isolated += bool(aside)
            assert len(found) + aside >= REQUESTS - 1, (seed, number, len(found), aside)
        shutil.rmtree(file.parent)
    print(f"{flips} flips: {readable} readable to the end, {isolated} with a request set aside")
    assert readable > flips * 0.5


def test_a_changed_bit_makes_no_wrong_fact(whole: Path, tmp_path: Path) -> None:
    flipped(whole, tmp_path, 1, FLIPS)


@pytest.mark.soak
def test_many_changed_bits_make_no_wrong_fact(whole: Path, tmp_path: Path) -> None:
    flipped(whole, tmp_path, 2, LONG)


@pytest.mark.parametrize("column", ["headers", "id", "signal", "sender"])
def test_a_row_that_cannot_be_read_is_set_aside_alone(whole: Path, tmp_path: Path, column: str) -> None:
    file = tmp_path / "inbox.sqlite3"
    shutil.copy(whole, file)
    inbox = Inbox(file)
    inbox._connection.execute(f"UPDATE requests SET {column} = CAST(X'ff00fe' AS TEXT) WHERE seq = 5")  # noqa: S608
    found, to_the_end = _drained(file)
    assert to_the_end
    assert REQUESTS - 1 == len(found)
    assert 1 == Quarantined.objects.count()
    assert 0 == inbox.backlog().items
