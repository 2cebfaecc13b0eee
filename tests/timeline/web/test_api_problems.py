"""Whoever asks the API is told what is wrong as problem+json, wherever it went wrong."""

from __future__ import annotations

import pytest
from django.test import Client

from timeline import keys
from timeline.models import Token

pytestmark = pytest.mark.django_db


@pytest.fixture
def headers() -> dict[str, str]:
    """Those of somebody who may read."""
    return {"Authorization": f"Bearer {keys.create('test', Token.Scope.READ)}"}


def test_an_address_without_an_operation_is_a_problem(headers: dict[str, str]) -> None:
    answer = Client().get("/api/v1/facts?q=x", headers=headers)
    assert 404 == answer.status_code
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert "see /api/openapi.json" == answer.json()["remedy"]


@pytest.mark.parametrize("method", ["DELETE", "TRACE"])
def test_a_method_that_is_not_taken_is_a_problem_that_names_the_others(
    headers: dict[str, str], method: str
) -> None:
    answer = Client().generic(method, "/api/v1/search", headers=headers)
    assert 405 == answer.status_code
    assert "application/problem+json" == answer.headers["Content-Type"]
    assert "GET" in answer.headers["Allow"]


def test_a_page_stays_a_page() -> None:
    answer = Client().get("/nowhere")
    assert 404 == answer.status_code
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_trace_to_take_away_has_to_be_named(headers: dict[str, str]) -> None:
    answer = Client().get("/api/v1/export/trace?trace=1&format=csv", headers=headers)
    assert 400 == answer.status_code
    assert answer.json()["remedy"].endswith("as id=")
