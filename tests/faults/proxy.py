"""A proxy in front of Elasticsearch that can be slow, cut answers, refuse, fall silent, or answer itself.

Whatever it does not answer itself is real traffic to the real node. One thread serves one connection, one
request after the other, as the HTTP/1.1 of both sides has it.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson

from tests.ports import free_port

Line = tuple[dict[str, Any], bytes]  # the action of a bulk and its document
_RESET = struct.pack("ii", 1, 0)  # close with a reset, as a node does that dies


@dataclass(frozen=True)
class Request:
    """One HTTP request of the client."""

    method: str
    path: str  # without the query
    query: str
    head: bytes  # its headers, the first line included, the last empty line not
    body: bytes

    @property
    def bulk(self) -> bool:
        """Whether it writes facts."""
        return self.path.endswith("/_bulk")

    @property
    def search(self) -> bool:
        """Whether it asks for facts."""
        return self.path.endswith(("/_search", "/_msearch"))

    def lines(self) -> list[Line]:
        """The items of a bulk."""
        rows = self.body.splitlines(keepends=True)
        pairs = zip(rows[::2], rows[1::2], strict=True)
        return [(orjson.loads(action)["create"], action + document) for action, document in pairs]

    def with_body(self, body: bytes) -> bytes:
        """The bytes of this request with another body."""
        kept = [line for line in self.head.split(b"\r\n") if not line.lower().startswith(b"content-length")]
        return b"\r\n".join([*kept, b"content-length: %d" % len(body), b"", body])


class Exchange:
    """One request on its way: what a fault may do with it."""

    def __init__(self, proxy: Proxy, request: Request, node: socket.socket) -> None:
        self.proxy, self.request, self.node = proxy, request, node

    def forward(self, body: bytes | None = None) -> tuple[bytes, bytes]:
        """The real node's answer to the request, with another ``body`` if given: headers and body."""
        self.node.sendall(self.request.with_body(self.request.body if body is None else body))
        return read_message(_Stream(self.node))

    def json(self, body: bytes | None = None) -> Any:
        """The real node's answer as Python values."""
        return orjson.loads(self.forward(body)[1])

    def wait(self, seconds: float) -> None:
        """Let time pass, or less of it where the fault is healed meanwhile."""
        self.proxy.healed.wait(seconds)


class Cut(bytes):
    """The start of an answer; the connection is reset after it."""


# what to send back; ``None`` closes the connection with a reset
Fault = Callable[[Exchange], "bytes | None"]


def answer(status: int, body: Any) -> bytes:
    """An answer as Elasticsearch writes it."""
    data = orjson.dumps(body)
    head = (
        f"HTTP/1.1 {status} Replaced\r\nX-elastic-product: Elasticsearch\r\n"
        f"content-type: application/json\r\ncontent-length: {len(data)}\r\n\r\n"
    )
    return head.encode() + data


def failure(status: int, kind: str, reason: str) -> dict[str, Any]:
    """The body of a whole request's refusal."""
    cause = {"type": kind, "reason": reason}
    return {"error": {"root_cause": [cause], **cause}, "status": status}


class _Stream:
    """Reads a socket up to a mark or a length."""

    def __init__(self, line: socket.socket) -> None:
        self._line, self._rest = line, b""

    def _more(self) -> None:
        data = self._line.recv(1 << 16)
        if not data:
            raise ConnectionError("the other side closed")
        self._rest += data

    def until(self, mark: bytes) -> bytes:
        """Everything before the mark, which is dropped."""
        while mark not in self._rest:
            self._more()
        found, _, self._rest = self._rest.partition(mark)
        return found

    def exactly(self, size: int) -> bytes:
        """So many bytes."""
        parts = [self._rest]
        have = len(self._rest)
        while have < size:
            data = self._line.recv(1 << 18)
            if not data:
                raise ConnectionError("the other side closed")
            parts.append(data)
            have += len(data)
        whole = b"".join(parts)
        self._rest = whole[size:]
        return whole[:size]


def read_message(stream: _Stream) -> tuple[bytes, bytes]:
    """Headers and body of one HTTP message; a chunked body is put together, and its header says so."""
    head = stream.until(b"\r\n\r\n")
    fields = {}
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        fields[name.strip().lower()] = value.strip()
    if fields.get(b"transfer-encoding", b"").lower() == b"chunked":
        parts = []
        while size := int(stream.until(b"\r\n").partition(b";")[0], 16):
            parts.append(stream.exactly(size + 2)[:-2])
        stream.exactly(2)
        body = b"".join(parts)
        kept = [line for line in head.split(b"\r\n") if not line.lower().startswith(b"transfer-encoding")]
        return b"\r\n".join([*kept, b"content-length: %d" % len(body)]), body
    return head, stream.exactly(int(fields.get(b"content-length", b"0")))


@dataclass
class Seen:
    """What passed, for the tests to look at."""

    bulks: int = 0  # requests that write facts
    items: int = 0  # facts in them
    searches: int = 0
    faults: int = 0  # requests that met the fault
    cuts: int = 0


class Proxy:
    """Listens on ``port`` and talks to the node on ``behind``."""

    def __init__(self, behind: int) -> None:
        self.behind, self.port = behind, free_port()
        self.seen = Seen()
        self.healed = threading.Event()
        self.bulk_came = threading.Event()
        self._fault: Fault | None = None
        self._lock = threading.Lock()
        self._open: set[socket.socket] = set()
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        """Take connections, again after ``refuse``."""
        if self._listener is None:
            listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
            self._listener = listener
            threading.Thread(target=self._accept, args=(listener,), daemon=True).start()

    def refuse(self) -> None:
        """Be away: connections are reset and none is taken until ``heal``."""
        listener, self._listener = self._listener, None
        if listener is not None:
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()
        self.drop()

    def drop(self) -> None:
        """Reset every open connection."""
        with self._lock:
            lines, self._open = self._open, set()
        for line in lines:
            _reset(line)

    def fault(self, fault: Fault) -> None:
        """Put every request through ``fault`` from now on."""
        self.healed.clear()
        self._fault = fault

    def heal(self) -> None:
        """Pass everything on as it is; what a fault holds back is let go."""
        self._fault = None
        self.healed.set()
        self.listen()

    def close(self) -> None:
        """Let go of every socket."""
        self.heal()
        self.refuse()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                line, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(line,), daemon=True).start()

    def _serve(self, line: socket.socket) -> None:
        with self._lock:
            self._open.add(line)
        stream, node = _Stream(line), None
        try:
            while True:
                head, body = read_message(stream)
                if node is None:
                    node = socket.create_connection(("127.0.0.1", self.behind), 10)
                    node.settimeout(120)
                reply = self._answer(Exchange(self, self._read(head, body), node))
                if reply is None:
                    return
                line.sendall(reply)
                if isinstance(reply, Cut):
                    self.seen.cuts += 1
                    return
        except (OSError, ValueError):
            pass  # one side went away, which is the point
        finally:
            _reset(line)
            with self._lock:
                self._open.discard(line)
            if node is not None:
                node.close()

    def _read(self, head: bytes, body: bytes) -> Request:
        method, target, _ = head.partition(b"\r\n")[0].decode().split(" ", 2)
        path, _, query = target.partition("?")
        request = Request(method, path, query, head, body)
        with self._lock:
            if request.bulk:
                self.seen.bulks += 1
                self.seen.items += body.count(b"\n") // 2
                self.bulk_came.set()
            self.seen.searches += request.search
        return request

    def _answer(self, exchange: Exchange) -> bytes | None:
        fault = self._fault
        if fault is None:
            return b"\r\n\r\n".join(exchange.forward())
        with self._lock:
            self.seen.faults += 1
        return fault(exchange)


def _reset(line: socket.socket) -> None:
    with contextlib.suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        line.shutdown(socket.SHUT_RDWR)
    line.close()
