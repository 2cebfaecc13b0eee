"""Keys at a running node: revoked in five seconds, rotated without a gap, of one environment, never written down."""

from __future__ import annotations

import time
from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, attribute, request, span
from timeline.receive.access import FRESH

pytestmark = pytest.mark.server


def _send(node: RunningNode, key: str, number: int, service: str = "keyed") -> int:
    return node.send(
        "/v1/traces", request(service, [span(0xBEEF, number)]), PROTOBUF, Authorization=f"Bearer {key}"
    )


def _account(node: RunningNode, sender: str) -> dict[str, Any]:
    found = node.get("/api/v1/accounting")["senders"]
    return next(({**one} for one in found if one["sender"] == sender), {})


def test_a_revoked_key_is_refused_by_whatever_is_sent_five_seconds_later(node: RunningNode) -> None:
    key = node.manage("token", "create", "--ingest", "--name", "leaver").strip()
    assert 200 == _send(node, key, 1)
    node.manage("token", "revoke", key[:16])
    revoked, number, statuses = time.monotonic(), 1, []

    def refused() -> bool:
        nonlocal number
        number, began = number + 1, time.monotonic()
        statuses.append((_send(node, key, number), began - revoked))
        return statuses[-1][0] == 401

    until(refused, what="a refusal of the revoked key")
    assert [] == [after for status, after in statuses if status == 200 and after > FRESH]
    until(lambda: _account(node, "leaver").get("new") == number - 1, what="all that was acknowledged")


def test_two_keys_of_one_name_send_as_one_sender_while_they_are_rotated(node: RunningNode) -> None:
    old = node.manage(
        "token", "create", "--ingest", "--name", "turning", "--team", "pay", "--environment", "prod"
    ).strip()
    assert 200 == _send(node, old, 100)
    new = node.manage("token", "rotate", old[:16], "--overlap-hours", "1").strip()
    assert [200, 200] == [_send(node, key, number) for number, key in ((101, old), (102, new))]
    until(lambda: _account(node, "turning").get("new") == 3, what="three of one sender")
    assert 0 == _account(node, "turning")["unaccounted"]
    listed = [line for line in node.manage("token", "list").splitlines() if "turning" in line]
    assert 2 == len(listed)
    assert all("(pay, prod)" in line and "live" in line for line in listed)
    until(
        lambda: all("never used" not in line for line in node.manage("token", "list").splitlines() if "turning" in line),
        what="the last use of both keys",
    )  # fmt: skip


def test_a_key_of_one_environment_writes_into_no_other(node: RunningNode) -> None:
    key = node.manage("token", "create", "--ingest", "--name", "bound", "--environment", "prod").strip()
    assert 200 == _send(node, key, 200, service="unlabelled")
    assert 200 == _send(node, key, 201, service="unlabelled")
    foreign = _labelled(request("labelled", [span(0xBEEF, 202)]), "staging")
    assert 200 == node.send("/v1/traces", foreign, PROTOBUF, Authorization=f"Bearer {key}")
    until(lambda: _account(node, "bound").get("new") == 2, what="both facts")
    found = node.get("/api/v1/search?q=service:unlabelled&range=1h&environment=prod")
    assert ["prod", "prod"] == [fact["environment"] for fact in found["facts"]]
    assert "bound" == node.get(f"/api/v1/facts/{found['facts'][0]['id']}")["sender"]
    until(lambda: _account(node, "bound").get("refused") == 1, what="the refusal")
    assert [{"what": "refused", "reason": "foreign_environment", "items": 1}] == _account(node, "bound")[
        "reasons"
    ]
    assert 0 == node.get("/api/v1/search?q=service:labelled&range=1h")["total"]["value"]


def _labelled(body: bytes, environment: str) -> bytes:
    found = ExportTraceServiceRequest.FromString(body)
    label = attribute("deployment.environment.name", environment)
    found.resource_spans[0].resource.attributes.append(label)
    return found.SerializeToString()


def test_no_key_is_written_down_anywhere(node: RunningNode) -> None:
    key = node.manage("token", "create", "--ingest", "--name", "secret").strip()
    assert 200 == _send(node, key, 300)
    assert 401 == _send(node, key[:-1] + "x", 301)
    until(lambda: _account(node, "secret").get("new") == 1, what="the fact")
    node.get("/api/v1/senders")
    secret = key.split("_")[2].encode()
    held = [file for file in node.data.rglob("*") if file.is_file() and secret in file.read_bytes()]
    assert [] == held
