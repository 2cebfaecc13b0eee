"""Tokens and sign-in links: shown once, hashed, of one scope, ended when asked."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from timeline import keys
from timeline.models import SignInLink, Token

pytestmark = pytest.mark.django_db


def test_a_token_is_found_by_its_own_scope_only() -> None:
    token = keys.create("grafana", "read")
    assert "grafana" == getattr(keys.find(token, "read"), "name", None)
    assert keys.find(token, "ingest") is None
    assert keys.find(token[:-1] + "x", "read") is None


def test_nothing_stored_gives_the_token_away() -> None:
    token = keys.create("grafana", "read")
    stored = Token.objects.values().get()
    assert token not in str(stored)
    assert len(stored["prefix"]) <= 16


def test_a_revoked_or_expired_token_is_dead() -> None:
    revoked, expired = keys.create("a", "read"), keys.create("b", "read", days=1)
    Token.objects.filter(name="a").update(revoked=timezone.now())
    Token.objects.filter(name="b").update(expires=timezone.now() - timedelta(seconds=1))
    assert keys.find(revoked, "read") is None
    assert keys.find(expired, "read") is None


def test_a_remembered_token_is_asked_for_again_before_a_revoked_one_must_be_dead(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    secret, now = keys.create("grafana", "read"), [100.0]
    monkeypatch.setattr("timeline.keys.time.monotonic", lambda: now[0])
    assert keys.remembered(secret, "read") is not None
    Token.objects.update(revoked=timezone.now())
    now[0] += keys.FRESH
    assert keys.remembered(secret, "read") is not None
    now[0] += 0.1
    assert keys.remembered(secret, "read") is None
    assert keys.FRESH < 5
    Token.objects.update(revoked=None)
    assert keys.remembered(secret, "read") is not None, "a dead one is asked for each time"
    assert keys.remembered(secret, "ingest") is None


def test_a_link_signs_in_once() -> None:
    secret = keys.create_link(keys.first_user()).removeprefix("/signin/")
    assert keys.first_user() == keys.use_link(secret)
    assert keys.use_link(secret) is None


def test_an_old_link_is_dead() -> None:
    secret = keys.create_link(keys.first_user()).removeprefix("/signin/")
    SignInLink.objects.update(expires=timezone.now() - timedelta(seconds=1))
    assert keys.use_link(secret) is None


def test_the_first_user_has_no_password() -> None:
    assert not keys.first_user().has_usable_password()
