"""The keys page: for operators alone, a secret once, every step in the audit."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from timeline import keys
from timeline.errors import Rejected
from timeline.models import Audit, Token

pytestmark = pytest.mark.django_db
SECRET = re.compile(r"tl_(?:ingest|read)_[0-9a-f]{40}_[0-9a-f]{8}")
FORM = {"name": "pay", "team": "payments", "environment": "prod", "scope": "ingest", "quota_items": "500"}


@pytest.fixture
def operator() -> Client:
    client = Client(enforce_csrf_checks=False)
    client.force_login(User.objects.create(username="mo", is_staff=True))
    return client


def _make(client: Client, **changes: str) -> Any:
    return client.post("/settings/keys/create", FORM | changes)


def _secret(answer: Any) -> str:
    (found,) = SECRET.findall(answer.content.decode())
    return str(found)


PATHS = ["/settings/keys/create", "/settings/keys/1/rotate", "/settings/keys/1/revoke"]


def test_a_reader_and_a_stranger_see_and_change_nothing() -> None:
    keys.make(keys.Terms(name="pay"), "ingest")
    reader, stranger = Client(), Client()
    reader.force_login(User.objects.create(username="reader"))
    assert (403, 302) == (
        reader.get("/settings/keys").status_code,
        stranger.get("/settings/keys").status_code,
    )
    pk = Token.objects.get().pk
    for path in PATHS:
        path = path.replace("/1/", f"/{pk}/")
        assert 403 == reader.post(path, FORM | {"hours": "1"}).status_code
        assert stranger.post(path, FORM).status_code in (302, 403)
    assert (1, 0) == (keys.live().count(), Token.objects.filter(expires__isnull=False).count())


def test_a_form_from_elsewhere_is_refused() -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(User.objects.create(username="mo", is_staff=True))
    for path in PATHS:
        assert 403 == client.post(path, FORM).status_code
    assert 0 == Token.objects.count()


def test_a_key_is_shown_once_and_works(operator: Client) -> None:
    answer = _make(operator, quota_burst="2000", quota_bytes="1000000", days="30")
    secret = _secret(answer)
    assert "no-store" in answer.headers["Cache-Control"]
    token = keys.find(secret, "ingest")
    assert token is not None
    assert ("pay", "payments", "prod", "main", 500, 2000, 1_000_000) == (
        token.name, token.team, token.environment, token.workspace,
        token.quota_items, token.quota_burst, token.quota_bytes,
    )  # fmt: skip
    assert token.expires is not None
    assert 29 <= (token.expires - timezone.now()).days <= 30
    page = operator.get("/settings/keys").content.decode()
    assert [] == SECRET.findall(page)
    assert token.prefix in page
    assert "500 items/s, 2,000 at once" in page


def test_rotating_leaves_two_live_keys_of_one_name(operator: Client) -> None:
    old = _secret(_make(operator))
    new = _secret(operator.post(f"/settings/keys/{Token.objects.get().pk}/rotate", {"hours": "24"}))
    first, second = keys.find(old, "ingest"), keys.find(new, "ingest")
    assert first is not None
    assert second is not None
    assert [("pay", "prod", 500)] * 2 == [
        (one.name, one.environment, one.quota_items) for one in (first, second)
    ]
    assert second.expires is None
    assert first.expires is not None
    assert timedelta(hours=23) < first.expires - timezone.now() <= timedelta(hours=24)


def test_a_later_rotation_ends_no_key_later_than_it_would(operator: Client) -> None:
    old = _secret(_make(operator))
    pk = Token.objects.get().pk
    for hours in ("1", "168"):
        operator.post(f"/settings/keys/{pk}/rotate", {"hours": hours})
    token = keys.find(old, "ingest")
    assert token is not None
    assert token.expires is not None
    assert token.expires - timezone.now() <= timedelta(hours=1)
    assert 3 == keys.live().count()


def test_a_rotation_at_once_ends_the_old_key(operator: Client) -> None:
    old = _secret(_make(operator))
    operator.post(f"/settings/keys/{Token.objects.get().pk}/rotate", {"hours": "0"})
    assert keys.find(old, "ingest") is None


def test_a_revoked_key_is_listed_as_ended(operator: Client) -> None:
    secret = _secret(_make(operator))
    pk = Token.objects.get().pk
    assert 302 == operator.post(f"/settings/keys/{pk}/revoke").status_code
    assert keys.find(secret, "ingest") is None
    assert "revoked" in operator.get("/settings/keys").content.decode()
    assert 404 == operator.post(f"/settings/keys/{pk}/revoke").status_code
    assert 404 == operator.post(f"/settings/keys/{pk}/rotate", {"hours": "1"}).status_code


def test_every_step_is_in_the_audit_and_no_secret(operator: Client) -> None:
    secrets = [_secret(_make(operator))]
    pk = Token.objects.get().pk
    secrets.append(_secret(operator.post(f"/settings/keys/{pk}/rotate", {"hours": "1"})))
    operator.post(f"/settings/keys/{pk}/revoke")
    rows = list(Audit.objects.order_by("pk").values_list("who", "what", "detail"))
    assert ["token create", "token create", "token rotate", "token revoke"] == [what for _, what, _ in rows]
    assert {"mo"} == {who for who, _, _ in rows}
    assert not [row for row in rows for secret in secrets if secret in row[2]]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": " "}, "a key has a name"),
        ({"name": "x" * 101}, "up to 100 characters"),
        ({"quota_items": "0"}, "from 1 on"),
        ({"quota_items": "-1"}, "a whole number"),
        ({"quota_items": chr(0x665)}, "a whole number"),
        ({"quota_items": "", "quota_burst": "5"}, "a burst needs"),
        ({"days": "0"}, "between a day and ten years"),
        ({"days": "9999999999999"}, "between a day and ten years"),
        ({"scope": "admin"}, "choose what"),
    ],
)
def test_a_form_that_makes_no_sense_says_so_and_keeps_what_was_typed(
    operator: Client, changes: dict[str, str], said: str
) -> None:
    answer = _make(operator, **changes)
    assert 422 == answer.status_code
    assert said in answer.content.decode()
    assert 'value="payments"' in answer.content.decode()
    assert 0 == Token.objects.count()


def test_a_name_is_one_sender_of_one_environment(operator: Client) -> None:
    _make(operator)
    answer = _make(operator, environment="staging")
    assert (422, True) == (answer.status_code, "is another sender" in answer.content.decode())
    assert 200 == _make(operator).status_code  # a second key of the same
    with pytest.raises(Rejected):
        keys.make(keys.Terms(name="pay", team="payments", environment="prod", workspace="other"), "ingest")


def test_hostile_names_are_shown_as_text(operator: Client) -> None:
    _make(operator, name="<b>\u202ex", team="<script>", environment="'\"")
    page = operator.get("/settings/keys").content.decode()
    assert "<b>" not in page.split("</nav>")[-1]
    assert "<script>" not in page
    assert "\u202e" not in page


def test_a_key_of_another_workspace_is_not_here(operator: Client) -> None:
    keys.make(keys.Terms(name="theirs", workspace="other"), "ingest")
    assert "theirs" not in operator.get("/settings/keys").content.decode()
    pk = Token.objects.get().pk
    assert 404 == operator.post(f"/settings/keys/{pk}/revoke").status_code
