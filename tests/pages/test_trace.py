"""The waterfall: range, columns, find, closing, filters, all of it in the address, by mouse and by keyboard."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.node.harness import RunningNode
from tests.pages import story
from tests.pages.conftest import Open, violations
from tests.pages.sending import send_batch, send_deliveries

pytestmark = pytest.mark.pages
TRACE = f"/traces/{story.TRACE}"
SIZES = {"desktop": (1440, 900), "tablet": (1024, 768), "phone": (390, 844)}


def rows(page: Page) -> list[str]:
    return page.locator("tr[data-row]:visible .open").all_inner_texts()


def chosen(page: Page) -> str:
    return page.locator("tr[aria-selected=true] .open").inner_text()


def test_find_counts_marks_dims_and_walks_the_matches(visit: Open) -> None:
    page = visit(TRACE)
    page.keyboard.press("Control+b")
    page.keyboard.type("balances")
    expect(page.locator("[data-found]")).to_have_text("3 found")
    expect(page.locator("tr.match")).to_have_count(3)
    assert page.locator("tr[data-row]").count() - 3 == page.locator("tr.dim").count()
    page.keyboard.press("Enter")
    expect(page.locator("[data-found]")).to_have_text(re.compile("[123] of 3"))
    page.locator("tr[aria-selected=true]").focus()
    first = page.locator("tr[aria-selected=true]").get_attribute("data-place")
    page.keyboard.press("n")
    page.keyboard.press("n")
    page.keyboard.press("n")
    assert first == page.locator("tr[aria-selected=true]").get_attribute("data-place")
    page.keyboard.press("N")
    assert first != page.locator("tr[aria-selected=true]").get_attribute("data-place")
    assert "find=balances" in page.url
    page.goto(page.url)
    expect(page.locator("tr.match")).to_have_count(3)


def test_find_works_without_scripts(visit: Open) -> None:
    page = visit(f"{TRACE}?find=balances", scripts=False)
    assert "3 found" == page.locator("[data-found]").inner_text()
    assert 3 == page.locator("tr.match").count()


def test_a_closed_branch_says_what_it_hides_and_the_address_keeps_it(visit: Open) -> None:
    page = visit(TRACE)
    send = page.locator("tr[data-row]", has_text="send bets").first
    send.locator("[data-twist]").click()
    expect(send).to_have_attribute("aria-expanded", "false")
    expect(send.locator(".hides")).to_have_text(re.compile(r"\d+ hidden"))
    expect(send.locator(".fault.hollow")).to_be_visible()
    left = rows(page)
    assert not any("settle bet" in row for row in left)
    assert "closed=" in page.url
    page.goto(page.url)
    expect(page.locator("tr[data-row]:visible")).to_have_count(len(left))
    assert left == rows(page)


def test_levels_open_and_close_by_key(visit: Open) -> None:
    page = visit(TRACE)
    whole = page.locator("tr[data-row]:visible").count()
    page.keyboard.press("]")
    expect(page.locator("tr[data-row]:visible")).to_have_count(1)
    page.keyboard.press("o")
    second = page.locator("tr[data-row]:visible").count()
    assert 1 < second < whole
    page.keyboard.press("p")
    expect(page.locator("tr[data-row]:visible")).to_have_count(1)
    page.keyboard.press("[")
    expect(page.locator("tr[data-row]:visible")).to_have_count(whole)


def test_rows_follow_the_tree_pattern(visit: Open) -> None:
    page = visit(TRACE)
    page.locator("tr[data-row]").first.click()
    page.locator("tr[aria-selected=true]").focus()
    page.keyboard.press("ArrowLeft")
    expect(page.locator("tr[data-row]:visible")).to_have_count(1)
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert "check odds" in chosen(page)
    page.keyboard.press("ArrowLeft")
    assert "POST /bets" in chosen(page)
    page.keyboard.press("End")
    last = chosen(page)
    assert last == rows(page)[-1]
    page.keyboard.press("Home")
    assert "POST /bets" in chosen(page)


def test_the_range_is_set_by_dragging_and_taken_back(visit: Open) -> None:
    page = visit(TRACE)
    box = page.locator("[data-minimap] > svg").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + 24)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 24, steps=5)
    page.mouse.up()
    expect(page.locator("[data-reset]")).to_be_visible()
    page.wait_for_function("new URL(location.href).searchParams.has('zoom')")
    start = page.get_by_role("slider", name="Start of the visible range")
    assert 58 < float(start.get_attribute("aria-valuenow") or 0) < 62
    url = page.url
    page.goto(url)
    assert 58 < float(start.get_attribute("aria-valuenow") or 0) < 62
    page.locator("[data-reset]").click()
    expect(page.locator("[data-reset]")).to_be_hidden()
    assert "zoom" not in page.url


def test_handles_and_keys_move_the_range(visit: Open) -> None:
    page = visit(TRACE)
    end = page.get_by_role("slider", name="End of the visible range")
    end.focus()
    page.keyboard.press("Shift+ArrowLeft")
    expect(end).to_have_attribute("aria-valuenow", "90.0")
    page.locator("body").evaluate("() => document.activeElement.blur()")
    before = page.locator("[data-axis]").text_content()
    page.keyboard.press("+")
    page.keyboard.press("d")
    page.wait_for_function("old => document.querySelector('[data-axis]').textContent !== old", arg=before)
    start = page.get_by_role("slider", name="Start of the visible range")
    at = float(start.get_attribute("aria-valuenow") or 0)
    assert at > 20
    page.keyboard.press("a")
    assert float(start.get_attribute("aria-valuenow") or 0) < at
    page.keyboard.press("0")
    expect(end).to_have_attribute("aria-valuenow", "100.0")


def test_a_zoomed_page_is_drawn_alike_by_server_and_script(visit: Open) -> None:
    page = visit(TRACE)
    end = page.get_by_role("slider", name="End of the visible range")
    end.focus()
    page.keyboard.press("Shift+ArrowLeft")
    page.wait_for_function("new URL(location.href).searchParams.has('zoom')")
    place = "[...document.querySelectorAll('tr[data-row] [data-zoomed]')].map(n => parseFloat(n.getAttribute('width')).toFixed(1))"
    scripted = page.evaluate(place)
    path = page.evaluate("location.pathname + location.search")
    assert scripted == visit(path, scripts=False).evaluate(place)


def test_the_columns_are_moved_by_key_and_kept(visit: Open) -> None:
    page = visit(TRACE)
    divider = page.get_by_role("separator", name="Width of the tree")
    divider.focus()
    page.keyboard.press("Home")
    expect(divider).to_have_attribute("aria-valuenow", "15")
    page.keyboard.press("End")
    expect(divider).to_have_attribute("aria-valuenow", "85")
    page.keyboard.press("Shift+ArrowLeft")
    expect(divider).to_have_attribute("aria-valuenow", "75")
    page.reload()
    expect(divider).to_have_attribute("aria-valuenow", "75")


def test_the_columns_are_moved_by_dragging(visit: Open) -> None:
    page = visit(TRACE)
    divider = page.get_by_role("separator", name="Width of the tree")
    box = divider.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 3, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 203, box["y"] + 60, steps=4)
    page.mouse.up()
    moved = divider.bounding_box()
    assert moved is not None
    assert 190 < moved["x"] - box["x"] < 210


def test_services_are_left_out_and_said_to_be(visit: Open) -> None:
    page = visit(TRACE)
    page.locator(".service-filter summary").click()
    page.get_by_role("link", name="Only wallet").click()
    page.wait_for_url(re.compile("hide="))
    assert all("wallet" in row for row in rows(page))
    expect(page.locator("[data-loaded]")).to_contain_text("left out")
    without = visit(page.evaluate("location.pathname + location.search"), scripts=False)
    assert rows(page) == rows(without)


def test_the_critical_path_lies_on_bars_and_waits_and_can_be_left_out(visit: Open) -> None:
    page = visit(TRACE)
    assert page.locator(".path-line").count() > 5
    page.get_by_role("button", name="Critical path").click()
    page.wait_for_url(re.compile("critical=0"))
    expect(page.locator("tr .path-line")).to_have_count(0)


def test_what_outlives_its_parent_is_a_thin_line_and_by_how_much_is_said(visit: Open) -> None:
    page = visit(TRACE)
    parent = page.locator("tr[data-row]", has_text="credit account").first
    assert 2 == parent.locator(".reach").count()
    expect(page.locator("tr[data-row]", has_text="84 ms past its parent")).to_have_count(1)


def test_a_batch_opens_into_its_messages(visit: Open, node: RunningNode) -> None:
    trace = send_batch(node, 0xBA7C4, 12)
    page = visit(f"/traces/{trace:032x}")
    group = page.locator("tr.messages")
    expect(group).to_have_attribute("aria-expanded", "false")
    expect(page.locator("tr.message:visible")).to_have_count(0)
    group.click()
    expect(page.locator("tr.message:visible")).to_have_count(12)
    expect(page.locator("tr.message").first).to_contain_text("message 1 of 12")
    page.goto(page.url)
    expect(page.locator("tr.message:visible")).to_have_count(12)
    assert [] == violations(page)


def test_a_wait_is_compared_with_what_is_usual_there(visit: Open, node: RunningNode) -> None:
    trace = send_deliveries(node, 0x5107, waits=[0.02] * 8 + [90])
    page = visit(f"/traces/{trace:032x}")
    expect(page.locator(".fall")).to_contain_text("waiting 90.000 s, usually 20 ms")


def test_single_keys_do_nothing_while_typing(visit: Open) -> None:
    page = visit(TRACE)
    whole = page.locator("tr[data-row]:visible").count()
    page.locator("#find").focus()
    page.keyboard.type("]pa")
    assert "]pa" == page.locator("#find").input_value()
    expect(page.locator("tr[data-row]:visible")).to_have_count(whole)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("view", ["", "sequence", "graph", "table"])
def test_every_view_fits_its_window(visit: Open, size: str, view: str) -> None:
    width, height = SIZES[size]
    page = visit(f"{TRACE}?view={view}", width=width, height=height)
    assert width >= page.evaluate("document.documentElement.scrollWidth")
    assert [] == violations(page)
