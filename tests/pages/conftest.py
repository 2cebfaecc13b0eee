"""A running node with the match-day story, and a real Chromium that is signed in to it."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from tests.node.harness import RunningNode
from tests.pages.sending import send_story
from tests.servers import elasticsearch
from tests.sharing import CLUSTER, PAGES_STORE

expect.set_options(timeout=20_000)  # ms: how long an answer takes says only how busy the machine is
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
# for the tests of a file that are to hold on every store in every run
STORES = pytest.mark.parametrize(
    "node",
    ["embedded", CLUSTER] if PAGES_STORE == "embedded" else [PAGES_STORE],
    indirect=True,
    scope="package",
)
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def _on(store: str) -> dict[str, str]:
    """The settings of a node on a store of its own."""
    if store != CLUSTER:
        return {}
    return {
        "THROUGHLINE_STORE_URL": f"elasticsearch://{elasticsearch.shared()}/pages-{uuid.uuid4().hex[:12]}"
    }


@pytest.fixture
def bare_node(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A fresh node with nothing in it, one for each test: a first fact comes only once."""
    running = RunningNode(tmp_path_factory.mktemp("bare"), **_on(PAGES_STORE))
    try:
        yield running.start()
    finally:
        running.stop()


@pytest.fixture(scope="package")
def node(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningNode]:
    """A node that was sent the story: on the embedded store, or on the one that ``STORES`` names."""
    running = RunningNode(tmp_path_factory.mktemp("story"), **_on(getattr(request, "param", PAGES_STORE)))
    try:
        running.start()
        send_story(running)
        yield running
    finally:
        running.stop()


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    """The system's Chromium, gone after the last page: its driver keeps an event loop running in this process."""
    path = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    assert path, "no Chromium found: install it with `apt-get install chromium`, or name it in CHROMIUM"
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield started
        started.close()


@pytest.fixture(scope="package")
def signed_in(browser: Browser, node: RunningNode) -> Path:
    """A session of the story's node, as a file of cookies."""
    return _session(browser, node)


def _session(browser: Browser, node: RunningNode) -> Path:
    context = browser.new_context()
    page = context.new_page()
    page.goto(node.manage("signin_link").strip())
    file = node.data / "session.json"
    context.storage_state(path=file)
    context.close()
    return file


Open = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, node: RunningNode, signed_in: Path) -> Iterator[Open]:
    """Opens a path of the story's node; the test fails on a console error, a failed request or a
    report of the content security policy that it did not ask for."""
    contexts: list[BrowserContext] = []
    faults: list[str] = []

    def go(
        path: str,
        *,
        width: int = 1440,
        height: int = 900,
        dark: bool = False,
        scripts: bool = True,
        expect: int = 200,
        spared: str = "",
    ) -> Page:
        context = browser.new_context(
            storage_state=signed_in,
            viewport={"width": width, "height": height},
            color_scheme="dark" if dark else "light",
            java_script_enabled=scripts,
            permissions=["clipboard-read", "clipboard-write"],
        )
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda message: (
                faults.append(f"{path}: {message.text}")
                if message.type == "error" and (spared or f"status of {expect}") not in message.text
                else None
            ),
        )
        page.on("pageerror", lambda error: faults.append(f"{path}: {error}"))
        page.on(
            "requestfailed",
            lambda request: (
                faults.append(f"{path}: {request.url} {request.failure}")
                if "ERR_ABORTED" not in (request.failure or "")
                else None
            ),
        )
        answer = page.goto(node.web + path)
        assert answer is not None
        assert expect == answer.status
        return page

    yield go
    for context in contexts:
        context.close()
    assert [] == faults


def violations(page: Page) -> list[str]:
    """What axe-core finds wrong, as one line each; evaluated outside the page's policy."""
    page.evaluate(AXE.read_text())
    found = page.evaluate(
        "async () => (await axe.run(document, {runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa']})).violations"
    )
    return [
        f"{rule['id']}: {node['target']} {node['failureSummary']}" for rule in found for node in rule["nodes"]
    ]
