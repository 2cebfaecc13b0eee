"""Requests and answers of the receiver, and the one table from errors to both protocols' bodies.

OTLP errors are ``google.rpc.Status`` in the request's own encoding (OTLP 1.11, "OTLP/HTTP
Response"); CloudEvents errors are problem+json (RFC 9457). Never HTML, never a redirect.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final

import msgspec
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from timeline.errors import (
    MalformedPayload,
    Rejected,
    ThroughlineError,
    TooLarge,
    Unavailable,
    UnsupportedPayload,
)
from timeline.ingest.request import BadItem

PROTOBUF: Final = "application/x-protobuf"
JSON: Final = "application/json"
_PROBLEM: Final = "application/problem+json"
_BAD_REQUEST: Final = "type.googleapis.com/google.rpc.BadRequest"
_TEXT: Final = 1000  # characters of any message: answers stay far below the 4 MiB of OTLP
_SHOWN: Final = 20  # refused items of a CloudEvents batch that are named one by one

# HTTP status to google.rpc.Code (google/rpc/code.proto)
_CODES: Final = {400: 3, 401: 16, 403: 7, 404: 5, 405: 12, 413: 8, 415: 3, 429: 8, 500: 13, 503: 14}
_ITEMS: Final = {"traces": "spans", "zipkin": "spans", "logs": "log records", "events": "events"}
_TITLES: Final = {
    400: "Cannot be read",
    401: "Who are you?",
    403: "Not allowed",
    404: "Not found",
    405: "Wrong method",
    413: "Too large",
    415: "Not offered",
    429: "Over its quota",
    500: "A fault of ours",
    503: "Not now",
}


class Request(msgspec.Struct, frozen=True, kw_only=True):
    """What came before the body. Header names are lower-case; repeated ones are joined by commas."""

    method: str
    path: str
    headers: Mapping[str, str]
    peer: str  # address of the other end of the connection, without its port


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Status, headers and body; ``body`` is complete."""

    status: int
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Refused(Exception):  # noqa: N818 - an answer, not a fault
    """A request that ends here; ``reason`` is the stable slug under which it is counted, if at all."""

    def __init__(
        self, status: int, message: str, *, reason: str = "", headers: tuple[tuple[str, str], ...] = ()
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.reason = reason
        self.headers = headers


def refused(error: ThroughlineError) -> Refused:
    """The one table from our errors to HTTP."""
    message = f"{error.message}; {error.remedy}" if error.remedy else error.message
    if isinstance(error, Unavailable):
        return unavailable(message)
    if isinstance(error, TooLarge):
        return Refused(413, message, reason="too_large")
    if isinstance(error, UnsupportedPayload):
        return Refused(415, message, reason="unsupported")
    if isinstance(error, MalformedPayload | Rejected):
        return Refused(400, message, reason="malformed")
    return Refused(500, message, reason="internal")


def unavailable(message: str) -> Refused:
    """Come back in a second: longer waits make some exporters drop their batch at once."""
    return Refused(503, message, headers=(("retry-after", "1"),))


def media_type(headers: Mapping[str, str]) -> str:
    """The bare, lower-case media type of the request."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


def is_protobuf(media: str) -> bool:
    """Whether a media type names OTLP's binary encoding."""
    return media in (PROTOBUF, "application/protobuf")


def failure(problem: Refused, *, path: str, media: str) -> Answer:
    """The body of an error, in the encoding its sender speaks."""
    message = problem.message[:_TEXT]
    if path in ("/v1/events", "/v1/markers", "/api/v2/spans"):
        return _answer(
            problem.status, _PROBLEM, msgspec.json.encode(_problem(problem.status, message)), problem.headers
        )
    code = _CODES[problem.status]
    if is_protobuf(media):
        return _answer(
            problem.status, PROTOBUF, _status(code, message, problem.status == 400), problem.headers
        )
    body: dict[str, object] = {"code": code, "message": message}
    if problem.status == 400:
        violation = {"field": "body", "description": message}
        body["details"] = [{"@type": _BAD_REQUEST, "fieldViolations": [violation]}]
    return _answer(problem.status, JSON, msgspec.json.encode(body), problem.headers)


def exported(signal: str, media: str, bad: Sequence[BadItem]) -> Answer:
    """OTLP success: ``partial_success`` is unset unless items were refused."""
    message = summary(bad, signal)[:_TEXT] if bad else ""
    if not is_protobuf(media):
        name = {"traces": "rejectedSpans", "logs": "rejectedLogRecords"}.get(signal, "rejectedDataPoints")
        partial = {"partialSuccess": {name: str(len(bad)), "errorMessage": message}} if bad else {}
        return _answer(200, JSON, msgspec.json.encode(partial))
    if not bad:
        return _answer(200, PROTOBUF, b"")
    answer: ExportTraceServiceResponse | ExportLogsServiceResponse
    if signal == "traces":
        answer = ExportTraceServiceResponse()
        answer.partial_success.rejected_spans = len(bad)
    else:
        answer = ExportLogsServiceResponse()
        answer.partial_success.rejected_log_records = len(bad)
    answer.partial_success.error_message = message
    return _answer(200, PROTOBUF, answer.SerializeToString())


def taken(items: int, bad: Sequence[BadItem]) -> Answer:
    """CloudEvents: 202 (accepted, not yet processed), or 400 with the list of what was refused.

    The protocol has no partial success. The good events of a batch are kept all the same:
    sending them again does no harm, they are known by source and id.
    """
    if not bad:
        return Answer(status=202)
    body = _problem(400, summary(bad, "events")[:_TEXT]) | {
        "accepted": items - len(bad),
        "refused": len(bad),
        "problems": [
            {"position": item.position, "reason": item.reason, "detail": item.message[:_TEXT]}
            for item in bad[:_SHOWN]
        ],
    }
    return _answer(400, _PROBLEM, msgspec.json.encode(body))


def reported(items: int, bad: Sequence[BadItem]) -> Answer:
    """Zipkin spans are accepted; its reporters know no partial success, so one is only an error where
    nothing was kept."""
    if not bad or len(bad) < items:
        return Answer(status=202)
    return _answer(400, _PROBLEM, msgspec.json.encode(_problem(400, summary(bad, "zipkin"))))


def marked(new: int) -> Answer:
    """Markers are kept: how many of them were not known."""
    return _answer(201 if new else 200, JSON, msgspec.json.encode({"new": new}))


def summary(bad: Sequence[BadItem], signal: str) -> str:
    """How many items were refused and why, with the first one's sentence."""
    reasons = ", ".join(
        f"{reason}: {count}" for reason, count in Counter(item.reason for item in bad).most_common()
    )
    many = _ITEMS.get(signal, "items")
    return f"{len(bad)} of the {many} {'was' if len(bad) == 1 else 'were'} refused and not stored ({reasons}). The first: {bad[0].message}"


def text(status: int, line: str) -> Answer:
    """A line for probes."""
    return _answer(status, "text/plain; charset=utf-8", line.encode() + b"\n")


def _status(code: int, message: str, bad_request: bool) -> bytes:
    """``google.rpc.Status`` (google/rpc/status.proto), with the ``BadRequest`` detail OTLP asks for."""
    described = message.encode()
    encoded = b"\x08" + bytes([code]) + _field(2, described)
    if bad_request:
        violation = _field(1, b"body") + _field(2, described)
        packed = _field(1, _BAD_REQUEST.encode()) + _field(2, _field(1, violation))
        encoded += _field(3, packed)
    return encoded


def _field(number: int, data: bytes) -> bytes:
    """A length-delimited protobuf field."""
    size, length = len(data), bytearray()
    while size > 127:
        length.append(size & 127 | 128)
        size >>= 7
    return bytes([number << 3 | 2, *length, size]) + data


def _problem(status: int, message: str) -> dict[str, object]:
    return {"type": "about:blank", "title": _TITLES[status], "status": status, "detail": message}


def _answer(status: int, media: str, body: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
    fixed = (("content-type", media), ("x-content-type-options", "nosniff"), ("cache-control", "no-store"))
    return Answer(status=status, headers=(*fixed, *headers), body=body)
