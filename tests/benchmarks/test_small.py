"""Every benchmark runs, however small: what is only run by hand breaks unseen."""

import importlib
from pathlib import Path

import pytest

import benchmarks
from benchmarks import cohorts, questions, steps, store, tracing

MODULES = sorted(path.stem for path in Path(benchmarks.__path__[0]).glob("[a-z]*.py"))
# the stock package for Redis puts nothing into an entry, and a request of Django's sends no message
HEADER_BYTES = {
    "redis_streams": {"ours": 66, "instrumented": 66, "stock": 0},
    "django": {"ours": 0, "instrumented": 0, "stock": 0},
}


@pytest.mark.parametrize("name", MODULES)
def test_each_can_be_imported(name: str) -> None:
    assert importlib.import_module(f"benchmarks.{name}")


def test_what_needs_no_node_measures_something(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "ROUNDS", 1)
    monkeypatch.setattr(steps, "REQUESTS", 1)
    assert 500 == store.floor(500)["documents"]
    assert 500 == questions.measure(500)["facts"]
    assert 500 == cohorts.keep(500)["spans"]
    assert 10 == cohorts.ask(10)["entities"]
    assert {"judge at the door", "tokens"} <= steps.measure().keys()


@pytest.mark.server
def test_every_way_of_tracing_a_client_is_measured() -> None:
    for client, ways in tracing.measure(1, 0.01).items():
        assert set(tracing.WAYS) == ways.keys(), client
        added = {way: ways[way]["header_bytes"] for way in tracing.WAYS[1:]}
        assert HEADER_BYTES.get(client, dict.fromkeys(added, 66)) == added, client
