"""What a command says where it cannot work."""

from __future__ import annotations

import io

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import OperationalError

from timeline import keys
from timeline.errors import Rejected
from timeline.models import Token


def test_a_node_without_a_database_is_named_with_its_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing() -> None:
        raise OperationalError("no such table: auth_user")

    monkeypatch.setattr(keys, "first_user", missing)
    with pytest.raises(CommandError, match=r"no such table: auth_user.*start the node first"):
        call_command("signin_link")


@pytest.mark.parametrize(
    ("remedy", "said"), [("choose another", "that is taken; choose another"), ("", "that is taken")]
)
def test_an_error_of_ours_is_its_sentence_and_its_remedy(
    monkeypatch: pytest.MonkeyPatch, remedy: str, said: str
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise Rejected("that is taken", remedy=remedy)

    monkeypatch.setattr(keys, "make", refused)
    with pytest.raises(CommandError) as raised:
        call_command("token", "create", "--read")
    assert said == str(raised.value)


@pytest.mark.django_db
def test_where_nothing_is_wrong_nothing_is_in_between() -> None:
    out = io.StringIO()
    call_command("token", "create", "--read", stdout=out)
    assert keys.find(out.getvalue().strip(), Token.Scope.READ) is not None
