"""What operators do and what is kept of it: nodes that are gone, old quarantine, the audit."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from timeline import tasks, wiring
from timeline.keys import first_user
from timeline.models import Audit, Declaration, Node, Outage, Quarantined, Token
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db
DAY = 86400 * 10**9


def _node(name: str, beat: int) -> None:
    for role in ("receiver", "worker"):
        Node.objects.create(name=name, role=role, since=beat - DAY, started=beat - DAY, beat=beat)


def test_a_retired_node_leaves_its_silence_on_record_and_holds_nothing_back() -> None:
    silent = time.time_ns() - DAY
    _node("old", silent)
    call_command("retire", "old")
    assert 0 == Node.objects.count()
    assert [("old", silent)] == list(Outage.objects.values_list("node", "start"))
    assert ["retire"] == list(Audit.objects.values_list("what", flat=True))


def test_a_node_that_is_alive_or_unknown_is_not_retired() -> None:
    _node("new", time.time_ns())
    with pytest.raises(CommandError, match="alive"):
        call_command("retire", "new")
    with pytest.raises(CommandError, match="there are: new"):
        call_command("retire", "nowhere")
    assert 2 == Node.objects.count()


def test_quarantine_goes_with_the_retention_and_says_so(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    store = TantivyStore(tmp_path, writable=True)
    monkeypatch.setattr(wiring, "writer", lambda: store)
    now = time.time_ns()
    for name, at in (("old", now - 15 * DAY), ("new", now - 13 * DAY)):
        Quarantined.objects.create(
            request=name, position=0, at=at, sender="", signal="logs", reason="x", message="", data=b"bytes"
        )
    tasks.expire()
    store.close()
    assert ["new"] == list(Quarantined.objects.values_list("request", flat=True))
    assert [("expire", 1)] == list(Audit.objects.values_list("what", "rows"))


def test_tokens_and_declarations_leave_a_trace_without_the_secret(capsys: pytest.CaptureFixture[str]) -> None:
    call_command("token", "create", "--read", "--name", "grafana")
    secret = capsys.readouterr().out.strip()
    call_command("token", "revoke", Token.objects.get().prefix)
    call_command("declare", "2026-11-20T00:00Z", "2026-11-21T00:00Z", "--by", "mo")
    assert ["token create", "token revoke", "declare"] == list(
        Audit.objects.order_by("pk").values_list("what", flat=True)
    )
    assert 1 == Declaration.objects.count()
    assert not [row for row in Audit.objects.values_list("detail", flat=True) if secret in row]


@pytest.mark.parametrize("length", ["9437185", "", "-1", "many"])
def test_a_body_too_large_or_of_unknown_length_is_refused_before_it_is_read(length: str) -> None:
    class Unread:
        def read(self, *_: Any) -> bytes:
            raise AssertionError("the body was read")

        readline = read

    answer = Client().post("/seen", CONTENT_LENGTH=length, **{"wsgi.input": Unread()})
    assert (413, "application/problem+json") == (answer.status_code, answer.headers["Content-Type"])


def test_a_form_of_ordinary_size_passes_the_bound() -> None:
    client = Client()
    client.force_login(first_user())
    assert 200 == client.post("/seen", {"ids": ""}).status_code
