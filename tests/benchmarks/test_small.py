"""Every benchmark runs, however small: what is only run by hand breaks unseen."""

import importlib
from pathlib import Path

import pytest

import benchmarks
from benchmarks import cohorts, questions, steps, store

MODULES = sorted(path.stem for path in Path(benchmarks.__path__[0]).glob("[a-z]*.py"))


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
