"""A trace of many spans: drawn where it is looked at, whole by keyboard and by scrolling."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.node.harness import RunningNode
from tests.pages.conftest import Open, violations
from tests.pages.sending import send_wide_trace

pytestmark = [pytest.mark.pages, pytest.mark.slow]
SPANS = 5_000
TRACE = 0xA11
PATH = f"/traces/{TRACE:032x}"
_sent: set[str] = set()


@pytest.fixture
def long(visit: Open, node: RunningNode) -> Open:
    """Opens the long trace, sent once, and waits until it can be scrolled."""
    if node.web not in _sent:
        send_wide_trace(node, TRACE, SPANS)
        _sent.add(node.web)

    def go(path: str = PATH, **options: object) -> Page:
        page = visit(path, **options)
        if options.get("scripts", True):
            expect(page.locator("[data-ready]")).to_have_count(1, timeout=30_000)
        return page

    return go


def there(page: Page) -> list[int]:
    """Places of the rows on the page."""
    return [
        int(text)
        for text in page.locator("tr[data-row]").evaluate_all("rows => rows.map(r => r.dataset.place)")
    ]


def scroll(page: Page, to: str) -> None:
    """Scroll, and wait until the rows there are drawn and filled."""
    page.evaluate(f"scrollTo(0, {to})")
    page.wait_for_function(
        """() => {
            const middle = innerHeight / 2;
            const rows = [...document.querySelectorAll("tr[data-row]")];
            return rows.some((row) => {
                const box = row.getBoundingClientRect();
                return box.top <= middle && middle <= box.bottom && !row.classList.contains("awaited");
            });
        }""",
        timeout=60_000,
    )
    expect(page.locator("tr.awaited")).to_have_count(0, timeout=60_000)


def test_a_long_trace_draws_only_what_is_in_view_and_fetches_what_is_scrolled_to(long: Open) -> None:
    page = long()
    assert 200 > page.locator("tr[data-row]").count()
    assert 24 * SPANS <= page.evaluate("document.querySelector('.fall').offsetHeight")
    scroll(page, "document.body.scrollHeight / 2")
    places = there(page)
    assert 200 > len(places)
    assert places == list(range(places[0], places[-1] + 1))
    assert places[0] > SPANS // 4


def test_all_closes_and_opens_by_key_and_the_address_keeps_it(long: Open) -> None:
    page = long()
    page.keyboard.press("]")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.keyboard.press("o")
    expect(page.locator("tr.awaited")).to_have_count(0, timeout=30_000)
    shown = there(page)
    assert "closed=" in page.url
    page = long(page.evaluate("location.pathname + location.search"))
    expect(page.locator("tr.awaited")).to_have_count(0, timeout=30_000)
    assert shown == there(page)
    page.keyboard.press("[")
    expect(page.locator("tr.awaited")).to_have_count(0, timeout=30_000)
    assert list(range(len(shown)))[:20] == there(page)[:20]


def test_a_match_far_away_is_fetched_and_chosen(long: Open, node: RunningNode) -> None:
    page = long()
    page.fill("#find", f"{SPANS - 10:016x}")
    expect(page.locator("[data-found]")).to_have_text("1 found", timeout=30_000)
    page.keyboard.press("Enter")
    row = page.locator("tr[aria-selected=true]")
    expect(row).to_be_in_viewport(timeout=30_000)
    expect(row).to_have_class(re.compile("match"))
    name = row.locator("b").inner_text()
    expect(page.locator("[data-panel] h2")).to_have_text(name)
    assert "span=" in page.url
    place = row.get_attribute("data-place")
    page = long(page.evaluate("location.pathname + location.search"))
    expect(page.locator(f"tr[data-place='{place}'][aria-selected=true]")).to_be_in_viewport(timeout=30_000)


def test_a_row_that_is_scrolled_back_to_is_not_fetched_again(long: Open) -> None:
    page = long()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "part=rows" in request.url else None)
    scroll(page, "40000")
    scroll(page, "0")
    expect(page.locator("tr[data-place='0']")).to_be_visible()
    count = len(asked)
    scroll(page, "40000")
    assert count == len(asked)


def test_without_scripts_the_rows_come_page_by_page(long: Open) -> None:
    page = long(scripts=False)
    first = there(page)
    page.get_by_role("link", name="Next rows").click()
    page.wait_for_url(re.compile("start="))
    assert first[-1] + 1 == there(page)[0]


def test_a_picture_that_is_no_more_is_told_apart(long: Open, node: RunningNode) -> None:
    ask = long().context.request.get
    assert 409 == ask(f"{node.web}{PATH}/rows?part=rows&at=0&as_of=000000000000").status
    assert 400 == ask(f"{node.web}{PATH}/rows?part=none").status
    assert 404 == ask(f"{node.web}/traces/{TRACE + 7:032x}/rows").status


def test_a_long_trace_is_free_of_violations_and_light(long: Open) -> None:
    page = long()
    assert [] == violations(page)
    size = page.evaluate("performance.getEntriesByType('navigation')[0].decodedBodySize")
    assert 400_000 > size
