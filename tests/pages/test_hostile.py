"""Keys, names and values that attack: nothing runs, nothing hides, the policy reports nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.node.harness import RunningNode
from tests.node.otlp import PROTOBUF, request, span
from tests.pages.conftest import Open

pytestmark = pytest.mark.pages
PAYLOADS = (
    "<script>window.hit=1</script>",
    '"><img src=x onerror="window.hit=1">',
    "'-window.hit=1-'",
    "</title><svg onload=window.hit=1>",
    "javascript:window.hit=1",
    "{{ 7|add:7 }}{% debug %}",
    "</style><script>window.hit=1</script>",
    "\u202egnp.exe\u2066",
    "a\u200bb\x07c",
)


@pytest.fixture(scope="module")
def attacked(node: RunningNode) -> RunningNode:
    """The story's node, after every payload came as service, name, key, value and entity."""
    for number, payload in enumerate(PAYLOADS, 1):
        attributes = {
            payload: payload,
            "throughline.entity.attack": f"{number}{payload}",
            "attack.id": f"attack-{number}",
            "messaging.destination.name": payload,
            "messaging.system": payload,
        }
        sent = span(0xBAD, number, name=payload, attributes=attributes)
        assert 200 == node.send("/v1/traces", request(payload, [sent]), PROTOBUF)
    node.searchable()
    return node


def _unharmed(page: Page) -> None:
    assert page.evaluate("window.hit") is None
    assert 0 == page.locator("main img, main script, main iframe").count()


@pytest.mark.parametrize(
    "path",
    [
        "/",
        "/search?q=has:attack.id&range=all",
        f"/traces/{0xBAD:032x}",
        f"/traces/{0xBAD:032x}?view=table",
        "/senders",
    ],
)
def test_no_page_runs_what_was_sent(visit: Open, attacked: RunningNode, path: str) -> None:
    _unharmed(visit(path))


@pytest.mark.parametrize("number", range(1, len(PAYLOADS) + 1))
def test_no_fact_and_no_entity_page_runs_what_was_sent(
    visit: Open, attacked: RunningNode, number: int
) -> None:
    page = visit(f"/search?q=attack.id:attack-{number}&range=all")
    _unharmed(page)
    page.locator("tr[data-row] .open").first.click()
    page.wait_for_selector("#h-clocks")
    _unharmed(page)
    page.locator("a.entity").first.click()
    page.wait_for_selector("[data-lanes]")
    _unharmed(page)


def test_what_would_reorder_or_hide_is_made_visible(visit: Open, attacked: RunningNode) -> None:
    text = visit(f"/traces/{0xBAD:032x}").locator("main").inner_text()
    assert "\u202e" not in text
    assert "\u200b" not in text
    assert "U+202E" in text
    assert "U+200B" in text


@pytest.mark.parametrize("what", [f"trace?id={0xBAD:032x}", "search?q=has:attack.id&range=all"])
def test_a_file_taken_away_runs_nothing_either(
    visit: Open, attacked: RunningNode, tmp_path: Path, what: str
) -> None:
    page = visit("/help")
    file = tmp_path / "taken.html"
    file.write_bytes(page.request.get(f"{attacked.web}/api/v1/export/{what}&format=html").body())
    page.goto(f"file://{file}")
    assert "Throughline" in page.title()
    _unharmed(page)


def test_a_hostile_question_is_shown_and_not_run(visit: Open) -> None:
    for payload in PAYLOADS[:5]:
        page = visit("/help", spared="status of 400")
        page.fill("#q", payload)
        page.keyboard.press("Enter")
        page.wait_for_url("**/search?**")
        assert page.evaluate("window.hit") is None
