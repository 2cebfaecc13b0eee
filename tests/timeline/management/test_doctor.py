"""The doctor: each part broken for real once, and told with what would help."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.utils import timezone

from tests import builders as b
from tests.ports import free_port
from timeline import keys, wiring
from timeline.inbox.inbox import Inbox
from timeline.inbox.schema import VERSION
from timeline.management import doctor
from timeline.management.doctor import Said, examine
from timeline.models import Lease, Node, Quarantined, Token
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def folder(tmp_path: Path, settings: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of a node that has stored something."""
    settings.DATA_DIR = tmp_path
    Inbox(tmp_path / "inbox.sqlite3")
    with TantivyStore(tmp_path / "index", writable=True) as store:
        store.write([b.stored(b.span())])
        monkeypatch.setattr(wiring, "reader", lambda: store)
        yield tmp_path


def told(part: str, *, patience: float = 5) -> list[Said]:
    return [said for said in examine(patience) if said.part == part]


def test_a_sound_node_has_no_problem_but_that_it_does_not_run(folder: Path) -> None:
    found = list(examine())
    assert [] == [said for said in found if said.state == "problem"]
    assert {"addresses", "processes"} == {said.part for said in found if said.state == "warning"}
    assert all(said.remedy for said in found if said.state != "ok")


def test_a_damaged_inbox_is_told_and_not_touched(folder: Path) -> None:
    file = folder / "inbox.sqlite3"
    bytes_before = b"SQLite format 3\0" + b"\xff" * 8000
    file.write_bytes(bytes_before)
    (folder / "inbox.sqlite3-wal").unlink(missing_ok=True)
    (said,) = told("inbox")
    assert ("problem", True) == (said.state, "damaged" in said.sentence)
    assert bytes_before == file.read_bytes()


def test_a_newer_inbox_names_its_version(folder: Path) -> None:
    with sqlite3.connect(folder / "inbox.sqlite3") as opened:
        opened.execute(f"PRAGMA user_version = {VERSION + 1}")
    (said,) = told("inbox")
    assert ("problem", True) == (said.state, str(VERSION + 1) in said.sentence)


def test_requests_that_wait_for_long_are_a_warning(folder: Path) -> None:
    with sqlite3.connect(folder / "inbox.sqlite3") as opened:
        opened.execute(
            "INSERT INTO requests (id, signal, encoding, headers, body, received, workspace, sender, digest, items,"
            " retried) VALUES ('1', 'traces', '', '{}', '', ?, 'main', '', '', 7, 0)",
            (time.time_ns() - 90 * 10**9,),
        )
    (said,) = told("inbox")
    assert ("warning", True) == (said.state, said.sentence.startswith("7 items wait, the oldest for 9"))


def test_little_room_and_a_readable_secret_are_problems(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "RESERVE", 1 << 60)
    (folder / "secret_key").touch(mode=0o644)
    assert "problem" == told("data folder")[-1].state
    assert f"chmod 600 {folder / 'secret_key'}" == told("limits")[-1].remedy


def test_silent_processes_late_tasks_quarantine_and_ending_keys_are_told(folder: Path) -> None:
    now = time.time_ns()
    Node.objects.create(name="far", role="worker", since=0, started=0, beat=now - 3600 * 10**9)
    Lease.objects.create(task="expire", done=now - 5 * 3600 * 10**9)
    Quarantined.objects.create(
        request="1", position=0, at=now, signal="traces", reason="x", message="", data=b""
    )
    keys.create("team-a", "ingest")
    Token.objects.update(expires=timezone.now() + timedelta(days=3))
    found = {said.part: said for said in examine() if said.state != "ok"}
    assert "start it again, or manage.py retire far" == told("processes")[0].remedy
    assert "expire was last done 300 min ago" == found["periodic tasks"].sentence
    assert "1 items could not be stored" == found["quarantine"].sentence
    assert "team-a" in found["keys"].sentence


def test_something_else_at_our_port_is_a_problem(folder: Path, settings: Any) -> None:
    port = free_port()
    settings.THROUGHLINE = settings.THROUGHLINE | {"THROUGHLINE_WEB_PORT": port}
    (receiver, web) = told("addresses")
    assert "warning" == web.state
    assert str(port) in web.sentence
    assert "warning" == receiver.state


def test_a_broker_that_is_away_is_a_warning_that_names_the_setting(folder: Path, settings: Any) -> None:
    url = f"amqp://guest:secret@127.0.0.1:{free_port()}//"
    settings.THROUGHLINE = settings.THROUGHLINE | {"THROUGHLINE_BROKER_URL": url}
    (said,) = told("broker")
    assert ("warning", True) == (said.state, "THROUGHLINE_BROKER_URL" in said.remedy)
    assert "secret" not in said.sentence


def test_a_part_that_hangs_or_fails_ends_no_other(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def hangs() -> Iterator[doctor.Found]:
        time.sleep(30)
        yield "ok", "", ""

    def fails() -> Iterator[doctor.Found]:
        raise RuntimeError("by chance")
        yield

    monkeypatch.setattr(doctor, "_LOOKS", {"hangs": hangs, "fails": fails, "limits": doctor._limits})
    first, second, third = examine(0.2)
    assert ("problem", "no answer within 0.2 s") == (first.state, first.sentence)
    assert ("problem", "RuntimeError: by chance") == (second.state, second.sentence)
    assert "ok" == third.state


def test_the_command_says_it_all_as_json_and_leaves_with_one(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(doctor, "RESERVE", 1 << 60)
    out = StringIO()
    with pytest.raises(SystemExit) as left:
        call_command("doctor", "--json", stdout=out)
    assert 1 == left.value.code
    found = json.loads(out.getvalue())
    assert {"part", "state", "sentence", "remedy"} == set(found[0])
    assert {"software", "store", "database"} <= {each["part"] for each in found}
