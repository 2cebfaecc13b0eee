"""One key, one environment: what names another is refused item by item, what names none gets the key's."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.timeline.ingest import cloudevents_requests as events
from tests.timeline.ingest.otlp_requests import accepted, logs, otlp_json, traces
from timeline.ingest.decode import Rules, decode, inspect
from timeline.ingest.request import Accepted

NAMES = ("deployment.environment.name", "deployment.environment")


def _facts(request: Accepted) -> list[Any]:
    """What the drain makes of what the receiver accepted."""
    found = inspect(request)
    kept = msgspec.structs.replace(request, items=found.items - len(found.refused))
    decoded = decode(kept, Rules.default())
    assert (kept.items, []) == (len(decoded.facts), decoded.poison)
    return decoded.facts


def _mixed(make: Any) -> Any:
    """One resource each: of the key's environment, of another, of none."""
    request = make({}, resource={"service.name": "a", "deployment.environment.name": "prod"})
    for environment in ("staging", None):
        named = {"deployment.environment.name": environment} if environment else {}
        other = make({}, {}, resource={"service.name": environment or "plain", **named})
        request.MergeFrom(other)
    return request


@pytest.mark.parametrize("make", [traces, logs])
@pytest.mark.parametrize("encode", [lambda request: request, otlp_json], ids=["protobuf", "json"])
def test_another_environment_is_refused_and_its_neighbours_are_kept(make: Any, encode: Any) -> None:
    signal = "traces" if make is traces else "logs"
    request = accepted(encode(_mixed(make)), signal, environment="prod")
    found = inspect(request)
    assert (5, [1, 2]) == (found.items, [item.position for item in found.refused])
    assert {"foreign_environment"} == {item.reason for item in found.refused}
    assert "'prod'" in found.refused[0].message
    assert "'staging'" in found.refused[0].message
    assert all(item.data for item in found.refused)
    facts = _facts(request)
    assert [("a", "prod"), ("plain", "prod"), ("plain", "prod")] == [
        (one.fact.service, one.fact.environment) for one in facts
    ]
    assert [0, 3, 4] == [one.receipt.position for one in facts]


@pytest.mark.parametrize("name", NAMES)
def test_the_older_name_counts_too(name: str) -> None:
    request = traces({}, resource={"service.name": "a", name: "staging"})
    assert 1 == len(inspect(accepted(request, environment="prod")).refused)
    assert 0 == len(inspect(accepted(request, environment="staging")).refused)


def test_without_an_environment_a_key_writes_into_any() -> None:
    request = accepted(_mixed(traces))
    assert () == inspect(request).refused
    assert ["prod", "staging", "staging", "", ""] == [one.fact.environment for one in _facts(request)]


def test_the_environment_of_a_key_is_no_content() -> None:
    request = traces({}, resource={"service.name": "a"})
    plain, keyed = (_facts(accepted(request, environment=name))[0] for name in ("", "prod"))
    assert (plain.receipt.id, plain.receipt.content) == (keyed.receipt.id, keyed.receipt.content)
    assert ("", "prod") == (plain.fact.environment, keyed.fact.environment)
    assert "deployment.environment.name" not in keyed.fact.resource


@pytest.mark.parametrize(
    ("named", "kept"),
    [
        ({}, "prod"),
        ({"deploymentenvironmentname": "prod"}, "prod"),
        ({"deploymentenvironmentname": "staging"}, None),
    ],
)
def test_events_are_judged_alike(named: dict[str, str], kept: str | None) -> None:
    request = msgspec.structs.replace(events.structured(**named), environment="prod")
    found = inspect(request)
    if kept is None:
        assert ["foreign_environment"] == [item.reason for item in found.refused]
        assert b"OrderPlaced" in found.refused[0].data
        assert [] == _facts(msgspec.structs.replace(request, items=0))
    else:
        assert [kept] == [one.fact.environment for one in _facts(request)]


def test_of_a_batch_of_events_only_the_foreign_ones_are_refused() -> None:
    batch = [
        events.CORE | {"id": str(number), **extra}
        for number, extra in enumerate(({}, {"deploymentenvironmentname": "x"}, {"id": ""}, {}))
    ]
    request = events.request(events.BATCH, batch, environment="prod")
    found = inspect(request)
    assert [(1, "foreign_environment"), (2, "no_id")] == [
        (item.position, item.reason) for item in found.refused
    ]
    assert ["0", "3"] == [one.fact.event.id for one in _facts(request)]
