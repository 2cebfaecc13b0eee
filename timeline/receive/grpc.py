"""OTLP over gRPC: the same judging, accepting and answering as over HTTP, on a port of its own.

Messages are taken as bytes and go the way of an HTTP body, so nothing is parsed twice. A message is
read from its connection only when a thread is free for it: the pool bounds memory.
"""

from __future__ import annotations

import ipaddress
import logging
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
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
    413: grpc.StatusCode.INVALID_ARGUMENT,  # RESOURCE_EXHAUSTED would have it sent again
    415: grpc.StatusCode.INVALID_ARGUMENT,
    503: grpc.StatusCode.UNAVAILABLE,
}
_THREADS: Final = 4  # messages in memory at once
_GRACE: Final = 5.0  # s for what is under way when the receiver stops
_AGAIN: Final = 0.5  # s between tries to get the port


class Grpc:
    """A server for one receiver."""

    def __init__(self, receiver: Receiver, *, host: str, port: int) -> None:
        self._receiver, self._address = receiver, f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        self._server: grpc.Server | None = None
        self._stopping = threading.Event()
        self._opening = threading.Thread(target=self._open, name="grpc door", daemon=True)

    def start(self) -> None:
        """Listen as soon as the port is free: a receiver that was killed may hold it for a moment longer."""
        self._opening.start()

    def stop(self) -> None:
        """Take nothing more, and wait for what is under way."""
        self._stopping.set()
        self._opening.join()
        if self._server is not None:
            self._server.stop(_GRACE).wait()

    def _open(self) -> None:
        told = False
        while not self._stopping.is_set():
            server = self._made()
            try:
                server.add_insecure_port(self._address)
            except RuntimeError:
                if not told:
                    log.warning(
                        "gRPC waits for %s: it is taken, or no address of this machine", self._address
                    )
                    told = True
                self._stopping.wait(_AGAIN)
                continue
            server.start()
            self._server = server
            return

    def _made(self) -> grpc.Server:
        server = grpc.server(
            ThreadPoolExecutor(_THREADS, thread_name_prefix="grpc"),
            handlers=(_Handlers(self._receiver),),
            options=(
                ("grpc.so_reuseport", 0),
                ("grpc.max_receive_message_length", self._receiver.limits.body),
                ("grpc.max_metadata_size", 16 << 10),
                ("grpc.keepalive_time_ms", 60_000),
                ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
                ("grpc.max_connection_idle_ms", 600_000),
            ),
        )
        probes = health.HealthServicer()
        for name in ("", *_SERVICES):
            probes.set(name, health_pb2.HealthCheckResponse.SERVING)
        health_pb2_grpc.add_HealthServicer_to_server(probes, server)
        return server


class _Handlers(grpc.GenericRpcHandler):  # type: ignore[misc]
    """``Export`` of each OTLP service, on bytes."""

    def __init__(self, receiver: Receiver) -> None:
        self._by_method = {
            f"/{service}/Export": grpc.unary_unary_rpc_method_handler(_exporting(receiver, path))
            for service, path in _SERVICES.items()
        }

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler | None:
        """The handler of a method; ``None`` is UNIMPLEMENTED."""
        return self._by_method.get(handler_call_details.method)


def _exporting(receiver: Receiver, path: str) -> Callable[[bytes, grpc.ServicerContext], bytes]:
    def export(body: bytes, context: grpc.ServicerContext) -> bytes:
        request = _request(path, context)
        sender: Sender | None = None
        try:
            route = receiver.route(request)
            sender = _sender(receiver, request)
            if isinstance(route, Route):
                return receiver.take(route, request, sender, body).body
            raise Refused(500, "a fault of the receiver")
        except Refused as problem:
            receiver.refuse(request, problem, sender, body)
            _abort(context, problem)
        except Exception:
            log.exception("%s over gRPC failed", path)
            _abort(context, answers.unavailable("a fault of the receiver; it is logged"))
        raise AssertionError("an aborted call goes on")

    return export


def _request(path: str, context: grpc.ServicerContext) -> Request:
    """The call as if it had come over HTTP, its message already inflated."""
    sent = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
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


def _sender(receiver: Receiver, request: Request) -> Sender:
    secret = secret_of(request.headers)
    if not secret:
        return receiver.gate.keyless(request)
    known = receiver.keys.remembered(secret)
    try:
        found = known[0] if known is not None else receiver.keys.ask(secret)
    except Unavailable as error:
        raise answers.refused(error) from error
    if found is None:
        raise unknown_key(secret)
    return found


def _abort(context: grpc.ServicerContext, problem: Refused) -> Any:
    """End the call as OTLP 1.11 has it ("OTLP/gRPC Throttling"): what may be sent again says when."""
    code = _CODES.get(problem.status, grpc.StatusCode.INTERNAL)
    if code is grpc.StatusCode.UNAVAILABLE:
        status = Status(code=code.value[0], message=problem.message)
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=1)))
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    context.abort(code, problem.message)
