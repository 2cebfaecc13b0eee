"""The other views of a trace, what it is linked to, and what it misses."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.node.harness import RunningNode
from tests.pages import story
from tests.pages.conftest import Open, violations
from tests.pages.sending import send_batch, send_orphans

pytestmark = pytest.mark.pages
TRACE = f"/traces/{story.TRACE}"
SEQUENCE, GRAPH = f"{TRACE}?view=sequence", f"{TRACE}?view=graph"


def test_the_sequence_tells_waits_attempts_failures_and_idle_time_without_scripts(visit: Open) -> None:
    page = visit(SEQUENCE, scripts=False)
    drawing = page.locator("svg.seq.under-heads")
    text = drawing.text_content() or ""
    for said in (
        "BetPlaced", "wait 16.3 ms", "BetSettled", "attempt 1 of 2", "attempt 2 of 2", "again after", "idle, folded",
        "not known to be taken", "in a linked trace", "feed-gateway",
    ):  # fmt: skip
        assert said in text, said
    assert drawing.locator(".handling.failed").count() >= 1
    assert 1 == drawing.locator(".start").count()
    expect(page.locator(".seq-tools")).to_contain_text("none cut")
    expect(page.locator(".seq-tools")).to_contain_text("not to scale")


def test_the_names_of_lifelines_stay_in_sight(visit: Open) -> None:
    page = visit(SEQUENCE, height=500)
    page.locator(".seq-scroll").evaluate("node => { node.scrollTop = 300; }")
    head, box = page.locator(".seq-sticky").bounding_box(), page.locator(".seq-scroll").bounding_box()
    assert head is not None
    assert box is not None
    assert abs(head["y"] - box["y"]) < 2


def test_the_sequence_is_copied_as_mermaid(visit: Open) -> None:
    page = visit(SEQUENCE)
    page.get_by_role("button", name="Copy as Mermaid").click()
    expect(page.locator(".toast")).to_have_text("Copied")
    text = page.evaluate("navigator.clipboard.readText()")
    assert text.startswith("sequenceDiagram\n")
    assert "BetSettled, waited 91.440 s" in text


def test_the_sequence_is_saved_as_a_drawing_and_as_a_picture(visit: Open, tmp_path: Path) -> None:
    page = visit(SEQUENCE)
    with page.expect_download() as taken:
        page.get_by_role("link", name="Save SVG").click()
    drawing = taken.value.path().read_text()
    assert drawing.startswith("<svg")
    assert "BetSettled" in drawing
    assert "<script" not in drawing
    assert "var(--" in drawing
    with page.expect_download() as taken:
        page.get_by_role("button", name="Save PNG").click()
    assert b"\x89PNG" == taken.value.path().read_bytes()[:4]
    taken.value.save_as(tmp_path / "saved.svg")


def test_a_line_of_the_sequence_opens_its_fact_by_keyboard(visit: Open) -> None:
    page = visit(SEQUENCE)
    page.locator(".step a", has_text="credit account").first.focus()
    page.keyboard.press("Enter")
    page.wait_for_url(re.compile("/facts/"))
    expect(page.locator("h1")).to_contain_text("credit account")


def test_the_graph_and_its_table_count_what_went_where(visit: Open) -> None:
    page = visit(GRAPH, scripts=False)
    text = page.locator("svg.flow").text_content() or ""
    for said in ("settlements", "wallet", "1 sent", "1 again", "1 failed", "not taken"):
        assert said in text, said
    row = page.locator(".flow-table tr[data-row]", has_text="settlements").filter(has_text="wallet")
    expect(row).to_contain_text("91.440 s")


def test_the_chosen_fact_and_the_fold_go_from_view_to_view(visit: Open) -> None:
    page = visit(TRACE)
    page.locator("tr[data-row]", has_text="credit account").first.click()
    page.wait_for_function("new URL(location.href).searchParams.has('span')")
    span = page.evaluate("new URL(location.href).searchParams.get('span')")
    page.get_by_role("link", name="Sequence").click()
    page.wait_for_url(re.compile("view=sequence"))
    assert f"span={span}" in page.url
    expect(page.locator(".step.chosen")).to_have_count(1)


def test_linked_traces_say_why_and_lead_there_and_back(visit: Open) -> None:
    page = visit(TRACE)
    tie = page.locator(".ties li", has_text="feed-gateway").first
    expect(tie).to_contain_text("before")
    expect(tie).to_contain_text("match.events")
    tie.locator("a.mono").click()
    page.wait_for_url(re.compile(story.FEED_TRACE))
    back = page.locator(".ties li", has_text="settlement").first
    expect(back).to_contain_text("after")
    back.locator("a.mono").click()
    page.wait_for_url(re.compile(story.TRACE))


def test_every_message_of_a_batch_leads_to_the_trace_that_sent_it(visit: Open, node: RunningNode) -> None:
    trace = send_batch(node, 0xBA7C500, 3)
    page = visit(f"/traces/{trace:032x}")
    expect(
        page.locator(".ties li", has_text="sent a message of batched that was handled here")
    ).to_have_count(3)


def test_missing_parents_are_named_with_who_names_them(visit: Open, node: RunningNode) -> None:
    send_orphans(node, 0x0DD, 3)
    page = visit(f"/traces/{0x0DD:032x}")
    expect(page.locator(".badge.amber", has_text="Incomplete: 2 parents missing")).to_be_visible()
    bar = page.locator(".missing")
    expect(bar).to_contain_text("00000000000003e9")
    expect(bar).to_contain_text("parent of lonely orphan 1")
    bar.locator("summary").click()
    bar.locator("li a", has_text="orphan 3").click()
    expect(page.locator("[data-panel] h2")).to_have_text("orphan 3")
    assert [] == violations(page)


def test_a_file_to_take_away_has_the_sequence_too(visit: Open, tmp_path: Path) -> None:
    page = visit(TRACE)
    page.locator(".actions summary").first.click()
    with page.expect_download() as taken:
        page.get_by_role("link", name="One HTML file").click()
    taken.value.save_as(tmp_path / "trace.html")
    page.context.set_offline(True)
    page.goto(f"file://{tmp_path / 'trace.html'}")
    assert 0 == page.locator("script").count()
    assert "attempt 2 of 2" in (page.locator("svg.seq").first.text_content() or "")
    assert page.locator(".path-line").count() > 5


def test_the_api_gives_the_sequence_as_text_and_for_nothing_else(visit: Open, node: RunningNode) -> None:
    ask = visit("/help").context.request.get
    answer = ask(f"{node.web}/api/v1/export/trace?id={story.TRACE}&format=mermaid")
    assert 200 == answer.status
    assert "sequenceDiagram" == answer.text().splitlines()[1]
    assert 400 == ask(f"{node.web}/api/v1/export/entity?entity=bet:8812&format=mermaid").status
