"""The box and the search page, by keyboard and by mouse."""

from __future__ import annotations

import json
import re
import time

import pytest
from playwright.sync_api import Page, expect

from tests.node.harness import RunningNode
from tests.node.otlp import PROTOBUF, request, span
from tests.pages import story
from tests.pages.conftest import STORES, Open

pytestmark = [pytest.mark.pages, STORES]
HEADERS = f"content-type: application/json\nce-source: /wallet\ntraceparent: 00-{story.TRACE}-{20:016x}-01"


def box(page: Page) -> None:
    page.keyboard.press("/")
    expect(page.locator("#q")).to_be_focused()


def options(page: Page) -> list[str]:
    expect(page.locator(".top [role=option]").first).to_be_visible()
    return page.locator(".top [role=option] .mono").all_inner_texts()


def send(node: RunningNode, trace: int, number: int, name: str) -> None:
    now = time.time_ns()
    sent = span(trace, number, name=name, attributes={"sent.by": "the test", "probe.id": f"probe-{trace}"})
    sent.start_time_unix_nano, sent.end_time_unix_nano = now, now + 1_000_000
    assert 200 == node.send("/v1/traces", request("prober", [sent]), PROTOBUF)


@pytest.mark.parametrize("path", ["/", "/senders", "/search", "/help", "/watches"])
def test_a_slash_goes_to_the_box_of_every_page(visit: Open, path: str) -> None:
    box(visit(path))


def test_a_pasted_dump_keeps_its_lines_and_finds_the_event(visit: Open) -> None:
    page = visit("/help")
    box(page)
    page.evaluate("text => navigator.clipboard.writeText(text)", HEADERS)
    page.keyboard.press("ControlOrMeta+v")
    assert HEADERS == page.locator("#q").input_value()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/search"))
    expect(page.locator("h1")).to_contain_text("Seen")
    expect(page.locator(".read")).to_contain_text("in headers")
    assert HEADERS == page.locator("#q").input_value()


def test_keys_and_values_are_completed_by_keyboard(visit: Open) -> None:
    page = visit("/help")
    box(page)
    page.keyboard.type("serv")
    expect(page.locator(".top [role=option] .mono").first).to_have_text("service")
    page.keyboard.press("ArrowDown")
    expect(page.locator("#q")).to_have_attribute("aria-activedescendant", re.compile("offers-"))
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value("service:")
    expect(page.locator(".top [role=option]", has_text="wallet")).to_be_visible()
    page.keyboard.type("wall")
    expect(page.locator(".top [role=option]")).to_have_count(1)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.locator("#q")).to_have_value("service:wallet ")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("q=service"))
    expect(page.locator("h1")).to_contain_text("Seen")


def test_suggestions_close_by_escape_and_leave_the_text(visit: Open) -> None:
    page = visit("/help")
    box(page)
    page.keyboard.type("stat")
    options(page)
    page.keyboard.press("Escape")
    expect(page.locator(".top [role=listbox]")).to_be_hidden()
    expect(page.locator("#q")).to_have_value("stat")
    expect(page.locator("#q")).to_be_focused()


def test_recent_searches_stand_under_the_empty_box(visit: Open) -> None:
    visit("/search?q=type:BetSettled&range=7d")
    page = visit("/help")
    box(page)
    assert "type:BetSettled" in options(page)
    page.keyboard.press("ArrowDown")
    chosen = page.locator(".top [aria-selected=true] .mono").inner_text()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/search"))
    assert chosen.startswith(page.locator("#q").input_value()[:20])


def test_what_was_not_seen_is_waited_for_and_told(visit: Open, node: RunningNode) -> None:
    page = visit("/search?q=probe.id:probe-7101")
    page.get_by_role("button", name="Tell me when it arrives").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("You will be told")).to_be_visible()
    send(node, 7101, 1, "arrive")
    expect(page.locator("[data-news-count]")).to_have_text("1", timeout=90_000)
    page.keyboard.press("w")
    page.wait_for_url(re.compile("/watches"))
    expect(page.locator("h1")).to_contain_text("1 of what you wait for arrived")
    expect(page.get_by_text("probe.id:probe-7101")).to_be_visible()
    page.get_by_role("button", name=re.compile("Done with")).click()
    expect(page.locator("h1")).to_have_text("You wait for nothing.")


def test_a_search_is_followed_paused_and_loses_nothing(visit: Open, node: RunningNode) -> None:
    send(node, 7201, 1, "first")
    node.searchable()
    page = visit("/search?q=probe.id:probe-7201")
    page.keyboard.press("t")
    page.wait_for_url(re.compile("tail=1"))
    expect(page.locator("[data-tail-said]")).to_be_visible()
    rows = page.locator("tr[data-row]")
    send(node, 7201, 2, "second")
    expect(rows).to_have_count(2, timeout=60_000)
    assert "second" in rows.first.inner_text()
    page.locator("[data-tail-pause]").click()
    for number in (3, 4):
        send(node, 7201, number, f"later {number}")
    expect(page.locator("[data-tail-show]")).to_have_text("2 new", timeout=60_000)
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Go on").click()
    expect(rows).to_have_count(4)
    page.keyboard.press("t")
    page.wait_for_url(lambda url: "tail=1" not in url)


def test_a_row_is_previewed_beside_the_list_by_keyboard(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    page.keyboard.press("j")
    page.keyboard.press("p")
    panel = page.locator("[data-preview-panel]")
    expect(panel).to_be_visible()
    name = page.locator("tr[aria-selected=true] .open").inner_text()
    expect(panel.locator("h2")).to_have_text(name)
    page.keyboard.press("j")
    second = page.locator("tr[aria-selected=true]").get_attribute("data-id")
    page.wait_for_url(re.compile(f"fact={re.escape(second or '')}"))
    page.goto(page.url)
    assert second == page.locator("tr[aria-selected=true]").get_attribute("data-id")
    expect(panel.locator("h2")).to_be_visible()
    page.keyboard.press("Escape")
    expect(panel).to_be_hidden()
    assert "fact=" not in page.url


def test_events_around_one_are_a_click_away_and_back(visit: Open) -> None:
    page = visit("/search?q=type:BetSettled")
    row = page.locator("tr[data-row]").first
    one = row.get_attribute("data-id")
    row.hover()
    row.get_by_role("link", name=re.compile("Events around")).click()
    page.wait_for_url(re.compile("back="))
    assert one == page.locator("tr[aria-selected=true]").get_attribute("data-id")
    assert page.locator("tr[data-row]").count() > 10
    page.locator("[data-back]").click()
    expect(page.locator("#q")).to_have_value("type:BetSettled")


def test_a_zoom_is_undone_by_escape(visit: Open) -> None:
    page = visit("/search?q=bet:8812&range=7d")
    page.locator("[data-histogram]").focus()
    page.keyboard.press("ArrowRight")
    for _ in range(3):
        page.keyboard.press("Shift+ArrowRight")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("was=7d"))
    if page.locator("[data-histogram]").count():
        page.locator("[data-histogram]").focus()
        page.keyboard.press("Escape")
        page.wait_for_url(re.compile("range=7d"))
    else:
        page.go_back()
    expect(page.locator("h1")).to_contain_text("Seen 26 times")


def test_a_double_click_zooms_out_and_a_bar_narrows(visit: Open) -> None:
    page = visit("/search?q=bet:8812&range=7d")
    page.locator("[data-bar]").last.click()
    page.wait_for_url(re.compile("was=7d.*from="))
    page.locator("[data-histogram]").dblclick(position={"x": 5, "y": 5})
    page.wait_for_url(re.compile("range=7d"))


def test_columns_come_and_go_and_become_ones_own(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    heads = page.locator("table[data-rows] th")
    page.locator(".columns summary").click()
    page.locator(".column-others").get_by_text("Body", exact=True).click()
    expect(heads.filter(has_text="Body")).to_be_visible()
    page.locator(".columns summary").click()
    page.wait_for_load_state()
    names = heads.all_inner_texts()
    place = [name.casefold() for name in names].index("body")
    names[place - 1 : place + 1] = reversed(names[place - 1 : place + 1])
    page.get_by_role("link", name="Move Body forward").click()
    expect(heads).to_have_text(names, use_inner_text=True)
    page.locator(".columns summary").click()
    page.get_by_role("button", name="Make these my usual ones").last.click()
    page.wait_for_url(lambda url: "columns=" not in url)
    expect(heads).to_have_text(names, use_inner_text=True)
    page.locator(".columns summary").click()
    page.get_by_role("button", name="Back to the shipped ones").click()
    expect(heads.filter(has_text="Body")).to_have_count(0)


def test_a_facet_is_searched_within_while_typing(visit: Open) -> None:
    page = visit("/search?q=bet:8812&more=name")
    page.get_by_placeholder("Search within").fill("balances")
    shown = page.locator(".facet:has([data-facet-find]) [data-value]:visible")
    expect(shown).to_have_count(1)
    expect(shown).to_contain_text("UPDATE balances")
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("find=balances"))
    expect(shown).to_have_count(1)


def test_an_environment_is_chosen_beside_the_box(visit: Open) -> None:
    page = visit("/search?q=bet:8812")
    page.locator(".environment summary").click()
    page.locator(".environment").get_by_role("link", name="prod").click()
    page.wait_for_url(re.compile("environment=prod"))
    expect(page.locator("h1")).to_contain_text("Seen 20 times")  # posted events name no environment
    box(page)
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("environment=prod"))


def test_a_search_is_saved_for_everybody_and_removed(visit: Open) -> None:
    page = visit("/search?q=type:BetSettled&range=7d")
    page.locator(".save summary").click()
    page.get_by_label("Name").fill("Settled bets")
    page.keyboard.press("Enter")
    expect(page.locator(".kept")).to_contain_text("Settled bets")
    page.goto(page.url.split("/search")[0] + "/saved")
    page.get_by_role("link", name="Settled bets").last.click()
    page.wait_for_url(re.compile("range=7d"))
    page.goto(page.url.split("/search")[0] + "/saved")
    page.get_by_role("button", name="Remove Settled bets").click()
    expect(page.locator(".kept")).to_have_count(0)


def test_a_deploy_is_drawn_on_the_histogram(visit: Open, node: RunningNode) -> None:
    mark = json.dumps({"service": "wallet", "version": "2.14.0"}).encode()
    assert 201 == node.send("/v1/markers", mark, "application/json")
    page = visit("/search?q=bet:8812&range=1h")
    expect(page.locator(".marker-text", has_text="wallet 2.14.0")).to_be_attached()
    page.locator(".marks summary").click()
    expect(page.locator(".marks .float")).to_contain_text("wallet 2.14.0")


PAINTED = """() => ({
  sentence: document.querySelector('h1').textContent,
  box: document.querySelector('#q').value,
  range: document.querySelector('.range .label').textContent,
  chips: [...document.querySelectorAll('.chip')].map(e => e.textContent),
  facets: [...document.querySelectorAll('.facet')].map(e => e.textContent),
  bars: [...document.querySelectorAll('.plot svg rect')].map(e => e.outerHTML),
  heads: [...document.querySelectorAll('table[data-rows] th')].map(e => e.textContent),
  rows: [...document.querySelectorAll('table[data-rows] tbody tr')].map(e => e.innerText),
  order: document.querySelector('.results-line [aria-current]').textContent,
  panel: document.querySelector('[data-preview-body]').innerText,
  density: document.querySelector('.results').className,
})"""


def test_the_url_alone_paints_the_page_and_changes_nothing_of_the_readers(visit: Open) -> None:
    page = visit("/search?q=bet:8812&range=6h")
    first = page.locator("tr[data-row]").last.get_attribute("data-id")
    bars = page.locator("[data-histogram]")
    start, end = (int(bars.get_attribute(f"data-{name}") or "0") for name in ("start", "end"))
    end -= 600 * 10**9  # what is not yet searchable grows while one looks
    url = (
        f"/search?q=bet%3A8812&from={start}&to={end}&sort=oldest&environment=prod"
        f"&columns=name,size,service,flags&density=comfortable&more=name&find=a&fact={first}"
    )
    one = visit(url)
    other = visit("/help")
    mine = {"columns": "name,service", "density": "compact", "theme": "light", "rail": "closed"}
    other.context.add_cookies(
        [{"name": key, "value": value, "url": other.url} for key, value in mine.items()]
    )
    other.goto(other.url.replace("/help", "") + url)
    expect(one.locator("[data-preview-body] h2")).to_be_visible()
    assert one.evaluate(PAINTED) == other.evaluate(PAINTED)
    assert 20 == one.locator("tr[data-row]").count()
    kept = {cookie["name"]: cookie["value"] for cookie in other.context.cookies()}
    assert mine == {name: kept[name] for name in mine}
