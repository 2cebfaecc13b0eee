"""A stand-in receiver: keeps every request, and answers what it is told to."""

from __future__ import annotations

import gzip
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import orjson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span

Answer = tuple[int, dict[str, str]]


class Sink:
    """``requests`` as (path, headers, plain body); ``answers`` are given first, then 200."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, dict[str, str], bytes]] = []
        self.answers: deque[Answer] = deque()
        self.arrived = threading.Condition()
        self.endpoint = ""

    def wait(self, ready: Any, seconds: float = 30) -> None:
        """Until ``ready()`` holds; asked again at every request."""
        with self.arrived:
            assert self.arrived.wait_for(ready, seconds), "it did not arrive in time"

    def spans(self) -> list[tuple[dict[str, str], Span]]:
        """Every span with the resource it came under."""
        found = []
        for path, _, body in list(self.requests):
            if path == "/v1/traces":
                for group in ExportTraceServiceRequest.FromString(body).resource_spans:
                    resource = {pair.key: pair.value.string_value for pair in group.resource.attributes}
                    found += [(resource, span) for scope in group.scope_spans for span in scope.spans]
        return found

    def events(self) -> list[dict[str, Any]]:
        """Every CloudEvent of every batch."""
        return [
            event
            for path, _, body in list(self.requests)
            if path == "/v1/events"
            for event in orjson.loads(body)
        ]


@contextmanager
def running() -> Iterator[Sink]:
    """A sink listening on a free loopback port."""
    sink = Sink()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("content-length") or 0))
            status, more = sink.answers.popleft() if sink.answers else (200, {})
            if status == 200:
                plain = gzip.decompress(body) if self.headers.get("content-encoding") == "gzip" else body
                with sink.arrived:
                    sink.requests.append((self.path, {k.lower(): v for k, v in self.headers.items()}, plain))
                    sink.arrived.notify_all()
            self.send_response(status)
            for name, value in ({"content-length": "0"} | more).items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Quiet."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    sink.endpoint = f"http://127.0.0.1:{server.server_port}"
    try:
        yield sink
    finally:
        server.shutdown()
        server.server_close()
