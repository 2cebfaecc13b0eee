"""``python -m benchmarks.jobs BASE LINK``: the three jobs people come with, by a scripted Chromium on ``make demo``.

What a person does is counted (keys, clicks), what the machine takes is timed: from the last of
them to the answer on the screen or the file on disk. Times of the person are not made up.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Final

from playwright.sync_api import Page, sync_playwright

ROUNDS: Final = 7
ENTITY: Final = "bet:8812"


def seen(page: Page, base: str) -> float:
    """From any page: have we seen this?"""
    page.goto(f"{base}/help")
    page.keyboard.press("/")
    page.keyboard.type(ENTITY)
    began = time.perf_counter()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Seen ").wait_for()
    page.locator("tr[data-row]").first.wait_for()
    return time.perf_counter() - began


def trace(page: Page, base: str) -> float:
    """From the answer: what happened to the message?"""
    page.goto(f"{base}/search?q={ENTITY}")
    link = page.get_by_role("link", name="Open trace")
    link.wait_for()
    began = time.perf_counter()
    link.click()
    page.locator("[data-waterfall] tr[data-row]").first.wait_for()
    return time.perf_counter() - began


def story(page: Page, base: str) -> float:
    """From the answer: its story across services, taken away as a file."""
    page.goto(f"{base}/search?q={ENTITY}")
    menu = page.locator("summary", has_text="Export")
    menu.wait_for()
    began = time.perf_counter()
    menu.click()
    with page.expect_download() as taken:
        page.get_by_role("link", name=f"The story of {ENTITY}").click()
    taken.value.path()
    return time.perf_counter() - began


JOBS: Final[dict[str, tuple[str, Callable[[Page, str], float]]]] = {
    "have we seen it?": ("a paste between two keys", seen),
    "what happened to the message?": ("1 click", trace),
    "the whole story, as a file": ("2 clicks", story),
}


def main(base: str, link: str) -> None:
    """Print one line a job."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(link if "://" in link else base + link)
        for name, (actions, job) in JOBS.items():
            times = sorted(job(page, base) for _ in range(ROUNDS))
            print(f"{name:32} {actions:26} {statistics.median(times):.2f} s, slowest {times[-1]:.2f} s")
        browser.close()


if __name__ == "__main__":
    main(*sys.argv[1:3])
