"""Following a search while a thousand facts a second match it."""

from __future__ import annotations

import re
import threading
import time
from itertools import count

import pytest
from playwright.sync_api import expect

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, request, span
from tests.pages.conftest import Open

pytestmark = [pytest.mark.pages, pytest.mark.server, pytest.mark.slow, pytest.mark.soak]
SECONDS = 60
RATE = 1_000  # facts a second, in requests of a hundred
# counts what is put on the page, and how long the page was not to be spoken to
WATCH = """
window.seen = new Set(); window.longest = 0;
new MutationObserver((changes) => { for (const change of changes) for (const node of change.addedNodes) if (node.dataset?.id) window.seen.add(node.dataset.id); })
  .observe(document.querySelector("[data-rows] tbody"), { childList: true });
let before = performance.now();
setInterval(() => { const now = performance.now(); window.longest = Math.max(window.longest, now - before - 50); before = now; }, 50);
"""


def test_a_tail_at_a_thousand_a_second_shows_or_counts_every_fact(visit: Open, node: RunningNode) -> None:
    service, numbers, sent = f"tail-{time.time_ns()}", count(1, 100), []
    stop = threading.Event()

    def load() -> None:
        began = time.monotonic()
        while not stop.is_set():
            first = next(numbers)
            body = request(service, [span(9, time.time_ns() + n) for n in range(100)])
            assert 200 == node.send("/v1/traces", body, PROTOBUF)
            sent.append(100)
            stop.wait(max(0.0, began + first / RATE - time.monotonic()))

    assert 200 == node.send("/v1/traces", request(service, [span(9, time.time_ns())]), PROTOBUF)
    node.searchable()
    page = visit(f"/search?q=service:{service}&tail=1&sort=received&range=all")
    expect(page.locator("[data-tail-said]")).to_be_visible()
    page.evaluate(WATCH)
    loading = threading.Thread(target=load, daemon=True)
    loading.start()
    waits = []
    for _ in range(SECONDS // 10):
        page.wait_for_timeout(9_000)
        asked = time.monotonic()
        page.locator("[data-tail-pause]").click()
        expect(page.locator("[data-tail-pause]")).to_have_attribute("aria-pressed", "true")
        waits.append(time.monotonic() - asked)
        page.wait_for_timeout(1_000)
        page.locator("[data-tail-pause]").click()
    stop.set()
    loading.join(60)
    node.searchable()

    def told() -> int:
        said = page.locator("[data-tail-said]").inner_text()
        passed = re.search(r"([\d,]+) came too fast", said)
        page.wait_for_timeout(500)
        return int(page.evaluate("seen.size")) + (int(passed[1].replace(",", "")) if passed else 0)

    until(lambda: told() >= sum(sent), what="every fact shown or counted")
    assert sum(sent) == told()
    print(
        f"{sum(sent):,} facts in {SECONDS} s: {page.evaluate('seen.size'):,} shown, the page silent for at most "
        f"{page.evaluate('longest'):.0f} ms, a click answered after at most {max(waits) * 1000:.0f} ms"
    )
