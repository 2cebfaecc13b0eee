"""A trace of many spans: drawn where it is looked at, whole by keyboard and by scrolling."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.node.harness import RunningNode
from tests.pages.conftest import Open
from tests.pages.sending import send_wide_trace

pytestmark = [pytest.mark.pages, pytest.mark.slow]
SPANS = 5_000
TRACE = 0xA11


def test_a_long_trace_draws_only_what_is_in_view(visit: Open, node: RunningNode) -> None:
    send_wide_trace(node, TRACE, SPANS)
    page = visit(f"/traces/{TRACE:032x}")
    expect(page.locator("tr.spacer")).to_have_count(2, timeout=30_000)
    assert 200 > page.locator("tr[data-row]").count()
    page.locator("tr[data-row]").nth(3).click()
    page.keyboard.press("]")
    expect(page.locator("tr[data-row]")).to_have_count(1)
    page.keyboard.press("[")
    page.evaluate("scrollTo(0, document.body.scrollHeight - 2 * innerHeight)")
    page.wait_for_function(
        "Number([...document.querySelectorAll('tr[data-row]')].at(-1)?.querySelector('.open').textContent.length) > 0"
    )
    first = page.locator("tr[data-row]").first.get_attribute("data-id")
    assert first != page.evaluate("document.querySelector('tr[data-row]:last-of-type')?.dataset.id")
    assert 200 > page.locator("tr[data-row]").count()
