"""Markers are read from JSON strictly: a deploy that is told wrongly is told back."""

from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from timeline.errors import MalformedPayload, Rejected, TooLarge
from timeline.ingest.markers import LIMIT, MOST, Mark, read

NOW = 1_790_000_000 * 10**9


def marks(data: Any) -> list[Mark]:
    return read(json.dumps(data).encode(), NOW)


def test_a_deploy_is_told_by_service_and_version() -> None:
    (mark,) = marks({"service": "wallet", "version": "2.14.0"})
    assert ("wallet 2.14.0", "deploy", NOW, None) == (mark.title, mark.kind, mark.at, mark.until)


def test_everything_that_is_told_is_kept() -> None:
    told = {
        "title": "config of odds",
        "kind": "change",
        "at": "2026-09-21T14:00:00Z",
        "until": 1790000300,
        "service": "odds",
        "version": "7",
        "environment": "prod",
        "url": "https://ci.example.org/7",
    }
    (mark,) = marks([told])
    assert mark.until == 1_790_000_300 * 10**9
    assert (told["title"], told["environment"], told["url"]) == (mark.title, mark.environment, mark.url)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        [],
        "x",
        [1],
        {"title": ""},
        {"title": 5},
        {"title": "x", "kind": "party"},
        {"title": "x", "at": "yesterday evening"},
        {"title": "x", "at": True},
        {"title": "x", "at": 1.5},
        {"title": "x", "at": "2026-09-21T14:00:00Z", "until": "2026-09-21T13:00:00Z"},
        {"title": "x", "url": "javascript:alert(1)"},
        {"title": "x", "colour": "red"},
    ],
)
def test_what_is_wrong_is_told_with_a_remedy(wrong: Any) -> None:
    with pytest.raises(MalformedPayload) as told:
        marks(wrong)
    assert told.value.remedy


def test_too_much_is_told_apart() -> None:
    with pytest.raises(TooLarge):
        marks([{"title": "x"}] * (MOST + 1))
    with pytest.raises(TooLarge):
        marks({"title": "x" * 201})
    with pytest.raises(TooLarge):
        read(b" " * (LIMIT + 1), NOW)


def test_the_same_told_twice_has_one_digest() -> None:
    one, other = marks([{"title": "x", "at": 1790000000}, {"title": "x", "at": "1790000000000"}])
    assert one.digest() == other.digest()
    assert one.digest() != marks({"title": "y", "at": 1790000000})[0].digest()


@given(st.binary(max_size=80))
def test_any_bytes_are_read_or_rejected(body: bytes) -> None:
    with suppress(Rejected):
        read(body, NOW)
