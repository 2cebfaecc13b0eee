"""``manage.py reindex`` and ``resummarise``: nothing is left out without a word."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from tests import builders as b
from timeline import wiring
from timeline.inbox.inbox import Inbox
from timeline.management.commands import resummarise
from timeline.models import Audit
from timeline.search.query import All, Query
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db
OLD = time.time_ns() - b.DAY


@pytest.fixture
def inbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Inbox:
    opened = Inbox(tmp_path / "inbox.sqlite3")
    monkeypatch.setattr(wiring, "inbox", lambda: opened)
    return opened


@pytest.fixture
def addresses(tmp_path: Path, settings: object, inbox: Inbox) -> tuple[str, str]:
    """A folder with facts of two workspaces, and one without anything."""
    settings.DATA_DIR = tmp_path  # type: ignore[attr-defined]
    with TantivyStore(tmp_path / "one", writable=True) as store:
        facts = [b.span(number=n, start=OLD + n, entities=b.entities(f"bet:{n % 3}")) for n in range(10)]
        store.write([b.stored(fact, received=OLD + n) for n, fact in enumerate(facts)])
        store.write([b.stored(facts[0], received=OLD, workspace="other")])
    return f"tantivy://{tmp_path / 'one'}", f"tantivy://{tmp_path / 'two'}"


def _held(folder: Path, workspace: str) -> int:
    with TantivyStore(folder, writable=False) as store:
        return store.count(Query(where=All(), workspace=workspace)).value


def test_facts_of_a_workspace_that_nobody_knows_stop_the_copy(
    addresses: tuple[str, str], tmp_path: Path
) -> None:
    with pytest.raises(CommandError, match="1 facts belong to none of the known workspaces"):
        call_command("reindex", *addresses)
    call_command("reindex", *addresses, workspace=["main", "other"])
    assert (10, 1) == (_held(tmp_path / "two", "main"), _held(tmp_path / "two", "other"))
    assert ("reindex", 11) == Audit.objects.values_list("what", "rows").get()


def test_a_target_that_was_lost_is_filled_again_in_spite_of_the_checkpoint(
    addresses: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, target = addresses
    call_command("reindex", source, target, workspace=["main"])
    (tmp_path / "two").rename(tmp_path / "lost")
    call_command("reindex", source, target, workspace=["main"])
    assert 10 == _held(tmp_path / "two", "main")
    assert "10 facts in the source, 10 in the target" in capsys.readouterr().out


def test_what_cannot_be_done_says_so(addresses: tuple[str, str], tmp_path: Path) -> None:
    source, target = addresses
    with pytest.raises(CommandError, match="the same store"):
        call_command("reindex", source, source)
    with pytest.raises(CommandError, match="no index"):
        call_command("reindex", f"tantivy://{tmp_path / 'nowhere'}", target)
    with TantivyStore(tmp_path / "two", writable=True) as busy:
        busy.prepare()
        with pytest.raises(CommandError, match="stop the other worker"):
            call_command("reindex", source, target, workspace=["main"])


def test_resummarise_notes_every_entity_and_says_when_no_worker_takes_them(
    addresses: tuple[str, str], inbox: Inbox, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resummarise, "_PATIENCE", 0.1)
    with TantivyStore(tmp_path / "one", writable=False) as store:
        monkeypatch.setattr(wiring, "reader", lambda: store)
        with pytest.raises(CommandError, match="is the worker running"):
            call_command("resummarise", workspace=["main"])
    noted = inbox.touched(1 << 62, limit=100).entities
    assert {("main", f"bet:{n}") for n in range(3)} == set(noted)
