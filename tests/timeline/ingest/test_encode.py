"""Items of a request apart: each is what it was within the whole."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest

from tests.payloads.capture import HERE, load
from tests.timeline.ingest.otlp_requests import JSON, PROTOBUF, logs, otlp_json, traces
from timeline.ingest.decode import Rules, decode, inspect
from timeline.ingest.encode import kept_positions, parts, together
from timeline.ingest.request import Accepted, Signal
from timeline.ingest.rows import MEDIA, Row, Rows, encode

FILES = sorted(str(file.relative_to(HERE)) for file in HERE.rglob("*.http"))
SIGNALS: dict[str, Signal] = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/events": "events"}


def request(
    signal: Signal, headers: dict[str, str], body: bytes, encoding: str = "", items: int = 0
) -> Accepted:
    accepted = Accepted(
        id="r",
        signal=signal,
        content_encoding=encoding,
        headers=headers,
        body=body,
        received=1_790_000_000 * 10**9,
    )
    return msgspec.structs.replace(accepted, items=items or inspect(accepted).items)


def facts(accepted: Accepted) -> list[Any]:
    found = decode(accepted, Rules.default())
    assert [] == found.poison
    assert accepted.items == len(found.facts)
    return [(one.fact, one.receipt.content, one.receipt.identity) for one in found.facts]


ZIPKIN = [
    {"traceId": f"{n + 1:032x}", "id": f"{n + 1:016x}", "name": f"n{n}", "tags": {"a": "b"}} for n in range(5)
]
MADE: dict[str, Accepted] = {
    "traces": request("traces", PROTOBUF, traces(*({"name": f"s{n}"} for n in range(5))).SerializeToString()),
    "packed": request(
        "logs",
        PROTOBUF,
        gzip.compress(logs(*({"body": f"l{n}"} for n in range(5))).SerializeToString()),
        "gzip",
    ),
    "zipkin": request("zipkin", {"content-type": "application/json"}, json.dumps(ZIPKIN).encode()),
    "rows": request(
        "rows",
        {"content-type": MEDIA},
        encode(Rows(name="f", rows=[Row(name=f"r{n}", at=n) for n in range(5)])),
        items=5,
    ),
}
for _name in FILES:
    _payload = load(HERE / _name)
    _headers = {key.lower(): value for key, value in _payload.headers}
    _kept = {key: value for key, value in _headers.items() if key == "content-type" or key.startswith("ce-")}
    MADE[_name] = request(SIGNALS[_payload.path], _kept, _payload.body, _headers.get("content-encoding", ""))


@pytest.mark.parametrize("name", MADE)
def test_items_apart_are_what_they_were_together(name: str) -> None:
    whole = MADE[name]
    positions = kept_positions(whole)

    alone = [fact for one in parts(whole, [[position] for position in positions]) for fact in facts(one)]

    assert facts(whole) == alone
    middle = len(positions) // 2
    halves = [half for half in parts(whole, (positions[:middle], positions[middle:])) if half.items]
    assert facts(whole) == [fact for half in halves for fact in facts(half)]


def test_what_was_refused_is_in_no_part() -> None:
    whole = request(
        "traces", PROTOBUF, traces({"name": "good"}, {"trace_id": b"", "name": "bad"}).SerializeToString()
    )

    assert [0] == kept_positions(whole)
    (one,) = parts(whole, [kept_positions(whole)])
    assert b"bad" not in one.body


@pytest.mark.parametrize("as_json", [False, True])
def test_equal_log_records_belong_together_and_spans_stand_alone(as_json: bool) -> None:
    record = {"body": "same"}
    made = logs(record, {"body": "other"}, record)
    body = json.dumps(otlp_json(made)).encode() if as_json else made.SerializeToString()
    assert [[0, 2], [1]] == together(request("logs", JSON if as_json else PROTOBUF, body), [0, 1, 2])
    twice = request("traces", PROTOBUF, traces({"name": "same"}, {"name": "same"}).SerializeToString())
    assert [[0], [1]] == together(twice, [0, 1])
