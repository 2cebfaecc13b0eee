"""``python -m benchmarks.pages``: pages over millions of facts, in a real Chromium on a running node.

First paint is from asking for a page to the first thing on the screen; what a click costs the server is
from its request to the last byte of the answer, asked by a client that draws nothing.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import Final

from playwright.sync_api import Page, sync_playwright

from benchmarks.corpus import order_of
from benchmarks.questions import batches
from tests.node.harness import RunningNode
from tests.node.otlp import PROTOBUF, request, span
from timeline.store.tantivy import TantivyStore

ROUNDS: Final = 7
LARGE: Final = 50_000  # spans
ORDER: Final = order_of(7)
_PAINT: Final = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"


def main() -> None:
    """Print one line a page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--facts", type=int, default=3_000_000)
    parser.add_argument("--data", type=Path, help="a folder to keep the node in; it is filled once")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        data = options.data or Path(folder)
        if not (data / "index").exists():
            _fill(data / "index", options.facts)
        node = RunningNode(data, THROUGHLINE_LOG_LEVEL="WARNING").start()
        try:
            _measure(node)
        finally:
            node.stop()


def _fill(index: Path, facts: int) -> None:
    with TantivyStore(index, writable=True) as store:
        store.prepare()
        for batch in batches(facts, time.time_ns() - facts * 2_000_000 - 60 * 10**9):
            store.write(batch)


def _measure(node: RunningNode) -> None:
    shown = node.get("/api/v1/search?q=*&range=all&limit=1")["histogram"]["buckets"]
    middle, width = shown[len(shown) // 2]["from"], max(1, len(shown) // 10)
    end = shown[min(len(shown) // 2 + width, len(shown) - 1)]["from"]
    pages = {
        "search: everything, all time": "/search?q=*&range=all",
        "search: one service of six, all time": "/search?q=service:orders&range=all",
        "search: two terms, all time": "/search?q=service:orders+name:%22send+payments%22&range=all",
        "search: an order": f"/search?q=order:{ORDER}&range=all",
        "search: a word that nobody wrote": "/search?q=nobody-wrote-this&range=all",
        "entity: an order": f"/e/order/{ORDER}",
        "brush: a tenth of everything": f"/search?q=*&from={middle}&to={end}",
        "trace: 50,000 spans": f"/traces/{_large_trace(node)}",
    }
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.goto(node.manage("signin_link").strip())
        cookie = "; ".join(f"{one['name']}={one['value']}" for one in page.context.cookies())
        print(f"{'page':40} first paint, slowest   server, slowest (ms)")
        for name, path in pages.items():
            painted = sorted(_painted(page, node.web + path) for _ in range(ROUNDS))
            served = sorted(_served(node.web + path, cookie) for _ in range(ROUNDS))
            print(
                f"{name:40} {statistics.median(painted):11.0f} {painted[-1]:8.0f}   {statistics.median(served):6.0f} {served[-1]:8.0f}",
                flush=True,
            )
        browser.close()


def _large_trace(node: RunningNode) -> str:
    """The id of a trace of ``LARGE`` spans, ten below each."""
    number, step = time.time_ns(), 5_000
    for first in range(1, LARGE + 1, step):
        spans = [span(number, n, parent=None if n == 1 else 1 + n // 10) for n in range(first, first + step)]
        assert node.send("/v1/traces", request("large", spans), PROTOBUF) == 200
    node.drained()
    return f"{number:032x}"


def _painted(page: Page, address: str) -> float:
    page.goto(address)
    while not (first := float(page.evaluate(_PAINT))):
        page.wait_for_timeout(10)  # the pages' own policy forbids to wait for an expression
    return first


def _served(address: str, cookie: str) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(urllib.request.Request(address, headers={"Cookie": cookie})) as answer:
        answer.read()
    return (time.perf_counter() - began) * 1000


if __name__ == "__main__":
    main()
