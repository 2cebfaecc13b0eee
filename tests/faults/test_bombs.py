"""What is meant to burst a receiver is refused, with little memory, and others hardly notice."""

from __future__ import annotations

import gzip
import json
import statistics
import threading
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


def _others(receiver: Running, until: threading.Event, took: list[float]) -> None:
    body, number = b"", 0
    while not until.is_set():
        number += 1
        body = json.dumps({"specversion": "1.0", "id": f"o-{number}", "source": "/o", "type": "T"}).encode()
        began = time.perf_counter()
        assert 202 == _send(receiver, "/v1/events", "application/cloudevents+json", "", body)
        took.append(time.perf_counter() - began)


@pytest.mark.parametrize("name", BOMBS)
def test_a_bomb_is_refused_with_little_memory_while_others_go_on(
    receiver: Running, name: str, record_property: Callable[[str, object], None]
) -> None:
    path, media, encoding, made, statuses = BOMBS[name]
    body = made()
    pid = receiver.worker()
    _send(receiver, "/v1/traces", PROTOBUF, "", request("a", [span(1, 1)]))  # everything it needs is loaded
    Path(f"/proc/{pid}/clear_refs").write_text("5")
    before, ended = _peak(pid), threading.Event()
    took: list[float] = []
    beside = threading.Thread(target=_others, args=(receiver, ended, took))
    beside.start()
    try:
        began = time.perf_counter()
        status = _send(receiver, path, media, encoding, body)
        seconds = time.perf_counter() - began
    finally:
        ended.set()
        beside.join()
    extra = _peak(pid) - before
    p99 = statistics.quantiles(took, n=100)[98] if len(took) > 1 else max(took)
    record_property(
        "figures", f"{seconds:.2f} s, {extra / MIB:.0f} MiB more, p99 of others {p99 * 1000:.0f} ms"
    )
    print(
        f"{name}: {status}, {seconds:.2f} s, {extra / MIB:.0f} MiB more, p99 of others {p99 * 1000:.0f} ms of {len(took)}"
    )
    assert status in statuses
    assert extra < EXTRA
    assert pid == receiver.worker()
