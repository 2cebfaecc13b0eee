"""Rules in the database: made, ended, counted, and in force for whoever takes data in."""

from __future__ import annotations

import json
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.test import Client

from tests.receiving import Driven
from timeline import redactions
from timeline.errors import QueueUnavailable, Rejected
from timeline.models import Audit, RedactionRule, RedactionSalt, Refusal
from timeline.redaction.rules import Action
from timeline.redactions import Redactions

pytestmark = pytest.mark.django_db(transaction=True)
CARD = "4111111111111111"
EVENT = {"specversion": "1.0", "id": "e-1", "source": "/s", "type": "Paid", "data": {"note": f"by {CARD}"}}
STRUCTURED = {"content-type": "application/cloudevents+json"}


@pytest.fixture(autouse=True)
def _forgotten() -> Iterator[None]:
    redactions._asking.cache_clear()
    yield
    redactions._asking.cache_clear()


def make(by: str, match: str, action: Action, **more: str) -> RedactionRule:
    return redactions.make(by=by, match=match, action=action, who="mo", **more)


def test_nothing_is_in_force_where_no_rule_was_made() -> None:
    assert Redactions().of("main") is None
    assert "x" == redactions.unsaid("x")


def test_a_rule_holds_in_its_workspace_until_it_ends() -> None:
    row = make("detector", "card", "mask")
    make("detector", "card", "drop", workspace="shop")
    found = Redactions()

    here, there = found.of("main"), found.of("shop")

    assert here is not None
    assert there is not None
    assert ("[masked card]", "") == (here.text(CARD), there.text(CARD))
    assert redactions.end(row.pk, who="mo")
    assert not redactions.end(row.pk, who="mo")
    assert Redactions().of("main") is None
    assert Redactions().of("shop") is not None
    assert ["redaction make", "redaction make", "redaction end"] == list(
        Audit.objects.order_by("pk").values_list("what", flat=True)
    )


@pytest.mark.parametrize(
    ("by", "match", "action"),
    [
        ("detector", "fax", "drop"),
        ("attribute", " * ", "drop"),
        ("attribute", "", "drop"),
        ("attribute", "a" * 251, "drop"),
        ("attribute", "*a*b*c*d*e*", "drop"),
        ("attribute", "a", "shred"),
        ("colour", "a", "drop"),
    ],
)
def test_what_can_be_no_rule_is_refused(by: str, match: str, action: Any) -> None:
    with pytest.raises(Rejected):
        make(by, match, action)
    assert not RedactionRule.objects.exists()


def test_the_same_is_not_ruled_twice() -> None:
    make("attribute", "pin", "drop")
    with pytest.raises(Rejected, match="in force"):
        make("attribute", "pin", "mask")


def test_hits_are_counted_once_also_where_the_rules_change_between(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(redactions, "FRESH", -1.0)  # looked at each time
    row = make("detector", "card", "mask")
    found = Redactions()
    redaction = found.of("main")
    assert redaction is not None
    redaction.text(f"{CARD} {CARD}")
    make("detector", "email", "mask")
    changed = found.of("main")
    assert changed is not None
    assert changed is not redaction
    changed.text(CARD)

    found.write()
    found.write()

    row.refresh_from_db()
    assert 3 == row.hits
    assert row.last_hit is not None


def test_while_the_database_is_away_the_rules_known_last_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    make("detector", "card", "mask")
    found = Redactions()
    known = found.of("main")

    def away() -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(redactions, "_in_force", away)
    monkeypatch.setattr(redactions, "FRESH", -1.0)
    assert known is found.of("main")
    with pytest.raises(QueueUnavailable, match="cannot be read"):
        Redactions().of("main")


def driven(tmp_path: Path, found: Redactions) -> Driven:
    return Driven(tmp_path, redactions=found)


def test_what_a_receiver_accepts_is_redacted_and_accounted_for(tmp_path: Path) -> None:
    make("detector", "card", "mask")
    receiver = driven(tmp_path, Redactions())

    assert 202 == receiver.ask("POST", "/v1/events", STRUCTURED, json.dumps(EVENT).encode())[0]

    (one,) = receiver.accepted()
    assert CARD.encode() not in one.body
    assert b"[masked card]" in one.body
    assert 1 == one.items
    assert CARD.encode() not in (tmp_path / "inbox.sqlite3").read_bytes()


def test_nothing_of_a_refused_item_is_kept_where_a_rule_is_in_force(tmp_path: Path) -> None:
    make("detector", "card", "mask")
    receiver = driven(tmp_path, Redactions())

    bad = json.dumps([{**EVENT, "time": CARD}, EVENT]).encode()
    batch = {"content-type": "application/cloudevents-batch+json"}
    status, _, _ = receiver.ask("POST", "/v1/events", batch, bad)
    assert 400 == status
    assert 400 == receiver.ask("POST", "/v1/events", STRUCTURED, CARD.encode() + b"{")[0]
    receiver.receiver.refusals.flush()

    rows = list(Refusal.objects.all())
    assert 2 == len(rows)
    assert [b"", b""] == [bytes(row.sample) for row in rows]
    assert not any(CARD in row.message for row in rows)
    (kept,) = receiver.accepted()
    assert 1 == kept.items


def test_where_rules_were_never_read_nothing_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> Any:
        raise OperationalError("away")

    monkeypatch.setattr(redactions, "_in_force", away)
    receiver = driven(tmp_path, Redactions())

    status, headers, _ = receiver.ask("POST", "/v1/events", STRUCTURED, json.dumps(EVENT).encode())

    assert (503, "1") == (status, headers["retry-after"])
    assert [] == receiver.accepted()


def test_without_rules_the_bytes_pass_untouched(tmp_path: Path) -> None:
    receiver = driven(tmp_path, Redactions())
    body = json.dumps(EVENT, indent=3).encode()

    receiver.ask("POST", "/v1/events", STRUCTURED, body)

    assert body == receiver.accepted()[0].body


def test_a_deploy_is_told_without_secrets_too(tmp_path: Path) -> None:
    make("detector", "card", "mask")
    receiver = driven(tmp_path, Redactions())

    told = json.dumps({"service": "pay", "version": "1", "title": f"for {CARD}"}).encode()
    assert 201 == receiver.ask("POST", "/v1/markers", {"content-type": "application/json"}, told)[0]

    assert "for [masked card]" == receiver.marks[0][1].title


def test_the_command_makes_lists_and_ends_rules() -> None:
    out = StringIO()
    call_command("redact", "add", "hash", "--attribute", "user.email", "--note", "GDPR", stdout=out)
    number = int(out.getvalue())
    call_command("redact", "list", stdout=out)
    assert "hash user.email  in force, 0 values taken out  GDPR" in out.getvalue()
    call_command("redact", "end", str(number), stdout=out)
    with pytest.raises(CommandError, match="redact list"):
        call_command("redact", "end", str(number))
    with pytest.raises(CommandError, match="write its key"):
        call_command("redact", "add", "drop", "--attribute", "*")


@pytest.fixture
def operator() -> Client:
    client = Client()
    client.force_login(User.objects.create(username="mo", is_staff=True))
    return client


FORM = {"what": "attribute", "match": "user.email", "action": "hash", "note": "asked by legal"}


def test_the_page_makes_tries_and_ends_rules(operator: Client) -> None:
    sample = {"sample": '{"user": {"email": "ann@example.org", "n": 1}}', "try": "1"}
    tried = operator.post("/settings/redaction/create", FORM | sample)
    assert 200 == tried.status_code
    assert "1 value would be taken out of this sample." in tried.content.decode()
    assert "hash-" in tried.content.decode()
    assert not RedactionRule.objects.exists()

    assert 302 == operator.post("/settings/redaction/create", FORM).status_code
    page = operator.get("/settings/redaction").content.decode()
    assert "1 redaction rule in force." in page
    assert "asked by legal" in page
    again = operator.post("/settings/redaction/create", FORM)
    assert 422 == again.status_code
    assert "is in force" in again.content.decode()

    pk = RedactionRule.objects.get().pk
    assert 302 == operator.post(f"/settings/redaction/{pk}/end").status_code
    assert 404 == operator.post(f"/settings/redaction/{pk}/end").status_code
    assert "Ended" in operator.get("/settings/redaction").content.decode()


def test_a_reader_and_a_stranger_see_and_change_nothing() -> None:
    pk = make("attribute", "pin", "drop").pk
    reader = Client()
    reader.force_login(User.objects.create(username="reader"))
    for client, expected in ((reader, {403}), (Client(), {302, 403})):
        assert client.get("/settings/redaction").status_code in expected
        assert client.post("/settings/redaction/create", FORM).status_code in expected
        assert client.post(f"/settings/redaction/{pk}/end").status_code in expected
    assert 1 == RedactionRule.objects.filter(ended=None).count()


def test_the_salt_is_on_no_page(operator: Client) -> None:
    make("attribute", "pin", "hash")
    salt = bytes(RedactionSalt.objects.get().salt)
    page = operator.get("/settings/redaction").content
    assert salt not in page
    assert salt.hex().encode() not in page
