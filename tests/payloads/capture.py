"""Captures what real clients send: ``python -m tests.payloads.capture`` (after tests/clients/install.sh).

Each request becomes one file: its head as it came over the wire, an empty line, its body. A
chunked body is written without its chunk frames; the head still says chunked.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple

from tests.clients import drive
from tests.timeline.receive import otlp

HERE = Path(__file__).resolve().parent


class Payload(NamedTuple):
    """A captured request."""

    method: str
    path: str
    headers: list[tuple[str, str]]
    body: bytes


def load(file: Path) -> Payload:
    """A captured request, read back."""
    head, _, body = file.read_bytes().partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, _ = first.split(" ")
    pairs = [line.partition(": ") for line in lines]
    return Payload(method, path, [(name, value) for name, _, value in pairs], body)


class _Recorder(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    kept: list[bytes]

    def do_POST(self) -> None:
        head = [self.requestline, *(f"{name}: {value}" for name, value in self.headers.items())]
        body = (
            self._chunks()
            if "chunked" in self.headers.get("transfer-encoding", "")
            else self.rfile.read(int(self.headers.get("content-length", 0)))
        )
        self.kept.append("\r\n".join(head).encode("latin-1") + b"\r\n\r\n" + body)
        binary = "protobuf" in self.headers.get("content-type", "")
        answer = b"" if binary or self.path == "/v1/events" else b"{}"
        self.send_response(202 if self.path == "/v1/events" else 200)
        self.send_header("content-type", "application/x-protobuf" if binary else "application/json")
        self.send_header("content-length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def _chunks(self) -> bytes:
        body = b""
        while size := int(self.rfile.readline().split(b";")[0], 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *arguments: object) -> None:
        """Say nothing."""


@contextmanager
def _recording() -> Iterator[tuple[str, list[bytes]]]:
    kept: list[bytes] = []
    server = ThreadingHTTPServer(("127.0.0.1", 24410), type("Recorder", (_Recorder,), {"kept": kept}))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield "http://127.0.0.1:24410", kept
    server.shutdown()
    server.server_close()


def _clients() -> Iterator[tuple[str, Callable[[str], object]]]:
    for compression in ("none", "gzip"):
        yield (
            f"opentelemetry-python/traces-{compression}",
            partial(drive.python_traces, compression=compression),
        )
        yield f"opentelemetry-python/logs-{compression}", partial(drive.python_logs, compression=compression)
        for signal, name in (("traces", "trace"), ("logs", "logs")):
            for encoding in ("http", "proto"):
                client = f"{signal}:{name}-otlp-{encoding}"
                yield (
                    f"opentelemetry-js/{signal}-{'json' if encoding == 'http' else 'protobuf'}-{compression}",
                    partial(drive.javascript, client=client, compression=compression),
                )
    for mode in ("binary", "structured", "batch"):
        yield f"cloudevents-js/{mode}", partial(drive.javascript, client=f"events:{mode}")
        yield f"cloudevents-python/{mode}", partial(drive.python_events, mode=mode)
    for signal in ("traces", "logs"):
        yield f"telemetrygen/{signal}", partial(drive.telemetrygen, signal=signal)
    chunked = ("-H", "transfer-encoding: chunked")
    yield "curl/traces-json", lambda url: drive.curl(url, "/v1/traces", otlp.JSON, otlp.traces())
    yield "curl/traces-chunked", lambda url: drive.curl(url, "/v1/traces", otlp.JSON, otlp.traces(), *chunked)


def main() -> None:
    """Run every client once and keep what it sent."""
    with _recording() as (url, kept):
        for name, send in _clients():
            kept.clear()
            send(url)
            assert kept, name
            for number, request in enumerate(kept, 1):
                file = HERE / (f"{name}.http" if len(kept) == 1 else f"{name}-{number}.http")
                file.parent.mkdir(exist_ok=True)
                file.write_bytes(request)


if __name__ == "__main__":
    main()
