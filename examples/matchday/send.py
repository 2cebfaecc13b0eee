"""Through the front door, gently: one request at a time, and patience where the receiver asks for it."""

from __future__ import annotations

import gzip
import http.client
import time
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

import orjson
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

from examples.matchday.record import Notebook

PER_REQUEST = 500
_PATIENCE = 120.0  # seconds a single request is offered before giving up
_AGAIN = frozenset({408, 429, 502, 503, 504})


class NotTakenError(Exception):
    """The receiver refused for good, or could not be reached in time; says what to look at."""


class Door:
    """Posts to one receiver over one kept connection; not for several threads at once."""

    def __init__(self, endpoint: str) -> None:
        """``endpoint`` is the base address, as ``http://127.0.0.1:4318``."""
        parts = urlsplit(endpoint)
        if parts.scheme != "http" or not parts.hostname:
            raise NotTakenError(
                f"{endpoint!r} is no address of a receiver; give one like http://127.0.0.1:4318"
            )
        self.endpoint = endpoint
        self._line = http.client.HTTPConnection(parts.hostname, parts.port or 4318, timeout=30)

    def spans(self, spans: Sequence[ReadableSpan]) -> None:
        """Send spans as one OTLP/HTTP protobuf request, gzipped."""
        body = gzip.compress(encode_spans(spans).SerializeToString(), 1)
        headers = {"content-type": "application/x-protobuf", "content-encoding": "gzip"}
        self._post("/v1/traces", body, headers)

    def events(self, events: Sequence[dict[str, Any]]) -> None:
        """Send CloudEvents as one batch."""
        headers = {"content-type": "application/cloudevents-batch+json"}
        self._post("/v1/events", orjson.dumps(list(events)), headers)

    def _post(self, path: str, body: bytes, headers: dict[str, str]) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            pause, problem = self._try(path, body, headers)
            if problem is None:
                return
            if pause is None or time.monotonic() + pause > deadline:
                raise NotTakenError(f"POST {self.endpoint}{path}: {problem}")
            time.sleep(pause)

    def _try(self, path: str, body: bytes, headers: dict[str, str]) -> tuple[float | None, str | None]:
        """(None, None) when taken; (seconds, why) to try again; (None, why) when refused for good."""
        try:
            self._line.request("POST", path, body, headers)
            answer = self._line.getresponse()
            said = answer.read(4096)
        except (OSError, http.client.HTTPException) as error:
            self._line.close()
            return 0.5, f"cannot be reached ({error}); is the receiver running (make run)?"
        if answer.status in (200, 201, 202, 204):
            return None, None
        told = f"answered {answer.status}: {said[:300].decode('utf-8', 'replace')}"
        if answer.status not in _AGAIN:
            return None, told
        after = answer.headers.get("retry-after", "")
        return (min(float(after), 30.0) if after.isdigit() else 1.0), told


def send_all(book: Notebook, door: Door) -> int:
    """Send a notebook in the order things ended; answers with how many facts that makes.

    An event that is posted again is the same fact.
    """
    spans = sorted(book.spans, key=lambda span: span.end_time or 0)
    for start in range(0, len(spans), PER_REQUEST):
        door.spans(spans[start : start + PER_REQUEST])
    for start in range(0, len(book.events), PER_REQUEST):
        door.events(book.events[start : start + PER_REQUEST])
    return len(spans) + len({(event["source"], event["id"]) for event in book.events})
