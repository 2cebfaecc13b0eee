"""Quotas: the sender that is over its own is told when to come back, and nobody else notices."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from google.rpc.status_pb2 import Status

from tests.receiving import Driven
from tests.timeline.receive import otlp
from tests.timeline.receive.otlp import JSON, PROTOBUF
from timeline.receive.access import Sender
from timeline.receive.answers import Refused
from timeline.receive.quota import Quotas

SMALL = "tl_ingest_small"
OTHER = "tl_ingest_other"
EVENT = {"ce-specversion": "1.0", "ce-id": "1", "ce-source": "/a", "ce-type": "t"}
ZIPKIN = json.dumps([{"traceId": "1", "id": "2", "name": "x"}]).encode()
WAYS = {
    "OTLP protobuf": ("/v1/traces", PROTOBUF, otlp.traces_protobuf(3)),
    "OTLP JSON": ("/v1/logs", JSON, otlp.logs()),
    "CloudEvents": ("/v1/events", EVENT, b""),
    "Zipkin": ("/api/v2/spans", JSON, ZIPKIN),
}


class Clock:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("timeline.receive.quota.time", made)
    return made


def look(secret: str) -> Sender | None:
    """Two keys, one with a quota of two items a second and as many at once."""
    return {
        SMALL: Sender(name="small", quota_items=2, quota_burst=2),
        OTHER: Sender(name="other"),
    }.get(secret)


def _ask(driven: Driven, way: str, secret: str) -> tuple[int, dict[str, str], bytes]:
    path, headers, body = WAYS[way]
    return driven.ask("POST", path, {**headers, "authorization": f"Bearer {secret}"}, body)


@pytest.mark.django_db
@pytest.mark.parametrize("way", WAYS)
def test_beyond_its_quota_a_sender_is_refused_in_its_own_protocol(
    tmp_path: Path, clock: Clock, way: str
) -> None:
    driven = Driven(tmp_path, look=look)
    first = [_ask(driven, "OTLP protobuf", SMALL) for _ in range(1)]
    assert [200] == [status for status, _, _ in first]
    status, headers, body = _ask(driven, way, SMALL)
    assert (429, "1") == (status, headers["retry-after"])
    if way == "OTLP protobuf":
        told = Status.FromString(body)
        assert (8, True) == (told.code, "over its quota" in told.message)
    else:
        told = json.loads(body)
        assert 8 == told["code"] if way == "OTLP JSON" else 429 == told["status"]
    assert _ask(driven, way, OTHER)[0] in (200, 202)
    clock.now += 1.0  # three were sent where two had room: one is owed
    assert _ask(driven, way, SMALL)[0] in (200, 202)
    refused = {line.reason: line.items for line in driven.inbox.snapshot()[1] if line.what == "refused"}
    assert {} == refused  # nothing is written while somebody waits
    assert 1 == driven.tally()["refused", "quota"]


@pytest.mark.django_db
def test_what_is_refused_is_accounted_for_and_comes_out_even(tmp_path: Path, clock: Clock) -> None:
    driven = Driven(tmp_path, look=look)
    for _ in range(5):
        _ask(driven, "OTLP protobuf", SMALL)
        _ask(driven, "OTLP JSON", OTHER)
    driven.receiver.refusals.flush()
    backlog, lines = driven.inbox.snapshot()
    by = {(line.sender, line.what): line.items for line in lines if line.what in ("received", "refused")}
    assert {("small", "received"): 3 + 4, ("small", "refused"): 4, ("other", "received"): 5} == by
    assert 8 == backlog.items


def test_metrics_and_markers_are_not_facts_and_pass(tmp_path: Path, clock: Clock) -> None:
    driven = Driven(tmp_path, look=look)
    _ask(driven, "OTLP protobuf", SMALL)
    secret = {"authorization": f"Bearer {SMALL}"}
    assert 429 == _ask(driven, "OTLP JSON", SMALL)[0]
    assert 200 == driven.ask("POST", "/v1/metrics", {**JSON, **secret}, b"{}")[0]
    marker = json.dumps({"title": "deploy"}).encode()
    assert 201 == driven.ask("POST", "/v1/markers", {**JSON, **secret}, marker)[0]


def test_a_refused_body_is_neither_inflated_nor_judged(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    driven = Driven(tmp_path, look=look)
    _ask(driven, "OTLP protobuf", SMALL)

    def never(*arguments: object, **options: object) -> None:
        raise AssertionError("it was looked at")

    monkeypatch.setattr("timeline.receive.receiver.inspect", never)
    headers = {**PROTOBUF, "content-encoding": "gzip", "authorization": f"Bearer {SMALL}"}
    assert 429 == driven.ask("POST", "/v1/traces", headers, gzip.compress(otlp.traces_protobuf(900)))[0]


def test_the_machine_itself_has_the_quota_of_the_settings(tmp_path: Path, clock: Clock) -> None:
    driven = Driven(tmp_path, quotas=Quotas(1))
    sent = [driven.ask("POST", "/v1/logs", JSON, otlp.logs())[0] for _ in range(11)]
    assert [200] * 10 + [429] == sent


def _sent(quotas: Quotas, sender: Sender, items: int, size: int = 0) -> int:
    """The answer's status, and where it is 429 the seconds to wait, as one number below 200."""
    try:
        quotas.check(sender)
    except Refused as problem:
        return int(dict(problem.headers)["retry-after"])
    quotas.charge(sender, items=items, size=size)
    return 200


def test_a_burst_passes_and_the_rate_holds_afterwards(clock: Clock) -> None:
    sender, quotas, taken = Sender(name="a", quota_items=100, quota_burst=1000), Quotas(), 0
    for _ in range(1000):  # for a hundred seconds, more than it may
        taken += 50 if _sent(quotas, sender, 50) == 200 else 0
        clock.now += 0.1
    assert 1000 + 100 * 100 <= taken <= 1000 + 100 * 100 + 100


def test_nobody_is_told_to_wait_longer_than_exporters_do(clock: Clock) -> None:
    sender, quotas = Sender(name="a", quota_items=1), Quotas()
    assert 200 == _sent(quotas, sender, 1000)
    assert 5 == _sent(quotas, sender, 1)
    clock.now += 988.5
    assert 3 == _sent(quotas, sender, 1)  # 1.5 owed, and room for one
    clock.now += 2
    assert 200 == _sent(quotas, sender, 1)


def test_bytes_count_as_they_were_sent(clock: Clock) -> None:
    sender, quotas = Sender(name="a", quota_bytes=1000), Quotas()
    assert [200, 200, 1] == [_sent(quotas, sender, 1, size=5000) for _ in range(3)]


def test_two_keys_of_one_name_share_their_quota_and_other_names_have_their_own(clock: Clock) -> None:
    quotas = Quotas()
    old, new = (Sender(name="a", quota_items=1, quota_burst=1, key=key) for key in (1, 2))
    assert [200, 1] == [_sent(quotas, old, 1), _sent(quotas, new, 1)]
    assert 200 == _sent(quotas, Sender(name="b", quota_items=1), 1)


def test_a_changed_quota_holds_at_once(clock: Clock) -> None:
    quotas = Quotas()
    assert [200, 1] == [_sent(quotas, Sender(name="a", quota_items=1, quota_burst=1), 1) for _ in range(2)]
    assert 200 == _sent(quotas, Sender(name="a", quota_items=10), 1)
    assert 200 == _sent(quotas, Sender(name="a"), 10**6)


def test_senders_that_went_away_are_forgotten(clock: Clock) -> None:
    quotas = Quotas(1)
    for number in range(1000):
        _sent(quotas, Sender(name=str(number)), 1)
    clock.now += 3601
    _sent(quotas, Sender(name="new"), 1)
    assert 1 == len(quotas._accounts)
