"""OTLP over gRPC: the same judging, accepting and answering as over HTTP, on a port of its own.

Messages are taken as bytes and go the way of an HTTP body, so nothing is parsed twice. Who sends is
judged before a message is read, and a message is read under a clock and only where there is room for it:
a sender that stalls costs a coroutine and, for a while, one of the places to read at.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import logging
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Final

import grpc
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

from timeline.errors import Unavailable
from timeline.receive import answers
from timeline.receive.access import Sender, secret_of, unknown_key
from timeline.receive.answers import Refused, Request
from timeline.receive.receiver import Receiver, Route

log = logging.getLogger(__name__)
_SERVICES: Final = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "/v1/traces",
    "opentelemetry.proto.collector.logs.v1.LogsService": "/v1/logs",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "/v1/metrics",
}
_CODES: Final = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    413: grpc.StatusCode.INVALID_ARGUMENT,  # as large as it is, it is not to be sent again
    415: grpc.StatusCode.INVALID_ARGUMENT,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
_AGAIN_LATER: Final = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED)
_READING: Final = 16  # messages read, or in memory, at once
_WHOLE: Final = 20.0  # s for a message to come in
_THREADS: Final = 4  # messages judged and committed at once
_GRACE: Final = 5.0  # s for what is under way when the receiver stops
_AGAIN: Final = 0.5  # s between tries to get the port


class Grpc:
    """A server for one receiver, on an event loop of its own."""

    def __init__(self, receiver: Receiver, *, host: str, port: int, whole: float = _WHOLE) -> None:
        self._receiver, self._address = receiver, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._whole = whole
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="grpc door", daemon=True)

    def start(self) -> None:
        """Listen as soon as the port is free: a receiver that was killed may hold it for a moment longer."""
        self._thread.start()

    def stop(self) -> None:
        """Take nothing more, and wait for what is under way."""
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join(2 * _GRACE)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        told = False
        while not self._stopping.is_set():
            server = await self._made()
            try:
                server.add_insecure_port(self._address)
            except RuntimeError:
                if not told:
                    log.warning(
                        "gRPC waits for %s: it is taken, or no address of this machine", self._address
                    )
                    told = True
                await self._pause()
                continue
            await server.start()
            await self._stopping.wait()
            await server.stop(_GRACE)

    async def _pause(self) -> None:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), _AGAIN)

    async def _made(self) -> grpc.aio.Server:
        server = grpc.aio.server(
            handlers=(_Handlers(self._receiver, self._whole),),
            options=(
                ("grpc.so_reuseport", 0),
                # what is beyond our own limit is judged, counted and told by us; only the absurd is cut off below
                ("grpc.max_receive_message_length", 2 * self._receiver.limits.body),
                ("grpc.max_metadata_size", 16 << 10),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.max_connection_idle_ms", 600_000),
            ),
        )
        probes = health.aio.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(probes, server)
        for name in ("", *_SERVICES):
            await probes.set(name, health_pb2.HealthCheckResponse.SERVING)
        return server


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """``Export`` of each OTLP service, on bytes. It is read as a stream of one message, which is the same on
    the wire, because a stream lets us decide when to read."""

    def __init__(self, receiver: Receiver, whole: float) -> None:
        self._receiver, self._whole = receiver, whole
        self._reading = asyncio.Semaphore(_READING)
        self._pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc take")
        self._lookups = ThreadPoolExecutor(2, thread_name_prefix="grpc keys")
        self._by_method = {
            f"/{service}/Export": grpc.stream_unary_rpc_method_handler(self._exporting(path))
            for service, path in _SERVICES.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of a method; ``None`` is UNIMPLEMENTED."""
        return self._by_method.get(handler_call_details.method)

    def _exporting(self, path: str) -> Callable[[Any, grpc.aio.ServicerContext], Awaitable[bytes]]:
        async def export(messages: Any, context: grpc.aio.ServicerContext) -> bytes:
            began, status = perf_counter(), 200
            request = _request(path, context)
            sender: Sender | None = None
            body = b""
            try:
                route = self._receiver.route(request)
                assert isinstance(route, Route)  # noqa: S101 - what a POST to these is
                sender = await self._sender(request)
                self._receiver.admit(route, sender)
                async with self._reading:
                    body = await self._read(context)
                    return await self._take(route, request, sender, body)
            except Refused as problem:
                status = problem.status
                self._receiver.refuse(request, problem, sender, body)
                return await _abort(context, problem)
            except Exception:
                status = 503
                log.exception("%s over gRPC failed", path)
                return await _abort(context, answers.unavailable("a fault of the receiver; it is logged"))
            finally:
                self._receiver.told(request, "grpc", status, len(body), perf_counter() - began)

        return export

    async def _read(self, context: grpc.aio.ServicerContext) -> bytes:
        try:
            body = await asyncio.wait_for(context.read(), self._whole)
        except TimeoutError:
            raise Refused(
                400, f"no whole message came within {self._whole:.0f} s", reason="stalled"
            ) from None
        if not isinstance(body, bytes):
            raise Refused(400, "the call has no message", reason="malformed")
        limit = self._receiver.limits.body
        if len(body) > limit:
            raise Refused(
                413, f"the message is larger than {limit} bytes; send smaller batches", reason="too_large"
            )
        return body

    async def _take(self, route: Route, request: Request, sender: Sender, body: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        answer = await loop.run_in_executor(self._pool, self._receiver.take, route, request, sender, body)
        return answer.body

    async def _sender(self, request: Request) -> Sender:
        secret = secret_of(request.headers)
        if not secret:
            return self._receiver.gate.keyless(request)
        known = self._receiver.keys.remembered(secret)
        try:
            found = (
                known[0]
                if known is not None
                else await asyncio.get_running_loop().run_in_executor(
                    self._lookups, self._receiver.keys.ask, secret
                )
            )
        except Unavailable as error:
            raise answers.refused(error) from error
        if found is None:
            raise unknown_key(secret)
        return found


def _request(path: str, context: grpc.aio.ServicerContext) -> Request:
    """The call as if it had come over HTTP, its message already inflated."""
    sent = {key: value for key, value in context.invocation_metadata() or () if isinstance(value, str)}
    headers = {**sent, "content-type": answers.PROTOBUF}
    headers.pop("content-encoding", None)
    return Request(method="POST", path=path, headers=headers, peer=_peer(context.peer()))


def _peer(written: str) -> str:
    """The address in ``ipv4:127.0.0.1:4711`` or ``ipv6:%5B::1%5D:4711``; empty where there is none."""
    _, _, rest = written.partition(":")
    text = rest.rpartition(":")[0].replace("%5B", "").replace("%5D", "").strip("[]").partition("%25")[0]
    try:
        return str(ipaddress.ip_address(text))
    except ValueError:
        return ""


async def _abort(context: grpc.aio.ServicerContext, problem: Refused) -> bytes:
    """End the call as OTLP 1.11 has it ("OTLP/gRPC Throttling"): what may be sent again says when."""
    code = _CODES.get(problem.status, grpc.StatusCode.INTERNAL)
    trailing: tuple[tuple[str, bytes], ...] = ()
    if code in _AGAIN_LATER:
        status = Status(code=code.value[0], message=problem.message)
        seconds = int(dict(problem.headers).get("retry-after", "1"))
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=seconds)))
        trailing = (("grpc-status-details-bin", status.SerializeToString()),)
    await context.abort(code, problem.message, trailing)
    raise AssertionError("an aborted call goes on")
