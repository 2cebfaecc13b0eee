"""A newcomer's first minutes: strangers are sent to sign in, an empty store says how to begin."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, expect

from tests.node.harness import RunningNode
from tests.node.otlp import PROTOBUF, request, span
from tests.pages.conftest import violations

pytestmark = pytest.mark.pages


def test_a_stranger_signs_in_by_a_link_that_works_once(browser: Browser, bare_node: RunningNode) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{bare_node.web}/search?q=x")
    expect(page.locator("h1")).to_have_text("Sign in")
    assert [] == violations(page)
    page.goto(bare_node.link)
    expect(page.locator("h1")).to_contain_text("Nothing was received yet")
    context.clear_cookies()
    answer = page.goto(bare_node.link)
    assert answer is not None
    assert 403 == answer.status
    context.close()


def test_the_empty_page_turns_live_when_the_first_fact_arrives(
    browser: Browser, bare_node: RunningNode
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(_link(bare_node))
    expect(page.locator("h1")).to_contain_text("Nothing was received yet")
    assert [] == violations(page)
    assert str(bare_node.receiver_port) in page.locator(".snippet:visible").inner_text()
    assert 200 == bare_node.send("/v1/traces", request("first-service", [span(1, 1)]), PROTOBUF)
    expect(page.locator("h1")).to_have_text("Has it been seen?", timeout=20_000)
    expect(page.locator(".hour")).to_contain_text("first-service", timeout=20_000)
    context.close()


def _link(node: RunningNode) -> str:
    return node.manage("signin_link").strip()
