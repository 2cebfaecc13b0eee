"""OTLP over gRPC: real clients, health, keys, limits, and what each failure is answered with."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from grpc_health.v1 import health_pb2, health_pb2_grpc
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from tests.receiving import Running, wait_for
from tests.timeline.receive import otlp
from timeline.ingest.decode import decode
from timeline.ingest.entities import Rules

pytestmark = pytest.mark.server
TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
LOGS = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"
METRICS = "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export"


@pytest.fixture
def channel(running: Running) -> Iterator[grpc.Channel]:
    """A connection to the door."""
    with grpc.insecure_channel(f"127.0.0.1:{running.grpc_port}") as channel:
        yield channel


def _send(channel: grpc.Channel, body: bytes, method: str = TRACES, **options: object) -> bytes:
    return channel.unary_unary(method)(body, timeout=30, wait_for_ready=True, **options)  # type: ignore[no-any-return]


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_spans_of_the_python_exporter_arrive_whole(running: Running, compression: grpc.Compression) -> None:
    exporter = OTLPSpanExporter(
        endpoint=f"127.0.0.1:{running.grpc_port}", insecure=True, compression=compression
    )
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    with provider.get_tracer("t").start_as_current_span("order", attributes={"order.id": "7", "n": 3}):
        pass
    provider.shutdown()
    (request,) = running.accepted()
    (stored,) = decode(request, Rules.default()).facts
    assert ("order", "shop", "7", 3) == (
        stored.fact.name, stored.fact.service, stored.fact.attributes["order.id"], stored.fact.attributes["n"],
    )  # fmt: skip


def test_log_records_arrive(running: Running, channel: grpc.Channel) -> None:
    assert b"" == _send(channel, otlp.logs_protobuf(), LOGS)
    (request,) = running.accepted()
    assert ("logs", 1) == (request.signal, request.items)


def test_metrics_are_taken_and_discarded(channel: grpc.Channel) -> None:
    assert b"" == _send(channel, b"", METRICS)


def test_a_bad_span_is_refused_and_its_neighbour_kept(running: Running, channel: grpc.Channel) -> None:
    good, bad = otlp.traces_protobuf(), otlp.traces_protobuf(trace_id=b"short")
    answer = ExportTraceServiceResponse.FromString(_send(channel, good + bad))
    assert 1 == answer.partial_success.rejected_spans
    assert "bad_trace_id" in answer.partial_success.error_message
    (request,) = running.accepted()
    assert 1 == request.items


def _failure(channel: grpc.Channel, body: bytes, **options: object) -> grpc.RpcError:
    with pytest.raises(grpc.RpcError) as caught:
        _send(channel, body, **options)
    return caught.value


def test_what_is_no_message_is_not_sent_again(running: Running, channel: grpc.Channel) -> None:
    error = _failure(channel, b"\xff\xff\xff")
    assert grpc.StatusCode.INVALID_ARGUMENT == error.code()
    assert "not protobuf" in error.details()
    wait_for(lambda: ("refused", "malformed") in running.tally(), "the refusal's count")


def test_a_message_beyond_the_limit_is_refused_and_counted(running: Running, channel: grpc.Channel) -> None:
    error = _failure(channel, bytes((64 << 20) + 1))
    assert grpc.StatusCode.INVALID_ARGUMENT == error.code()  # it is not to be sent again
    assert "send smaller batches" in error.details()
    wait_for(lambda: ("refused", "too_large") in running.tally(), "the refusal's count")


def test_a_bomb_is_cut_off(channel: grpc.Channel) -> None:
    error = _failure(channel, bytes(1 << 28), compression=grpc.Compression.Gzip)
    assert grpc.StatusCode.RESOURCE_EXHAUSTED == error.code()


def test_calls_that_stall_do_not_close_the_door(running: Running, channel: grpc.Channel) -> None:
    never = threading.Event()

    def silence() -> Iterator[bytes]:
        never.wait()
        yield b""

    stalled = [
        channel.stream_unary(TRACES).future(silence(), timeout=60, wait_for_ready=True) for _ in range(8)
    ]
    try:
        assert b"" == _send(channel, otlp.traces_protobuf())
        assert 1 == len(running.accepted())
    finally:
        never.set()
        for call in stalled:
            call.cancel()


def test_a_key_that_is_unknown_is_said_so(channel: grpc.Channel) -> None:
    error = _failure(channel, otlp.traces_protobuf(), metadata=(("authorization", "Bearer tl_ingest_none"),))
    assert grpc.StatusCode.UNAUTHENTICATED == error.code()
    assert "token create --ingest" in error.details()


def test_what_was_forwarded_needs_a_key(channel: grpc.Channel) -> None:
    error = _failure(channel, otlp.traces_protobuf(), metadata=(("x-forwarded-for", "10.0.0.1"),))
    assert grpc.StatusCode.UNAUTHENTICATED == error.code()


def test_an_unknown_method_is_unimplemented(channel: grpc.Channel) -> None:
    error = _failure(channel, b"", method="/opentelemetry.proto.collector.trace.v1.TraceService/Import")
    assert grpc.StatusCode.UNIMPLEMENTED == error.code()


def test_health_is_told_and_reflection_is_off(channel: grpc.Channel) -> None:
    health = health_pb2_grpc.HealthStub(channel)
    for service in ("", "opentelemetry.proto.collector.trace.v1.TraceService"):
        answer = health.Check(health_pb2.HealthCheckRequest(service=service), timeout=30, wait_for_ready=True)
        assert health_pb2.HealthCheckResponse.SERVING == answer.status
    error = _failure(channel, b"", method="/grpc.reflection.v1.ServerReflection/ServerReflectionInfo")
    assert grpc.StatusCode.UNIMPLEMENTED == error.code()


def _refused_at_last(channel: grpc.Channel) -> grpc.RpcError:
    """The first failure; the inbox's size is read four times a second."""
    found: list[grpc.RpcError] = []

    def refused() -> bool:
        try:
            _send(channel, otlp.traces_protobuf())
        except grpc.RpcError as error:
            found.append(error)
        return bool(found)

    wait_for(refused, "a refusal")
    return found[0]


def test_a_full_inbox_asks_to_be_tried_again_in_a_second(tmp_path_factory: pytest.TempPathFactory) -> None:
    full = Running(tmp_path_factory.mktemp("full"), THROUGHLINE_INBOX_MAX_MIB="16")
    try:
        with grpc.insecure_channel(f"127.0.0.1:{full.grpc_port}") as channel:
            for _ in range(2):
                _send(channel, otlp.traces_protobuf(20_000, name="x" * 500))
            error = _refused_at_last(channel)
            assert grpc.StatusCode.UNAVAILABLE == error.code()
            status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
            retry = RetryInfo()
            assert status.details[0].Unpack(retry)
            assert 1 == retry.retry_delay.seconds
    finally:
        full.stop()


def test_a_sender_over_its_quota_is_told_when_to_come_back(tmp_path_factory: pytest.TempPathFactory) -> None:
    small = Running(tmp_path_factory.mktemp("small"), THROUGHLINE_QUOTA_ITEMS="1")
    try:
        with grpc.insecure_channel(f"127.0.0.1:{small.grpc_port}") as channel:
            _send(channel, otlp.traces_protobuf(1000))
            error = _failure(channel, otlp.traces_protobuf())
            assert grpc.StatusCode.RESOURCE_EXHAUSTED == error.code()
            status = Status.FromString(dict(error.trailing_metadata())["grpc-status-details-bin"])
            retry = RetryInfo()
            assert status.details[0].Unpack(retry)
            assert (8, 5) == (status.code, retry.retry_delay.seconds)
            wait_for(lambda: small.tally().get(("refused", "quota")) == 1, "the refusal's count")
    finally:
        small.stop()


def test_a_door_whose_port_is_held_opens_when_it_is_free(tmp_path_factory: pytest.TempPathFactory) -> None:
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    holder.listen()
    port = holder.getsockname()[1]
    waiting = Running(tmp_path_factory.mktemp("held"), THROUGHLINE_GRPC_PORT=str(port))
    try:
        wait_for(lambda: "gRPC waits for" in waiting.log.read_text(), "a door that waits")
        holder.close()
        with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
            assert b"" == _send(channel, otlp.traces_protobuf())
    finally:
        waiting.stop()
