"""The receiver on granian: an RSGI application.

Bodies are read cooperatively and can be abandoned, so a sender that stalls costs a
coroutine, never a thread, and its connection ends with its answer. Judging and waiting for
the disk happen in a bounded pool.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Final, Protocol

from timeline.errors import Unavailable
from timeline.receive import answers
from timeline.receive.access import STALE, Sender, secret_of, unknown_key
from timeline.receive.answers import Answer, Refused, Request
from timeline.receive.body import STALL, WHOLE, Bodies, Exchange
from timeline.receive.receiver import Receiver, Route

log = logging.getLogger(__name__)
_WAITING: Final = 1024  # requests that may wait for the pool
_LOOKUP: Final = 3.0  # seconds to look up a key before an older verdict serves
_KEY_LENGTH: Final = 200


class Headers(Protocol):
    """Granian's header map, as far as it is used here."""

    def items(self) -> list[tuple[str, str]]:
        """Every pair, repeated names repeated; values that are not ASCII are left out."""

    def __iter__(self) -> Iterator[str]:
        """Every name once."""

    def __len__(self) -> int:
        """How many names."""


class Scope(Protocol):
    """An RSGI scope, as far as it is used here."""

    method: str
    path: str
    client: str
    headers: Headers


class Door(Protocol):
    """Another way into the same receiver, open as long as this one."""

    def start(self) -> None:
        """Begin to take requests."""

    def stop(self) -> None:
        """Take no more, and end what is under way."""


class Application:
    """What granian serves; one per process."""

    def __init__(
        self,
        receiver: Receiver,
        *,
        threads: int,
        beside: Sequence[Door] = (),
        stall: float = STALL,
        whole: float = WHOLE,
    ) -> None:
        self._beside = beside
        self._receiver = receiver
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix="take")
        self._lookups = ThreadPoolExecutor(4, thread_name_prefix="keys")
        self._bodies = Bodies(limit=receiver.limits.body, stall=stall, whole=whole)
        self._waiting = 0

    def __rsgi_init__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by granian before the first request."""
        self._receiver.start()
        for door in self._beside:
            door.start()

    def __rsgi_del__(self, loop: asyncio.AbstractEventLoop) -> None:
        """Called by granian after the last."""
        for door in self._beside:
            door.stop()
        self._receiver.stop()

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request, whatever it is."""
        began = perf_counter()
        request, doubtful = _request(scope)
        sender: Sender | None = None
        body: bytes | None = None
        reading = False
        try:
            found = self._receiver.route(request)
            if isinstance(found, Route) and found.signal is not None:
                if request.path == "/v1/events":
                    _refuse_doubtful(doubtful)
                sender = await self._sender(request)
                self._receiver.admit(found, sender)
                reading = True
                body = await self._bodies.read(exchange, request.headers)
                answer = await self._run(self._receiver.take, found, request, sender, body)
            else:
                answer = found if isinstance(found, Answer) else await self._run(self._receiver.ready)
        except Refused as problem:
            if not reading:
                await self._bodies.discard(exchange, request.headers)
            answer = self._receiver.refuse(request, problem, sender, body or b"")
        except Exception:
            log.exception("%s %s failed", request.method, request.path)
            answer = self._receiver.refuse(
                request, answers.unavailable("a fault of the receiver; it is logged"), sender, b""
            )
        finally:
            self._bodies.free(len(body or b""))
        headers = [*answer.headers, *self._receiver.gate.cors(request)]
        exchange.response_bytes(answer.status, headers, answer.body)
        self._receiver.told(request, "http", answer.status, len(body or b""), perf_counter() - began)

    async def _sender(self, request: Request) -> Sender:
        secret = secret_of(request.headers)
        if not secret:
            return self._receiver.gate.keyless(request)
        if len(secret) > _KEY_LENGTH:
            raise unknown_key(secret)
        keys = self._receiver.keys
        known = keys.remembered(secret)
        if known is None:
            loop = asyncio.get_running_loop()
            try:
                asked = loop.run_in_executor(self._lookups, keys.ask, secret)
                known = (await asyncio.wait_for(asked, _LOOKUP),)
            except TimeoutError:
                known = keys.remembered(secret, STALE)
            except Unavailable as error:
                raise answers.refused(error) from error
        if known is None:
            raise answers.unavailable("keys cannot be looked up now")
        if known[0] is None:
            raise unknown_key(secret)
        return known[0]

    async def _run(self, work: Callable[..., Answer], *arguments: Any) -> Answer:
        if self._waiting >= _WAITING:
            raise answers.unavailable("too many requests wait")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, work, *arguments)
        finally:
            self._waiting -= 1


def _request(scope: Scope) -> tuple[Request, list[str]]:
    """The request, and the headers whose value is doubtful: repeated, or not ASCII."""
    pairs = scope.headers.items()
    headers = dict(pairs)
    doubtful: list[str] = []
    if len(headers) != len(pairs):
        headers = {}
        for name, value in pairs:
            if name in headers:
                doubtful.append(name)
                value = f"{headers[name]},{value}"
            headers[name] = value
    if len(headers) != len(scope.headers):
        unreadable = [name for name in scope.headers if name not in headers]
        doubtful += unreadable
        headers |= dict.fromkeys(unreadable, "")
    peer = scope.client.rpartition(":")[0].strip("[]")
    return Request(method=scope.method, path=scope.path, headers=headers, peer=peer), doubtful


def _refuse_doubtful(names: list[str]) -> None:
    for name in names:
        if name.startswith("ce-"):
            raise Refused(
                400,
                f"the header {name[:60]} is repeated or not ASCII; send it once, percent-encoded"
                " (CloudEvents HTTP binding, section 3.1.3.2)",
                reason="bad_header",
            )
