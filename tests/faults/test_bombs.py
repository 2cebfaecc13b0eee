"""What is meant to burst a receiver is refused, with little memory, and others hardly notice."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import zstandard
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from tests.node.otlp import PROTOBUF, request, span
from tests.receiving import Running
from tests.timeline.ingest.otlp_requests import field

pytestmark = pytest.mark.server
MIB = 1 << 20
EXTRA = 150 * MIB
EVENTS = "application/cloudevents-batch+json"


def _many_spans() -> bytes:
    made = ExportTraceServiceRequest()
    spans = made.resource_spans.add().scope_spans.add().spans
    for number in range(200_000):
        spans.add(trace_id=b"t" * 16, span_id=number.to_bytes(8, "big"))
    return made.SerializeToString()


def _empty_spans() -> bytes:
    return field(1, field(2, field(2, b"") * (30 * MIB)))  # spans without a byte, in one scope


# path, content type, content encoding, body, statuses
BOMBS: dict[str, tuple[str, str, str, Callable[[], bytes], set[int]]] = {
    "64 MiB and one byte": ("/v1/traces", PROTOBUF, "", lambda: bytes(64 * MIB + 1), {413}),
    "gzip, a thousandfold": (
        "/v1/traces",
        PROTOBUF,
        "gzip",
        lambda: gzip.compress(bytes(128 * MIB)),
        {413},
    ),
    "zstd, more than that": (
        "/v1/logs",
        PROTOBUF,
        "zstd",
        lambda: zstandard.compress(bytes(128 * MIB)),
        {413},
    ),
    "200,000 spans": ("/v1/traces", PROTOBUF, "", _many_spans, {413}),
    "200,000 spans, packed": ("/v1/traces", PROTOBUF, "gzip", lambda: gzip.compress(_many_spans()), {413}),
    "31 million empty spans": ("/v1/traces", PROTOBUF, "", _empty_spans, {413}),
    "JSON 5,000 deep": ("/v1/traces", "application/json", "", lambda: b"[" * 5000 + b"]" * 5000, {400, 413}),
    "three million objects": (
        "/v1/traces",
        "application/json",
        "",
        lambda: b"[" + b"{}," * 3_000_000 + b"{}]",
        {413},
    ),
    "a million events": ("/v1/events", EVENTS, "", lambda: b"[" + b"1," * 999_999 + b"1]", {413}),
    "an attribute of 60 MiB": (
        "/v1/traces",
        PROTOBUF,
        "",
        lambda: request("a", [span(1, 1, attributes={"a": "x" * (60 * MIB)})]),
        {200, 400, 413},
    ),
}


@pytest.fixture(scope="module")
def receiver(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    running = Running(tmp_path_factory.mktemp("bombed"))
    yield running
    running.stop()


def _send(receiver: Running, path: str, media: str, encoding: str, body: bytes) -> int:
    headers = {"Content-Type": media, **({"Content-Encoding": encoding} if encoding else {})}
    try:
        with urllib.request.urlopen(
            urllib.request.Request(receiver.url + path, data=body, headers=headers), timeout=60
        ) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def _peak(pid: int) -> int:
    """The most memory (bytes) it held since this was last reset."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) << 10
    raise AssertionError(f"{pid} is gone")


# A sender of its own process, one small event every 10 ms; prints how long each answer took (s).
_OTHER = """
import http.client, json, sys, time
host, seconds = sys.argv[1], float(sys.argv[2])
connection, took = http.client.HTTPConnection(host), []
began = due = time.perf_counter()
while due < began + seconds:
    time.sleep(max(0, due - time.perf_counter()))
    event = {"specversion": "1.0", "id": str(time.time_ns()), "source": "/o", "type": "T"}
    asked = time.perf_counter()
    connection.request("POST", "/v1/events", json.dumps(event), {"Content-Type": "application/cloudevents+json"})
    answer = connection.getresponse()
    answer.read()
    assert answer.status == 202, answer.status
    took.append(time.perf_counter() - asked)
    due = max(due + 0.01, time.perf_counter())
print(json.dumps(took))
"""


def _other(receiver: Running, seconds: float) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", _OTHER, receiver.url.removeprefix("http://"), str(seconds)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def _took(sender: subprocess.Popen[str]) -> list[float]:
    answered, _ = sender.communicate(timeout=60)
    assert 0 == sender.returncode
    return sorted(json.loads(answered))


def _p99(took: list[float]) -> float:
    return took[int(len(took) * 0.99)]


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_little_memory_while_others_go_on(
    receiver: Running, name: str, record_property: Callable[[str, object], None]
) -> None:
    path, media, encoding, made, statuses = BOMBS[name]
    body = made()
    pid = receiver.worker()
    _send(receiver, "/v1/traces", PROTOBUF, "", request("a", [span(1, 1)]))  # everything it needs is loaded
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before, beside = _peak(pid), _other(receiver, 1)
    began = time.perf_counter()
    status = _send(receiver, path, media, encoding, body)
    seconds = time.perf_counter() - began
    _took(beside)  # each was taken
    extra = _peak(pid) - before
    record_property("figures", f"{seconds:.2f} s, {extra / MIB:.0f} MiB more")
    print(f"{name}: {status}, {seconds:.2f} s, {extra / MIB:.0f} MiB more")
    assert status in statuses
    assert extra < EXTRA
    assert pid == receiver.worker()


@pytest.mark.soak
def test_others_hardly_notice_a_bomb_of_any_kind_every_second(receiver: Running) -> None:
    """Their p99 stays within twice what it is without; on a machine with nothing else to do."""
    made = {name: bomb[3]() for name, bomb in BOMBS.items()}
    _took(_other(receiver, 3))
    calm = _took(_other(receiver, 20))
    beside = _other(receiver, 3 * len(BOMBS))
    for name in [*BOMBS] * 3:
        path, media, encoding, _, statuses = BOMBS[name]
        began = time.perf_counter()
        assert _send(receiver, path, media, encoding, made[name]) in statuses
        time.sleep(max(0, 1 - (time.perf_counter() - began)))
    bombed = _took(beside)
    print(f"p99 of others {_p99(bombed) * 1000:.1f} ms, {_p99(calm) * 1000:.1f} ms without bombs")
    assert _p99(bombed) < 2 * _p99(calm)
