"""A long export says how far it is, can be stopped, and says where it broke off."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from tests.node.harness import RunningNode
from tests.node.otlp import PROTOBUF, request, span
from tests.pages.conftest import Open, violations

pytestmark = [pytest.mark.pages]
FACTS = 2_500
_sent: set[str] = set()


@pytest.fixture
def many(visit: Open, node: RunningNode) -> Open:
    """Opens a search that more facts match than an export is silent about."""
    if node.web not in _sent:
        body = request("export", [span(0xE4, number) for number in range(1, FACTS + 1)])
        assert 200 == node.send("/v1/traces", body, PROTOBUF)
        node.searchable()
        _sent.add(node.web)

    def go(**options: object) -> Page:
        return visit("/search?q=service:export", **options)

    return go


def _begin(page: Page, kind: str = "NDJSON") -> None:
    page.locator("summary", has_text="Export").click()
    page.get_by_role("link", name=re.compile(f"^{kind}")).click()


def test_a_long_export_is_told_of_and_comes_whole(many: Open) -> None:
    page = many()
    with page.expect_download() as taken:
        _begin(page)
    said = page.locator("[data-export-said]")
    expect(said).to_have_text("2,500 facts exported")
    assert [] == violations(page)
    rows = [json.loads(line) for line in Path(taken.value.path()).read_text().splitlines()]
    assert FACTS == sum("fact" in row for row in rows)
    assert FACTS == rows[-1]["end"]["facts"]
    assert taken.value.suggested_filename == "throughline-search-service-export.ndjson"
    page.get_by_role("button", name="Close").click()
    expect(said).to_be_hidden()


def test_a_long_export_is_stopped(many: Open) -> None:
    page = many()
    held: list[Route] = []
    page.route("**/api/v1/export/**", lambda route: held.append(route))  # an answer that does not come
    _begin(page, "CSV")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("[data-export-said]")).to_have_text("Export cancelled; nothing was saved")


def test_an_export_that_breaks_off_says_so(many: Open) -> None:
    page = many(spared="status of 503")
    page.route("**/api/v1/export/**", lambda route: route.fulfill(status=503, body="{}"))
    _begin(page)
    expect(page.locator("[data-export-said]")).to_contain_text("broke off after 0 facts; nothing was saved")
