"""The JSON shapes of facts and answers."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest

from tests.builders import NOW, SECOND, entities, event, ref, span, stored
from timeline.answers import (
    Cause,
    Coverage,
    CoverageLine,
    EntityAnswer,
    FactAnswer,
    Gap,
    IdVerdict,
    Reading,
    SearchAnswer,
    SeenAnswer,
    TraceAnswer,
    Verdict,
)
from timeline.domain import (
    Annotation,
    Dropped,
    Entity,
    EventInfo,
    Hop,
    Link,
    Message,
    Row,
    Scope,
    Skew,
    Stored,
)
from timeline.export import json as shapes
from timeline.export.facts import fact_json, row_json
from timeline.rebuild.assemble import timeline
from timeline.search.query import Window
from timeline.store.port import Bucket, Count, Facet, FacetValue

AT = "2026-09-21T14:13:20.000000000Z"
WINDOW = Window(start=NOW, end=NOW + SECOND)
COVERAGE = Coverage(
    window=WINDOW,
    up_to=NOW,
    now=NOW,
    lines=(CoverageLine(topic="Inbox", state="ok", sentence="Nothing waits."),),
    causes=(Cause(kind="backlog", sentence="3 wait.", remedy="Wait.", start=NOW, items=3),),
    gaps=(Gap(start=NOW, end=NOW + 1, kind="outage"),),
    assumptions=("wallet is complete",),
)
VERDICT = Verdict(kind="seen", sentence="Seen once.", count=1, first=NOW, last=NOW, up_to=NOW)


def whole() -> Stored:
    """A span with something in every field."""
    return stored(
        span(
            kind="producer",
            parent="00000000000000ff",
            links=(Link(ref=ref(2, 3), attributes={"n": 1}, trace_state="a=b", flags=257),),
            instance="i-1",
            version="1.0",
            environment="prod",
            status="error",
            status_message="no funds",
            trace_state="k=v",
            flags=1,
            scope=Scope(name="lib", version="2", attributes={"x": True}),
            schema_url="https://s",
            dropped=Dropped(attributes=1, annotations=2, links=3),
            message=Message(system="kafka", operation="send", destination="bets", key="8812", offset=2**60),
            event=EventInfo(source="/s", id="e1", type="BetPlaced", time=NOW),
            entities=entities("bet:8812"),
            context=entities("match:1"),
            attributes={"a.b": [1, 2.5, None, {"c": b"\x00\xff"}], "": "\U0001f3c7", "big": 2**63 - 1},
            resource={"host": "h"},
            annotations=(Annotation(at=NOW, name="exception", attributes={"k": "v"}),),
        ),
        sender="key-1",
        partial=True,
    )


def test_a_span_is_written_whole() -> None:
    fact = fact_json(whole())
    expected: dict[str, Any] = {
        "fact": "span",
        "event_kind": None,
        "name": "work",
        "at": AT,
        "until": "2026-09-21T14:13:20.005000000Z",
        "received_at": "2026-09-21T14:13:21.000000000Z",
        "observed_at": None,
        "service": "orders",
        "instance": "i-1",
        "version": "1.0",
        "environment": "prod",
        "span_kind": "producer",
        "status": "error",
        "status_message": "no funds",
        "severity": None,
        "severity_number": None,
        "trace_id": ref().trace_id,
        "span_id": ref().span_id,
        "parent_id": "00000000000000ff",
        "trace_state": "k=v",
        "flags": 1,
        "links": [
            {
                "trace_id": ref(2, 3).trace_id,
                "span_id": ref(2, 3).span_id,
                "attributes": {"n": 1},
                "trace_state": "a=b",
                "flags": 257,
                "dropped_attributes": 0,
            }
        ],
        "entities": ["bet:8812"],
        "context": ["match:1"],
        "body": None,
        "attributes": {
            "a.b": [1, 2.5, None, {"c": {"base64": "AP8="}}],
            "": "\U0001f3c7",
            "big": "9223372036854775807",
        },
        "resource": {"host": "h"},
        "schema_url": "https://s",
        "annotations": [{"at": AT, "name": "exception", "attributes": {"k": "v"}, "dropped_attributes": 0}],
        "dropped": {"attributes": 1, "annotations": 2, "links": 3},
        "sender": "key-1",
        "variant": False,
        "partial": True,
        "variants": [],
        "arrivals": 1,
        "arrived_at": ["2026-09-21T14:13:21.000000000Z"],
    }
    assert expected == {key: fact[key] for key in expected}


def test_the_message_the_event_and_the_scope_of_a_span_are_written_whole() -> None:
    fact = fact_json(whole())
    assert ("kafka", "send", "bets", "8812", str(2**60)) == tuple(
        fact["message"][key] for key in ("system", "operation", "destination", "key", "offset")
    )
    assert ("/s", "e1", "BetPlaced", AT) == tuple(
        fact["event"][key] for key in ("source", "id", "type", "time")
    )
    assert {
        "name": "lib",
        "version": "2",
        "attributes": {"x": True},
        "schema_url": "",
        "dropped_attributes": 0,
    } == fact["scope"]


def test_spans_and_events_have_the_same_keys() -> None:
    assert list(fact_json(whole())) == list(fact_json(stored(event(ref=None, event=None, at=None))))


def test_an_event_is_written_with_its_kind_body_and_clocks() -> None:
    fact = fact_json(
        stored(event(kind="log", body={"n": float("nan")}, severity="WARN", severity_number=13, observed=NOW))
    )
    assert ("event", "log", {"n": {"double": "NaN"}}, "WARN", 13, AT, None, None) == tuple(
        fact[key]
        for key in (
            "fact",
            "event_kind",
            "body",
            "severity",
            "severity_number",
            "observed_at",
            "until",
            "status",
        )
    )


def test_variants_and_arrivals_are_told_where_they_are_known() -> None:
    one, other = whole(), stored(event(2))
    fact = fact_json(one, variants=[other], arrivals=[NOW, NOW + SECOND])
    assert ([other.receipt.id], 2) == (fact["variants"], fact["arrivals"])


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (2**53, 2**53),
        (2**53 + 1, str(2**53 + 1)),
        (-(2**53) - 1, str(-(2**53) - 1)),
        (True, True),
        (float("-inf"), {"double": "-Infinity"}),
        (float("inf"), {"double": "Infinity"}),
        ("\ud800half", "?half"),
        (b"", {"base64": ""}),
        ((1, 2), [1, 2]),
    ],
)
def test_values_survive_json(value: Any, written: Any) -> None:
    fact = fact_json(stored(span(attributes={"k": value}), content="c"))
    assert written == fact["attributes"]["k"]
    assert json.loads(msgspec.json.encode(fact)) == fact


def test_a_row_has_the_names_of_a_fact() -> None:
    one = whole()
    row, fact = row_json(Row.of(one)), fact_json(one)
    assert set(row) <= set(fact)
    flat = {key: value for key, value in row.items() if key not in ("event", "message")}
    assert flat == {key: fact[key] for key in flat}
    assert row["message"] == {key: fact["message"][key] for key in row["message"]}
    assert row["event"] == {key: fact["event"][key] for key in row["event"]}


def answer() -> SearchAnswer:
    return SearchAnswer(
        text="type:BetPlaced",
        window=WINDOW,
        order="newest",
        verdict=VERDICT,
        coverage=COVERAGE,
        total=Count(value=1, at_least=True, variants=2),
        rows=(Row.of(whole()),),
        next="cursor",
        readings=(Reading(label="an entity", text="bet:1", count=3),),
        facets=(Facet(field="service", values=(FacetValue(value="orders", count=1),)),),
        histogram=(Bucket(start=NOW, count=1, errors=1),),
        interval=SECOND,
        partial=("shard 2 did not answer",),
    )


def test_a_search_states_verdict_coverage_total_and_facts() -> None:
    found = shapes.search_json(answer())
    assert ("seen", "Seen once.", {"value": 1, "relation": "gte", "variants": 2}, "cursor") == (
        found["verdict"], found["answer"]["sentence"], found["total"], found["next"],
    )  # fmt: skip
    assert [row_json(Row.of(whole()))] == found["facts"]
    assert [fact_json(whole())] == shapes.search_json(answer(), [whole()])["facts"]
    assert ["shard 2 did not answer"] == found["partial"]
    assert json.loads(msgspec.json.encode(found)) == found


def test_coverage_names_its_causes_gaps_and_assumptions() -> None:
    found = shapes.coverage_json(COVERAGE)
    assert ("backlog", 3, AT, None) == tuple(
        found["causes"][0][key] for key in ("kind", "items", "from", "to")
    )
    assert (["wallet is complete"], {"from": AT, "to": "2026-09-21T14:13:21.000000000Z", "on": "event"}) == (
        found["assumptions"], found["window"],
    )  # fmt: skip


def test_a_hop_has_its_wait_and_work_in_ns() -> None:
    hop = Hop(event="e", destination="d", sent=NOW, started=NOW + 90 * SECOND, done=NOW + 91 * SECOND)
    found = shapes.hop_json(hop)
    assert (90 * SECOND, SECOND, AT) == (found["wait_ns"], found["work_ns"], found["sent"])


def test_a_trace_lists_spans_and_events_in_causal_order() -> None:
    child = stored(span(1, 2, parent=ref(1, 1).span_id, start=NOW - 5))
    parent, note = stored(span(1, 1)), stored(event(1, ref=ref(1, 1)))
    facts = (note, child, parent)
    told = TraceAnswer(
        trace_id=ref().trace_id,
        facts=facts,
        timeline=timeline("trace:1", facts),
        coverage=COVERAGE,
        partial=("cut",),
    )
    found = shapes.trace_json(told)
    assert [parent.receipt.id, child.receipt.id] == [one["id"] for one in found["spans"]]
    assert ([note.receipt.id], False) == ([one["id"] for one in found["events"]], found["complete"])


def test_an_entity_is_its_timeline_with_what_it_rests_on() -> None:
    facts = (whole(), stored(event(1)))
    story = timeline("bet:8812", facts, window=(NOW, None))
    story = msgspec.structs.replace(story, skew=(Skew(service="a", against="b", low=-5),))
    told = EntityAnswer(
        entity=Entity.parse("bet:8812"),
        facts=facts,
        timeline=story,
        coverage=COVERAGE,
        related=(("match:1", 1),),
    )
    found = shapes.entity_json(told)
    assert shapes.timeline_json(story).items() <= found.items()
    assert ("bet:8812", [{"entity": "match:1", "facts": 1}], {"from": AT, "to": None}) == (
        found["entity"], found["related"], found["window"],
    )  # fmt: skip
    assert [(-5, None)] == [(skew["low_ns"], skew["high_ns"]) for skew in found["skew"]]
    assert [entry.fact for entry in story.entries] == [entry["fact"] for entry in found["entries"]]


def test_a_fact_s_answer_adds_its_hops_and_neighbours() -> None:
    one = whole()
    told = FactAnswer(
        stored=one, hops=(Hop(event="e"),), around=(one,), arrivals=(NOW,), neighbours=(Row.of(one),)
    )
    found = shapes.fact_answer_json(told)
    assert (one.receipt.id, 1, 1, 1) == (
        found["id"], len(found["hops"]), len(found["around"]), len(found["neighbours"]),
    )  # fmt: skip


def test_many_ids_give_a_verdict_each_and_the_missing_ones() -> None:
    gone = Verdict(kind="not_seen", sentence="Not seen.")
    told = SeenAnswer(
        verdicts=(
            IdVerdict(id="a", verdict=VERDICT, newest=Row.of(whole())),
            IdVerdict(id="b", verdict=gone),
        ),
        coverage=COVERAGE,
        seen=1,
        not_seen=1,
        cannot_say=0,
    )
    found = shapes.seen_json(told)
    assert (["b"], ["seen", "not_seen"]) == (found["missing"], [one["verdict"] for one in found["verdicts"]])
    assert json.loads(msgspec.json.encode(found)) == found
