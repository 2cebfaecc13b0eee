"""The story of an entity beside another's, with those related to it, and played step by step."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import STORES, Open

pytestmark = [pytest.mark.pages, STORES]
BET = "/e/bet/8812"


def test_two_entities_are_compared_step_by_step(visit: Open) -> None:
    page = visit(BET)
    page.locator("summary", has_text="Compare").click()
    page.get_by_label("Beside which entity?").fill("player:20417")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("compare=player"))
    assert page.locator(".pairs tbody tr").count() > 10
    page.get_by_role("link", name="From the other side").click()
    expect(page.locator("h1")).to_contain_text("player:20417")
    expect(page.locator(".compare h2")).to_contain_text("bet:8812")
    page.get_by_role("link", name="End the comparison").click()
    expect(page.locator(".compare")).to_have_count(0)


def test_a_comparison_with_what_was_never_seen_says_so(visit: Open) -> None:
    page = visit(f"{BET}?compare=bet:none")
    expect(page.locator(".compare h2")).to_contain_text("Nothing about bet:none was seen")


def test_a_related_entity_is_shown_beside_without_counting_twice(visit: Open) -> None:
    page = visit(BET)
    before = page.locator("tr[data-id]").count()
    page.locator("summary", has_text="Related").click()
    page.get_by_role("button", name=re.compile("^match:4711")).click()
    page.wait_for_url(re.compile("with=match"))
    ids = page.locator("tr[data-id]").evaluate_all("rows => rows.map(row => row.dataset.id)")
    assert len(ids) == len(set(ids)) > before
    page.locator("summary", has_text="Related").click()
    page.get_by_role("button", name=re.compile("^match:4711")).click()
    expect(page.locator("tr[data-id]")).to_have_count(before)


def test_the_story_is_played_by_keyboard_and_step_by_step(visit: Open) -> None:
    page = visit(BET)
    page.keyboard.press("p")
    expect(page.locator("[data-played]")).to_contain_text("of")
    expect(page.locator("tr.later").last).to_be_attached()
    page.keyboard.press("p")
    expect(page.get_by_role("button", name="Play")).to_be_visible()
    at = int(page.locator("[data-played]").inner_text().split()[0])
    page.get_by_role("button", name="One step on").click()
    expect(page.locator("[data-played]")).to_contain_text(f"{at + 1} of")
    assert f"sel={page.locator('tr[aria-selected=true]').get_attribute('data-id')}" in page.url
    page.keyboard.press("Escape")
    expect(page.locator("body.playing")).to_have_count(0)


def test_an_entity_that_was_never_seen_stays_so_beside_another(visit: Open) -> None:
    page = visit("/e/bet/none?with=bet:8812", expect=404)
    expect(page.locator("h1")).to_contain_text("Nothing about bet:none was seen")


def test_the_sentence_is_about_the_entity_alone(visit: Open) -> None:
    alone = visit(BET).locator("h1").inner_text()
    assert alone == visit(f"{BET}?with=player:20417,match:4711").locator("h1").inner_text()


@pytest.mark.parametrize("width", [1440, 1024])
def test_no_label_of_the_drawing_covers_another(visit: Open, width: int) -> None:
    page = visit("/e/bet/8812", width=width)
    expect(page.locator(".lane-draw .event-label[visibility=visible]").first).to_be_attached()
    covering = page.evaluate("""() => {
      const shown = [...document.querySelectorAll('.lane-draw :is(.event-label, .tick, .over, .gap-text)')]
        .filter((label) => label.getAttribute('visibility') !== 'hidden')
        .map((label) => [label.textContent, label.getBoundingClientRect()]);
      return shown.flatMap(([name, a], place) => shown.slice(place + 1)
        .filter(([, b]) => a.left < b.right && b.left < a.right && a.top + 3 < b.bottom && b.top + 3 < a.bottom)
        .map(([other]) => `${name} / ${other}`));
    }""")
    assert [] == covering
    assert {"BetPlaced", "BetSettled"} <= set(
        page.locator(".lane-draw .event-label[visibility=visible]").all_text_contents()
    )
