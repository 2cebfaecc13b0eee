"""Captured requests of real clients, received and decoded without any server."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.clients import compare
from tests.payloads.capture import HERE, load
from tests.receiving import Driven
from timeline.domain import Fact

FILES = sorted(str(file.relative_to(HERE)) for file in HERE.rglob("*.http"))


def received(tmp_path: Path, *names: str) -> list[Fact]:
    """The facts of captured requests, received in order."""
    driven = Driven(tmp_path)
    for name in names:
        payload = load(HERE / name)
        whole = {header.lower() for header, _ in payload.headers} & {"content-length", "transfer-encoding"}
        assert whole, "a captured head says how long its body is"
        headers = [
            pair for pair in payload.headers if pair[0].lower() not in ("content-length", "transfer-encoding")
        ]
        chunked = "transfer-encoding" in whole
        status, _, body = driven.ask(payload.method, payload.path, headers, payload.body, chunked=chunked)
        assert status in (200, 202), body
    return compare.facts(driven.accepted())


def test_every_client_has_captured_requests() -> None:
    clients = {name.split("/")[0] for name in FILES}
    expected = {
        "opentelemetry-python",
        "opentelemetry-js",
        "cloudevents-js",
        "cloudevents-python",
        "telemetrygen",
        "curl",
    }
    assert expected == clients


@pytest.mark.parametrize("name", FILES)
def test_a_captured_request_is_accepted_whole(tmp_path: Path, name: str) -> None:
    assert received(tmp_path, name)


@pytest.mark.parametrize(
    "name", [name for name in FILES if name.startswith("opentelemetry") and "/traces" in name]
)
def test_captured_spans_are_what_the_client_was_told(tmp_path: Path, name: str) -> None:
    assert compare.told_spans() == [compare.span_values(fact) for fact in received(tmp_path, name)]


@pytest.mark.parametrize(
    "name", [name for name in FILES if name.startswith("opentelemetry") and "/logs" in name]
)
def test_captured_records_are_what_the_client_was_told(tmp_path: Path, name: str) -> None:
    assert compare.told_records() == [compare.record_values(fact) for fact in received(tmp_path, name)]


@pytest.mark.parametrize("client", ["cloudevents-js", "cloudevents-python"])
@pytest.mark.parametrize("names", [("binary-1", "binary-2"), ("structured-1", "structured-2"), ("batch",)])
def test_captured_events_are_what_the_client_was_told(
    tmp_path: Path, client: str, names: tuple[str, ...]
) -> None:
    found = received(tmp_path, *(f"{client}/{name}.http" for name in names))
    assert compare.told_events() == [compare.event_values(fact) for fact in found]
