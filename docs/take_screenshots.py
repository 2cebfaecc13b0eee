"""``python docs/take_screenshots.py http://127.0.0.1:8700 SIGN-IN-LINK``: every page of match day, from a real Chromium.

Run it against ``make demo``; it writes into ``docs/screenshots/``.
"""

from __future__ import annotations

import sys
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

FOLDER = Path(__file__).parent / "screenshots"
WIDE, NARROW = (1440, 900), (390, 844)
PAGES = {
    "home": "/",
    "search": "/search?q=bet:8812",
    "not-seen": "/search?q=type:GoalScored+match:4711+score:3-0",
    "entity": "/e/bet/8812",
    "two-days": "/e/player/20417",
    "comparison": "/e/bet/8127?compare=bet:8126",
    "flows": "/flows",
    "destination": "/flows/settlements",
    "watches": "/watches",
    "saved": "/saved",
    "seen": "/seen",
    "senders": "/senders",
    "keys": "/settings/keys",
    "redaction": "/settings/redaction",
    "quarantine": "/senders/quarantine",
    "help": "/help",
    "syntax": "/search?q=service:(",
}


def main(base: str, link: str) -> None:
    """Wide and narrow, light and dark."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox", "--disable-gpu"]
        )
        state = _signed_in(browser, link)
        for scheme in ("light", "dark"):
            for size, width in (("", WIDE), ("-phone", NARROW)):
                context = browser.new_context(
                    storage_state=state, color_scheme=scheme, viewport={"width": width[0], "height": width[1]}
                )
                page = context.new_page()
                for name, path in PAGES.items():
                    _take(page, base + path, f"{name}{size}-{scheme}")
                page.goto(base + PAGES["entity"])
                page.get_by_role("link", name="Open trace").first.click()
                trace = page.url.partition("?")[0]
                _take(page, trace, f"trace{size}-{scheme}")
                for view in ("sequence", "graph"):
                    _take(page, f"{trace}?view={view}", f"trace-{view}{size}-{scheme}")
                page.goto(base + "/search?q=bet:8812+type:BetSettled+fact:event")
                page.goto(base + str(page.locator("a[href^='/facts/']").first.get_attribute("href")))
                _take(page, page.url, f"fact{size}-{scheme}")
                context.close()
        browser.close()


def _signed_in(browser: Browser, link: str) -> str:
    context = browser.new_context()
    context.new_page().goto(link)
    state = context.storage_state()
    context.close()
    return state  # type: ignore[return-value]


def _take(page: Page, url: str, name: str) -> None:
    page.goto(url)
    page.wait_for_load_state("networkidle")
    page.screenshot(path=FOLDER / f"{name}.png")


if __name__ == "__main__":
    main(*sys.argv[1:3])
