"""OTLP/HTTP to the letter (otel-proto ``docs/specification.md``): every crossing of what a request can
be, and the answer that the specification gives it, worked out here and not by the product."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any, NamedTuple

import pytest
import zstandard
from google.rpc.error_details_pb2 import BadRequest
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from tests.protocols.conftest import KEY
from tests.receiving import Driven
from tests.timeline.receive import otlp

pytestmark = pytest.mark.django_db
PROTOBUF, JSON = "application/x-protobuf", "application/json"
MEDIA = {
    "protobuf": PROTOBUF,
    "protobuf, the other name": "application/protobuf",
    "JSON": JSON,
    "JSON with a charset": "Application/Json; Charset=UTF-8",
}
ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda body: body,
    "identity": lambda body: body,
    "gzip": lambda body: gzip.compress(body, 1),
    "GZip": lambda body: gzip.compress(body[:9], 1) + gzip.compress(body[9:], 1),  # two members are one body
    "x-gzip": lambda body: gzip.compress(body, 1),
    "deflate": zlib.compress,
    "zstd": lambda body: zstandard.compress(body),
}
CONTENTS = ("good", "nothing", "garbage", "cut", "mislabelled", "half bad", "all bad")


class Expected(NamedTuple):
    """An answer: status, code of its Status, rejected items of its partial success."""

    status: int
    code: int = 0
    rejected: int = 0


def plain(signal: str, binary: bool, content: str) -> bytes:
    """A body before compression."""
    if content == "nothing":
        return b""
    if content == "garbage":
        return b"\xff\xff garbage" if binary else b'{"resourceSpans": [}'
    if signal == "logs":
        return otlp.logs_protobuf() if binary else otlp.logs()
    if content == "half bad":
        spans: list[dict[str, Any]] = [{}, {"traceId": "0" * 32}, {}, {"spanId": "12"}]
        if not binary:
            return otlp.traces(*spans)
        return otlp.traces_protobuf(2) + otlp.traces_protobuf(2, trace_id=bytes(16))
    if content == "all bad":
        bad = {"traceId": ""}
        return otlp.traces_protobuf(4, trace_id=b"") if binary else otlp.traces(bad, bad, bad, bad)
    return otlp.traces_protobuf(4) if binary else otlp.traces({}, {}, {}, {})


def crossings() -> Iterator[Any]:
    """Signal, media type, encoding and content, with the answer."""
    for signal, media, encoding, content in product(
        ("traces", "logs", "metrics"), MEDIA, ENCODINGS, CONTENTS
    ):
        binary = "protobuf" in MEDIA[media].lower()
        packed = encoding not in ("", "identity")
        if signal != "traces" and content in ("half bad", "all bad"):
            continue  # a log record needs no id
        if content == "mislabelled" and not packed:
            continue
        body = ENCODINGS[encoding](plain(signal, binary, content))
        if content == "cut":
            body = body[:-3]
        elif content == "mislabelled":
            body = plain(signal, binary, "good")
        expected = Expected(200)
        if signal != "metrics":  # which are counted and discarded, whatever they are
            rejected = {"half bad": 2, "all bad": 4}.get(content, 0)
            bad = content in ("garbage", "cut", "mislabelled") or (content == "nothing" and not binary)
            expected = Expected(400, 3) if bad else Expected(200, rejected=rejected)
        named = f"{signal}, {media}, {encoding or 'as it is'}, {content}"
        yield pytest.param(signal, MEDIA[media], encoding, body, expected, id=named)


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize(("signal", "media", "encoding", "body", "expected"), list(crossings()))
def test_every_crossing_of_signal_media_encoding_and_content(
    table: Driven,
    signal: str,
    media: str,
    encoding: str,
    body: bytes,
    expected: Expected,
    chunked: bool,
) -> None:
    headers = {"content-type": media} | ({"content-encoding": encoding} if encoding else {})
    status, named, content = table.ask("POST", f"/v1/{signal}", headers, body, chunked=chunked)
    binary = "protobuf" in media.lower()
    assert (expected.status, PROTOBUF if binary else JSON) == (status, named["content-type"])
    assert "location" not in named
    if expected.code:
        assert_status(content, binary, expected.code, described=status == 400)
    elif binary:
        kind = ExportLogsServiceResponse if signal == "logs" else ExportTraceServiceResponse
        answer = kind.FromString(content)
        assert expected.rejected == (answer.partial_success.rejected_spans if signal == "traces" else 0)
        assert bool(expected.rejected) == answer.HasField("partial_success") == bool(content)
    else:
        partial = json.loads(content).pop("partialSuccess", {})
        assert expected.rejected == int(partial.get("rejectedSpans", 0))
        assert bool(expected.rejected) == bool(partial.get("errorMessage"))


def assert_status(content: bytes, binary: bool, code: int, *, described: bool) -> None:
    """A ``google.rpc.Status`` in the sender's encoding, with BadRequest details where it is a 400."""
    if binary:
        found = Status.FromString(content)
        detail = BadRequest()
        assert described == any(one.Unpack(detail) for one in found.details)
        assert (code, True) == (found.code, bool(found.message))
    else:
        told = json.loads(content)
        assert (code, True, described) == (told["code"], bool(told["message"]), "details" in told)


def routes() -> Iterator[Any]:
    """Method and path, with status and what Allow must name."""
    for path in ("/v1/traces", "/v1/logs", "/v1/metrics"):
        for method in ("GET", "HEAD", "PUT", "DELETE", "PATCH", "TRACE"):
            yield method, path, 405, "OPTIONS, POST"
        yield "OPTIONS", path, 204, "OPTIONS, POST"
    for path in (
        "/v1/traces/",
        "/V1/traces",
        "/v1",
        "/",
        "/v1/profiles",
        "/v1development/profiles",
        "/v1/traces%00",
    ):
        for method in ("POST", "GET", "OPTIONS"):
            yield method, path, 404, ""


@pytest.mark.parametrize(("method", "path", "status", "allow"), list(routes()))
def test_every_method_on_every_path(table: Driven, method: str, path: str, status: int, allow: str) -> None:
    answered, named, content = table.ask(method, path, {"content-type": JSON}, b"")
    assert (status, allow) == (answered, named.get("allow", ""))
    assert b"<" not in content
    if status >= 400:
        assert_status(content, False, {404: 5, 405: 12}[status], described=False)


@pytest.mark.parametrize("path", ["/v1/traces", "/v1/logs", "/v1/metrics"])
@pytest.mark.parametrize(
    "media",
    ["", "text/plain", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x",
     "application/grpc", "application/json2", "application/x-protobuf2", "*/*", ";", "application /json"],
)  # fmt: skip
def test_what_is_no_media_type_of_otlp_is_415(table: Driven, path: str, media: str) -> None:
    headers = {"content-type": media} if media else {}
    status, named, content = table.ask("POST", path, headers, b"{}")
    assert (415, JSON) == (status, named["content-type"])
    assert_status(content, False, 3, described=False)


@pytest.mark.parametrize("encoding", ["br", "compress", "gzip, gzip", "lz4", "snappy", "identity, gzip", "*"])
@pytest.mark.parametrize("media", [PROTOBUF, JSON])
def test_what_is_no_offered_encoding_is_415_in_the_senders_own(
    table: Driven, media: str, encoding: str
) -> None:
    headers = {"content-type": media, "content-encoding": encoding}
    status, named, content = table.ask("POST", "/v1/traces", headers, b"x")
    assert (415, media) == (status, named["content-type"])
    assert_status(content, media == PROTOBUF, 3, described=False)


KEYED = [
    ({}, "127.0.0.1:1", 200),
    ({}, "[::1]:1", 200),
    ({}, "10.0.0.7:1", 401),
    ({"forwarded": "for=127.0.0.1"}, "127.0.0.1:1", 401),
    ({"x-forwarded-for": "127.0.0.1"}, "127.0.0.1:1", 401),
    ({"via": "1.1 proxy"}, "127.0.0.1:1", 401),
    ({"x-real-ip": "127.0.0.1"}, "127.0.0.1:1", 401),
    ({"origin": "https://evil.example"}, "127.0.0.1:1", 403),
    ({"origin": "null"}, "127.0.0.1:1", 403),
    ({"origin": "https://shop.example"}, "127.0.0.1:1", 200),
    ({"authorization": f"Bearer {KEY}"}, "10.0.0.7:1", 200),
    ({"authorization": f"bearer  {KEY}"}, "10.0.0.7:1", 200),
    ({"x-throughline-key": KEY}, "10.0.0.7:1", 200),
    ({"authorization": f"Bearer {KEY}", "forwarded": "for=1.2.3.4"}, "127.0.0.1:1", 200),
    ({"authorization": f"Bearer {KEY}x"}, "127.0.0.1:1", 401),
    ({"authorization": "Bearer unknown"}, "10.0.0.7:1", 401),
    ({"authorization": f"Basic {KEY}"}, "10.0.0.7:1", 401),
    ({"authorization": "Bearer"}, "10.0.0.7:1", 401),
    ({"cookie": f"key={KEY}"}, "10.0.0.7:1", 401),
]


@pytest.mark.parametrize("media", [PROTOBUF, JSON])
@pytest.mark.parametrize(("headers", "peer", "status"), KEYED)
def test_who_may_send(table: Driven, media: str, headers: dict[str, str], peer: str, status: int) -> None:
    body = otlp.traces_protobuf() if media == PROTOBUF else otlp.traces()
    answered, named, content = table.ask(
        "POST", "/v1/traces", headers | {"content-type": media}, body, peer=peer
    )
    assert (status, media) == (answered, named["content-type"])
    assert (status == 401) == ("www-authenticate" in named)
    if status != 200:
        assert_status(content, media == PROTOBUF, {401: 16, 403: 7}[status], described=False)
        assert KEY.encode() not in content
