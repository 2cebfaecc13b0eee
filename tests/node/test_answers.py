"""What a running node answers: the jobs of the product, asked through its front door."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
import uuid
from typing import Any

import pytest

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, request, span

pytestmark = pytest.mark.server
DAY = 86400 * 10**9


def _search(node: RunningNode, text: str, asked: str = "1h") -> Any:
    from urllib.parse import quote

    return node.get(f"/api/v1/search?q={quote(text)}&range={asked}")


def _sent(node: RunningNode, text: str, count: int = 1) -> Any:
    def found() -> Any:
        answer = _search(node, text)
        return answer if answer["total"]["value"] >= count else None

    return until(found, what=f"{count} facts for {text}")


def test_a_span_is_found_by_any_attribute_seconds_after_it_was_sent(node: RunningNode) -> None:
    assert 200 == node.send(
        "/v1/traces", request("shop", [span(1, 1, attributes={"shelf": "B-12", "weight": 2.5})]), PROTOBUF
    )
    answer = _sent(node, "shelf:B-12")
    assert "seen" == answer["verdict"]
    assert {"shelf": "B-12", "weight": 2.5} == answer["facts"][0]["attributes"]
    assert 1 == _search(node, "weight>2 weight<3")["total"]["value"]


def test_a_value_of_64_kib_comes_back_whole(node: RunningNode) -> None:
    value = "x" * 65_535 + "9"
    spans = [span(2, 1, attributes={"blob": value})]
    assert 200 == node.send("/v1/traces", request("shop", spans), PROTOBUF)
    name = _sent(node, "trace:" + "2".zfill(32))["facts"][0]["id"]
    assert value == node.get(f"/api/v1/facts/{name}")["attributes"]["blob"]


def test_many_ids_get_a_verdict_each_in_the_order_given(node: RunningNode) -> None:
    known = [str(uuid.uuid4()) for _ in range(20)]
    spans = [span(3, n + 1, attributes={"payment.id": name}) for n, name in enumerate(known)]
    assert 200 == node.send("/v1/traces", request("pay", spans), PROTOBUF)
    _sent(node, "trace:" + "3".zfill(32), 20)
    missing = [str(uuid.uuid4()) for _ in range(9_980)]
    asked = [name for pair in zip(missing[:20], known, strict=True) for name in pair] + missing[20:]
    began = time.monotonic()
    answer = node.post("/api/v1/seen", {"ids": asked})
    print(f"10,000 ids judged in {time.monotonic() - began:.2f} s")
    assert asked == [one["id"] for one in answer["verdicts"]]
    assert set(known) == {one["id"] for one in answer["verdicts"] if one["verdict"] == "seen"}
    assert (20, 9_980) == (answer["seen"], answer["not_seen"] + answer["cannot_say"])


def test_an_entity_over_four_services_three_traces_and_two_days_comes_in_one_request(
    node: RunningNode,
) -> None:
    now = time.time_ns()
    for number, service in enumerate(("web", "orders", "stock", "mail")):
        at = now - (2 - number // 2) * DAY + number * 10**9
        trace = 40 + min(number, 2)
        body = request(
            service, [span(trace, number + 1, name=f"step {number}", at=at, attributes={"order.id": "R-9"})]
        )
        assert 200 == node.send("/v1/traces", body, PROTOBUF)
    until(lambda: _search(node, "order:R-9", "7d")["total"]["value"] == 4, what="four facts")
    story = node.get("/api/v1/entities/order/R-9/timeline")
    assert [f"step {n}" for n in range(4)] == [entry["what"] for entry in story["entries"]]
    assert {"web", "orders", "stock", "mail"} == set(story["services"])
    assert story == node.get("/api/v1/entities/x/timeline?entity=order:R-9") | {"coverage": story["coverage"]}


def test_a_trace_of_fifty_thousand_spans_is_returned_whole(node: RunningNode) -> None:
    for start in range(1, 50_001, 5_000):
        spans = [span(5, n, parent=None if n == 1 else 1 + n // 10) for n in range(start, start + 5_000)]
        assert 200 == node.send("/v1/traces", request("big", spans), PROTOBUF)
    node.drained()
    began = time.monotonic()
    trace = node.get("/api/v1/traces/" + "5".zfill(32))
    print(f"50,000 spans returned in {time.monotonic() - began:.2f} s")
    assert {f"{n:016x}" for n in range(1, 50_001)} == {one["span_id"] for one in trace["spans"]}
    assert trace["complete"]


def test_the_same_record_in_protobuf_and_json_is_one_fact(node: RunningNode) -> None:
    at = time.time_ns()
    record = {
        "resourceSpans": [
            {
                "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "twice"}}]},
                "scopeSpans": [
                    {
                        "spans": [
                            {
                                "traceId": "6".zfill(32),
                                "spanId": "1".zfill(16),
                                "name": "work",
                                "kind": 1,
                                "startTimeUnixNano": str(at),
                                "endTimeUnixNano": str(at + 1_000_000),
                                "attributes": [{"key": "n", "value": {"intValue": "9007199254740993"}}],
                            }
                        ]
                    }
                ],
            }
        ]
    }
    body = request("twice", [span(6, 1, at=at, attributes={"n": 9007199254740993})])
    assert 200 == node.send("/v1/traces", body, PROTOBUF)
    assert 200 == node.send("/v1/traces", json.dumps(record).encode(), "application/json")
    node.drained()
    answer = _sent(node, "service:twice")
    assert (1, 0) == (answer["total"]["value"], answer["total"]["variants"])
    fact = node.get(f"/api/v1/facts/{answer['facts'][0]['id']}")
    assert 2 == len(fact["arrivals"]) if isinstance(fact["arrivals"], list) else 2 == fact["arrivals"]
    assert "9007199254740993" == str(fact["attributes"]["n"])


def test_other_content_under_a_known_id_is_kept_as_a_variant(node: RunningNode) -> None:
    at = time.time_ns()
    for colour in ("red", "blue"):
        assert 200 == node.send(
            "/v1/traces", request("paint", [span(7, 1, at=at, attributes={"colour": colour})]), PROTOBUF
        )
        node.drained()
    answer = _sent(node, "service:paint")
    assert (1, 1) == (answer["total"]["value"], answer["total"]["variants"])
    assert {"red", "blue"} == {fact["attributes"]["colour"] for fact in answer["facts"]}


def test_a_list_alone_leaves_out_what_takes_the_longest(node: RunningNode) -> None:
    assert 200 == node.send("/v1/traces", request("plain", [span(11, 1)]), PROTOBUF)
    whole = _sent(node, "service:plain")
    alone = node.get("/api/v1/search?q=service:plain&drawn=false")
    assert whole["facets"]
    assert whole["histogram"]["buckets"]
    assert not alone["facets"]
    assert not alone["histogram"]["buckets"]
    assert [fact["id"] for fact in whole["facts"]] == [fact["id"] for fact in alone["facts"]]


def test_bad_questions_name_their_column_and_the_remedy(node: RunningNode) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        node.get("/api/v1/search?q=service:(")
    problem = json.load(caught.value)
    assert 400 == caught.value.code
    assert problem["column"] > 0
    assert problem["remedy"]


@pytest.mark.parametrize(
    "path", ["search", "facts/x", "traces/x", "entities/a/b/timeline", "coverage", "senders", "export/search"]
)
def test_the_api_tells_strangers_nothing(node: RunningNode, path: str) -> None:
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(f"{node.web}/api/v1/{path}", timeout=10)
    assert 401 == caught.value.code
    assert "application/problem+json" == caught.value.headers["Content-Type"]


def test_an_ingest_token_cannot_read(node: RunningNode) -> None:
    token = node.manage("token", "create", "--ingest").strip()
    ask = urllib.request.Request(f"{node.web}/api/v1/search", headers={"Authorization": f"Bearer {token}"})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(ask, timeout=10)
    assert 401 == caught.value.code


def test_the_books_balance(node: RunningNode) -> None:
    assert 200 == node.send("/v1/traces", request("books", [span(9, 1), span(9, 1), span(9, 2)]), PROTOBUF)
    node.drained()
    tally = node.get("/api/v1/senders")["tally"]
    rest = sum(
        tally.get(name, 0) for name in ("refused", "inbox", "new", "already", "variant", "quarantined")
    )
    assert tally["received"] == rest
