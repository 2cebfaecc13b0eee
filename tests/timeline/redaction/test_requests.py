"""Requests of every kind without what rules name, and otherwise as they were."""

from __future__ import annotations

import gzip
import json
from typing import Any

import msgspec
import pytest

from tests.payloads.capture import HERE, load
from tests.timeline.ingest.otlp_requests import JSON, PROTOBUF, logs, otlp_json, traces
from timeline.domain import Stored
from timeline.ingest.decode import Rules, decode, inspect
from timeline.ingest.request import Accepted, Signal, digest_of
from timeline.ingest.rows import Row
from timeline.redaction.requests import redacted, redacted_row
from timeline.redaction.rules import Redaction, Rule

FILES = sorted(str(file.relative_to(HERE)) for file in HERE.rglob("*.http"))
SIGNALS: dict[str, Signal] = {"/v1/traces": "traces", "/v1/logs": "logs", "/v1/events": "events"}
CARD, MAIL, PIN = "4111111111111111", "ann@example.org", "the-pin-9"
RULES = [
    Rule(number=1, by="attribute", match="*pin", action="drop"),
    Rule(number=2, by="detector", match="card", action="mask"),
    Rule(number=3, by="detector", match="email", action="hash"),
]
FITTING = Redaction(RULES, b"salt")
UNFIT = Redaction([Rule(number=1, by="attribute", match="no such key", action="drop")], b"salt")


def request(signal: Signal, headers: dict[str, str], body: bytes, encoding: str = "") -> Accepted:
    accepted = Accepted(
        id="r",
        signal=signal,
        content_encoding=encoding,
        headers=headers,
        body=body,
        received=1_790_000_000 * 10**9,
    )
    found = inspect(accepted)
    return msgspec.structs.replace(accepted, items=found.items - len(found.refused))


def facts(accepted: Accepted) -> list[Stored]:
    found = decode(accepted, Rules.default())
    assert [] == found.poison
    return found.facts


@pytest.mark.parametrize("name", FILES)
def test_what_no_rule_fits_decodes_to_the_same_facts(name: str) -> None:
    payload = load(HERE / name)
    headers = {key.lower(): value for key, value in payload.headers}
    kept = {key: value for key, value in headers.items() if key == "content-type" or key.startswith("ce-")}
    raw = request(SIGNALS[payload.path], kept, payload.body, headers.get("content-encoding", ""))

    passed = redacted(raw, UNFIT)

    assert raw.items == passed.items
    assert facts(raw) == facts(passed)


SECRETS: dict[str, Any] = {
    "card": f"paid by {CARD}",
    "user.pin": PIN,
    "mail": MAIL,
    "deep": {"list": [CARD, {"pin": PIN}], "n": int(CARD)},
    MAIL: "as a key",
    "bytes": CARD.encode(),
    "left": 7,
}


def _all_of_otlp() -> Any:
    made = traces(
        {"name": f"pay {CARD}", "attributes": SECRETS, "trace_state": f"a={MAIL}"}, resource=SECRETS
    )
    scope = made.resource_spans[0].scope_spans[0]
    scope.scope.name = MAIL
    span = scope.spans[0]
    span.status.message = f"no money on {CARD}"
    event = span.events.add(name=f"told {MAIL}")
    event.attributes.extend(span.attributes)
    span.links.add(trace_id=b"t" * 16, span_id=b"s" * 8, trace_state=MAIL).attributes.extend(span.attributes)
    return made


CLOUDEVENT = {"specversion": "1.0", "id": MAIL, "source": f"/u/{MAIL}", "type": "Paid", "subject": CARD}
ZIPKIN = [
    {
        "traceId": "4111111111111111" * 2,
        "id": "4111111111111111",
        "name": f"to {MAIL}",
        "timestamp": 1_790_000_000_000_000,
        "duration": 5,
        "localEndpoint": {"serviceName": MAIL, "ipv4": "10.0.0.1"},
        "annotations": [{"timestamp": 1_790_000_000_000_000, "value": CARD}],
        "tags": {"card": CARD, "a.pin": PIN, MAIL: "k"},
    }
]
LEAKY: dict[str, tuple[Signal, dict[str, str], bytes]] = {
    "protobuf": ("traces", PROTOBUF, _all_of_otlp().SerializeToString()),
    "logs": (
        "logs",
        PROTOBUF,
        logs(
            {"body": SECRETS, "attributes": SECRETS, "severity_text": MAIL, "event_name": MAIL}
        ).SerializeToString(),
    ),
    "otlp json": ("traces", JSON, json.dumps(otlp_json(_all_of_otlp())).encode()),
    "zipkin": ("zipkin", {"content-type": "application/json"}, json.dumps(ZIPKIN).encode()),
    "structured": (
        "events",
        {"content-type": "application/cloudevents+json"},
        json.dumps({**CLOUDEVENT, "data": {"mail": MAIL, "pin": PIN, "n": int(CARD)}}).encode(),
    ),
    "batch": (
        "events",
        {"content-type": "application/cloudevents-batch+json"},
        json.dumps([{**CLOUDEVENT, "data": f"{CARD} {MAIL} pin={PIN}"}]).encode(),
    ),
    "binary": (
        "events",
        {
            "content-type": "text/plain",
            **{f"ce-{key}": value.replace("@", "%40") for key, value in CLOUDEVENT.items()},
        },
        f"{CARD} {MAIL} pin={PIN}".encode(),
    ),
    "binary of its own": (
        "events",
        {"content-type": "application/avro", **{f"ce-{key}": value for key, value in CLOUDEVENT.items()}},
        b"\xff\x00" + MAIL.encode(),
    ),
}


@pytest.mark.parametrize("name", LEAKY)
@pytest.mark.parametrize("packed", [False, True])
def test_no_secret_is_left_in_what_is_kept_nor_in_its_facts(name: str, packed: bool) -> None:
    signal, headers, body = LEAKY[name]
    raw = request(signal, headers, gzip.compress(body) if packed else body, "gzip" if packed else "")

    kept = redacted(raw, FITTING)

    text = msgspec.msgpack.encode(kept) + repr(facts(kept)).encode()
    ids = [b'"traceId":"', b'"id":"'] if signal == "zipkin" else []
    for each in ids:  # hexadecimal ids that look like a card are no card
        text = text.replace(each + CARD.encode() * (2 if b"trace" in each else 1), b"")
    text = text.replace((CARD * 2).encode(), b"").replace(f"span_id='{CARD}'".encode(), b"")
    assert [] == [secret for secret in (CARD, MAIL, PIN) if secret.encode() in text]
    assert len(facts(raw)) == len(facts(kept))
    assert sum(FITTING.counted().values())


def test_both_encodings_of_a_request_stay_equal() -> None:
    (one,) = facts(redacted(request(*LEAKY["protobuf"]), FITTING))
    (other,) = facts(redacted(request(*LEAKY["otlp json"]), FITTING))

    assert one.fact == other.fact
    assert one.receipt.content == other.receipt.content


def test_the_digest_is_of_what_is_kept() -> None:
    kept = redacted(request(*LEAKY["protobuf"]), FITTING)

    assert digest_of(kept) == kept.digest
    assert kept.digest != digest_of(request(*LEAKY["protobuf"]))


def test_what_cannot_be_read_is_not_in_it() -> None:
    made = _all_of_otlp()
    broken = (
        made.resource_spans[0].scope_spans[0].spans.add(trace_id=b"x" * 16, span_id=b"y" * 8, name="ZZZZ")
    )
    assert "ZZZZ" == broken.name
    raw = request("traces", PROTOBUF, made.SerializeToString().replace(b"ZZZZ", b"\xff\xfe\xfd\xfc"))
    assert 1 == raw.items

    kept = redacted(raw, FITTING)

    assert b"\xff\xfe\xfd\xfc" not in kept.body
    assert 1 == len(facts(kept))


def test_a_row_of_an_import_is_redacted_before_it_is_numbered() -> None:
    row = Row(
        name="paid",
        at=1,
        id=MAIL,
        subject=CARD,
        body={"pin": PIN},
        attributes={"m": MAIL, "pin": PIN, MAIL: 1},
    )

    kept = redacted_row(row, FITTING)

    hashed = FITTING.hashed(MAIL)
    assert (hashed, "[masked card]", {}) == (kept.id, kept.subject, kept.body)
    assert {"m": hashed, hashed: 1} == kept.attributes


@pytest.mark.parametrize("key", ["service.name", "servicename"])
def test_services_and_environments_are_looked_into_too(key: str) -> None:
    rule = Redaction([Rule(number=1, by="attribute", match=key, action="mask")], b"salt")
    row = Row(name="n", at=1, id="1", source="s", service="shop", environment=MAIL)
    assert rule.hashed("shop") == redacted_row(row, rule).service
    kept = redacted_row(row, FITTING)
    assert ("shop", FITTING.hashed(MAIL)) == (kept.service, kept.environment)
    assert "" == redacted_row(Row(name="n", at=1, id="1", source="s"), rule).service
