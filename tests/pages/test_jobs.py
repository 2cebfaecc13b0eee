"""What people come to do: each job through the browser, by mouse or by keyboard alone."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.pages import story
from tests.pages.conftest import STORES, Open

pytestmark = [pytest.mark.pages, STORES]
TRACE = f"/traces/{story.TRACE}"


def test_a_pasted_entity_is_seen_with_its_rows_newest_first(visit: Open) -> None:
    page = visit("/")
    page.keyboard.press("/")
    page.keyboard.type("bet:8812")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_contain_text("Seen 26 times")
    assert (
        "PayoutCompleted"
        in page.locator("tr[data-row]").first.inner_text() + page.locator("tr[data-row]").nth(1).inner_text()
    )
    expect(page.get_by_role("link", name="Open timeline")).to_be_visible()


def test_the_story_of_a_pasted_entity_is_taken_away_in_two_clicks(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    page.locator("summary", has_text="Export").click()
    with page.expect_download() as taken:
        page.get_by_role("link", name=re.compile("The story of bet:8812")).click()
    text = Path(taken.value.path()).read_text()
    assert taken.value.suggested_filename.endswith(".html")
    assert "bet:8812 reached" in text


def test_rows_are_walked_and_opened_by_keyboard(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    page.keyboard.press("j")
    page.keyboard.press("j")
    chosen = page.locator("tr[aria-selected=true] .open")
    name = chosen.inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/facts/"))
    assert name in page.locator("h1").inner_text()


def test_a_facet_narrows_and_a_chip_widens_again(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    page.locator(".facet .value a[title='Only settlement']").click()
    expect(page.locator("h1")).not_to_contain_text("26 times")
    services = {text.strip() for text in page.locator(".service-cell .service").all_inner_texts()}
    assert {"settlement"} == services
    page.get_by_role("link", name="Remove service settlement").click()
    expect(page.locator("h1")).to_contain_text("Seen 26 times")


def test_the_histogram_is_brushed_by_keyboard(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    page.locator("[data-histogram]").focus()
    page.keyboard.press("ArrowRight")
    for _ in range(4):
        page.keyboard.press("Shift+ArrowRight")
    expect(page.locator("[data-brush-zoom]")).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("from=.*to="))


def test_the_histogram_is_brushed_by_mouse_and_cleared(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    box = page.locator("[data-histogram]").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 100, box["y"] + 40)
    page.mouse.down()
    page.mouse.move(box["x"] + 300, box["y"] + 40, steps=4)
    page.mouse.up()
    expect(page.locator("[data-brush-zoom]")).to_be_visible()
    page.locator("[data-brush-clear]").click()
    expect(page.locator("[data-brush-zoom]")).to_be_hidden()


def test_a_syntax_error_points_at_its_column(visit: Open) -> None:
    page = visit("/search?q=bet:8812 (service:", expect=400)
    assert page.locator(".problem-query mark").count() == 1
    assert re.search(r"at column \d+", page.locator("h1").inner_text())


def test_times_turn_local_and_stay_so(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    page.keyboard.press("z")
    expect(page.get_by_role("button", name="Local")).to_have_attribute("aria-pressed", "true")
    page.reload()
    expect(page.get_by_role("button", name="Local")).to_have_attribute("aria-pressed", "true")


def test_dark_is_remembered(visit: Open) -> None:
    page = visit("/help")
    page.locator("[data-do=theme]").click()
    page.locator("[data-do=theme]").click()
    page.reload()
    assert "dark" == page.evaluate("document.documentElement.dataset.theme")
    assert "rgb(15, 17, 22)" == page.evaluate("getComputedStyle(document.documentElement).backgroundColor")


def test_the_waterfall_selects_collapses_and_finds(visit: Open) -> None:
    page = visit(TRACE)
    rows = page.locator("tr[data-row]:visible")
    whole = rows.count()
    page.locator("tr[data-row]", has_text="process settlements").first.click()
    expect(page.locator("[data-panel] h2")).to_have_text("process settlements")
    assert "span=" in page.url
    page.keyboard.press("]")
    expect(rows).to_have_count(1)
    page.keyboard.press("[")
    expect(rows).to_have_count(whole)
    page.fill("#find", "balances")
    page.keyboard.press("Enter")
    expect(page.locator("[data-found]")).to_have_text(re.compile("[123] of 3"))
    assert 3 == page.locator("tr.match").count()


def test_a_trace_reloads_to_the_same_picture(visit: Open) -> None:
    page = visit(TRACE)
    page.locator("tr[data-row]", has_text="credit account").first.click()
    expect(page.locator("[data-panel] h2")).to_have_text("credit account")
    page.wait_for_function("document.querySelectorAll('tr[aria-selected=true]').length === 1")
    chosen = page.locator("tr[aria-selected=true]").get_attribute("data-id")
    page.goto(page.url)
    assert chosen == page.locator("tr[aria-selected=true]").get_attribute("data-id")
    assert "credit account" == page.locator("[data-panel] h2").inner_text()


def test_the_linked_trace_is_one_click_away(visit: Open) -> None:
    page = visit(TRACE)
    page.locator(".linked a.mono").first.click()
    page.wait_for_url(re.compile(story.FEED_TRACE))
    expect(page.locator("h1")).to_contain_text("match.events")


def test_an_entity_is_selected_in_lanes_and_log_alike(visit: Open) -> None:
    page = visit("/e/bet/8812")
    page.locator(".thing", has_text="BetSettled").click()
    row = page.locator("tr[aria-selected=true]")
    expect(row).to_contain_text("BetSettled")
    page.goto(page.url)
    expect(page.locator(".thing.chosen title")).to_have_text(re.compile("BetSettled"))


def test_folded_time_opens_by_its_label(visit: Open) -> None:
    page = visit("/e/bet/8812")
    breaks = page.locator("[data-lanes] a[aria-label^='Open ']")
    before = breaks.count()
    assert before > 0
    breaks.first.click()
    page.wait_for_url(re.compile("open="))
    assert before - 1 == page.locator("[data-lanes] a[aria-label^='Open ']").count()


def test_many_ids_get_a_verdict_each_and_the_missing_are_taken_away(visit: Open) -> None:
    page = visit("/seen")
    page.fill("#ids", "bet:8812\nnone-such-1\n=cmd()\nbet:8812")
    page.get_by_role("button", name="Check").click()
    expect(page.locator("h1")).to_contain_text("1 of 3 seen")
    with page.expect_download() as taken:
        page.get_by_role("button", name="Missing as CSV").click()
    text = taken.value.path().read_text()
    assert "none-such-1" in text
    assert "'=cmd()" in text
    assert "bet:8812" not in text


def test_a_declaration_is_made_and_withdrawn(visit: Open) -> None:
    page = visit("/senders")
    page.get_by_role("button", name="Declare complete: notifications").first.click()
    expect(page.get_by_text("by operator").first).to_be_visible()
    page.get_by_role("button", name="Withdraw the declaration of notifications").first.click()
    expect(page.get_by_text("by operator")).to_have_count(0)


def test_the_file_taken_away_says_the_same_offline(visit: Open, tmp_path: Path) -> None:
    page = visit("/e/bet/8812")
    page.locator(".actions summary").first.click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="One HTML file").click()
    sentence = page.locator("h1").inner_text()
    taken.value.save_as(tmp_path / "story.html")
    page.context.set_offline(True)
    page.goto(f"file://{tmp_path / 'story.html'}")
    assert sentence == page.locator("h1").inner_text()
    assert 26 == page.locator("table.log tr[data-row]").count()
    assert 0 == page.locator("script").count()
