"""Every page: no violation, no console error, the same facts without scripts, both colour sets."""

from __future__ import annotations

import pytest

from tests.pages import story
from tests.pages.conftest import Open, violations

pytestmark = pytest.mark.pages
PATHS = {
    "comparison": "/e/bet/8812?compare=player:20417",
    "home": "/",
    "search": "/search?q=bet:8812",
    "not seen": "/search?q=bet:none-such-1",
    "chips as text": "/search?q=bet:8812&view=text",
    "trace": f"/traces/{story.TRACE}",
    "trace table": f"/traces/{story.TRACE}?view=table",
    "entity": "/e/bet/8812",
    "flows": "/flows?range=all",
    "destination": "/flows/settlements?range=all",
    "seen": "/seen",
    "verdicts": "/seen?ids=bet:8812,none-such-1",
    "senders": "/senders",
    "ingest keys": "/settings/keys",
    "redaction": "/settings/redaction",
    "quarantine": "/senders/quarantine",
    "following": "/search?q=bet:8812&tail=1&sort=received",
    "looked into": "/search?q=bet:8812&more=name&columns=name,size,order.total",
    "watches": "/watches",
    "saved": "/saved",
    "help": "/help",
}
SIZES = {"desktop": (1440, 900), "laptop": (1280, 800), "tablet": (1024, 768), "phone": (390, 844)}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("name", PATHS)
def test_axe_finds_no_violation(visit: Open, name: str, dark: bool) -> None:
    assert [] == violations(visit(PATHS[name], dark=dark))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("name", PATHS)
def test_no_page_is_wider_than_its_window(visit: Open, name: str, size: str) -> None:
    width, height = SIZES[size]
    page = visit(PATHS[name], width=width, height=height)
    assert width >= page.evaluate("document.documentElement.scrollWidth")


@pytest.mark.parametrize("name", PATHS)
def test_the_first_line_is_a_sentence(visit: Open, name: str) -> None:
    text = visit(PATHS[name], scripts=False).locator("h1").inner_text()
    assert text.rstrip()[-1] in ".?"


@pytest.mark.parametrize("name", ["search", "trace", "entity", "verdicts", "senders"])
def test_with_scripts_off_the_same_facts_are_there(visit: Open, name: str) -> None:
    with_scripts = visit(PATHS[name]).locator("tr[data-row]").count()
    without = visit(PATHS[name], scripts=False).locator("tr[data-row]").count()
    assert 0 < with_scripts
    assert with_scripts == without


@pytest.mark.parametrize("name", ["search", "trace", "entity"])
def test_a_page_sends_little_script(visit: Open, name: str) -> None:
    page = visit(PATHS[name])
    sizes = page.evaluate(
        "performance.getEntriesByType('resource').filter(r => r.name.endsWith('.js')).map(r => r.decodedBodySize)"
    )
    assert 300_000 > sum(sizes)
    assert 0 < sum(sizes)


def test_a_fact_page_finds_no_violation_either(visit: Open) -> None:
    page = visit("/search?q=type:BetSettled")
    page.locator("tr[data-row] .open").first.click()
    page.wait_for_selector("#h-clocks")
    assert [] == violations(page)


def test_missing_and_malformed_have_pages_of_their_own(visit: Open) -> None:
    assert (
        "No fact has this id." == visit("/facts/AAAAAAAAAAAAAAAAAAAA", expect=404).locator("h1").inner_text()
    )
    assert "There is no such page." == visit("/nowhere", expect=404).locator("h1").inner_text()
    page = visit("/search?q=(bet:8812", expect=400)
    assert "cannot be read" in page.locator("h1").inner_text()
