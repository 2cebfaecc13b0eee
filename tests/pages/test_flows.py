"""Who feeds whom, and one destination."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.pages.conftest import Open

pytestmark = pytest.mark.pages


def test_a_flow_is_followed_from_the_graph_to_a_fact(visit: Open) -> None:
    page = visit("/flows?range=all")
    expect(page.locator("h1")).to_contain_text("failed")
    page.locator(".graph .node[href^='/flows/settlements']").click()
    page.wait_for_url(re.compile("/flows/settlements"))
    expect(page.get_by_role("heading", name="Producers, consumers and versions")).to_be_visible()
    page.get_by_role("link", name="slowest").first.click()
    page.wait_for_url(re.compile("/facts/"))


def test_a_destination_that_nobody_spoke_of_says_so(visit: Open) -> None:
    page = visit("/flows/no/such/topic", expect=404)
    expect(page.locator("h1")).to_contain_text("Nothing is known of no/such/topic")


def test_flows_are_reached_by_keyboard(visit: Open) -> None:
    page = visit("/")
    page.get_by_role("link", name="Flows").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/flows"))
    page.locator(".graph .node").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/flows/|/search"))
