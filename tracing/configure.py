"""One call that makes a service send its spans: provider, resource, batch export, flush when it ends.

from tracing.configure import configure
configure("wallet", version="2.14.0", environment="prod", endpoint="http://127.0.0.1:4318")

Beside an OpenTelemetry setup that is there already the same call adds to it and changes nothing of it.
"""

from __future__ import annotations

import atexit
import multiprocessing.util
import os
import signal
import socket
import threading
import weakref
from collections.abc import Mapping
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider

from tracing import handover, semconv
from tracing.entities import EntityProcessor
from tracing.export import batches
from tracing.guard import guarded

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
TERM_SECONDS = 5.0  # at most this long a process that ends waits for the last spans to leave


def configure(
    service: str = "",
    *,
    version: str = "",
    instance: str = "",
    environment: str = "",
    endpoint: str = "",
    headers: Mapping[str, str] | None = None,
    provider: TracerProvider | None = None,
    set_global: bool = True,
    on_sigterm: bool = True,
) -> TracerProvider:
    """A provider that exports in batches over OTLP/HTTP and flushes when the process ends.

    What is not given comes from OpenTelemetry's own variables (``OTEL_SERVICE_NAME``,
    ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_EXPORTER_OTLP_ENDPOINT`` and ``_HEADERS``). ``endpoint``
    is the base address, without ``/v1/traces``. ``headers`` carries the ingest key as ``Authorization``.

    Where ``provider`` is given, or ``set_global`` and the process has an SDK provider already, that one is
    kept, with its resource and exporters: it learns about entities and, where ``endpoint`` is given, sends
    there too. Calling twice adds nothing.

    Spans are sent on a thread of its own; a receiver that is away costs spans, never an exception.
    They are flushed at exit, when a ``multiprocessing`` child ends and, with ``on_sigterm``, before a
    SIGTERM that nobody handles ends the process (main thread only). Each takes at most 5 s longer.
    """
    existing = provider or (trace.get_tracer_provider() if set_global else None)
    if isinstance(existing, TracerProvider):
        if existing not in _known:
            _known.add(existing)
            existing.add_span_processor(EntityProcessor())
            if endpoint:
                existing.add_span_processor(batches(f"{endpoint.rstrip('/')}/v1/traces", headers))
            _flush_at_the_end(on_sigterm)
        return existing
    made = TracerProvider(resource=_resource(service, version, instance, environment), shutdown_on_exit=False)
    _known.add(made)
    made.add_span_processor(EntityProcessor())
    made.add_span_processor(batches(_traces(endpoint), headers))
    if set_global:
        trace.set_tracer_provider(made)
    atexit.register(_end, weakref.ref(made))
    _flush_at_the_end(on_sigterm)
    return made


def flush() -> None:
    """Send everything that has ended; open automatic handlings end first. Never raises.

    For a worker that is about to be recycled without Python's exit handlers.
    """
    with guarded("flush"):
        handover.finish_all()
    for provider in list(_known):
        with guarded("flush"):
            provider.force_flush()


def flush_in_time() -> None:
    """As ``flush``, but gives up waiting after 5 s: a receiver that is away must not hold up an exit."""
    # on a thread: what has been interrupted may hold the very lock that flushing needs
    flushing = threading.Thread(target=flush, daemon=True)
    flushing.start()
    flushing.join(TERM_SECONDS)


def _resource(service: str, version: str, instance: str, environment: str) -> Resource:
    given = instance or semconv.SERVICE_INSTANCE_ID in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    named = {
        semconv.SERVICE_NAME: service,
        semconv.SERVICE_VERSION: version,
        semconv.SERVICE_INSTANCE_ID: instance if given else f"{socket.gethostname()}-{os.getpid()}",
        semconv.DEPLOYMENT_ENVIRONMENT_NAME: environment,
    }
    return Resource.create({key: value for key, value in named.items() if value})


def _traces(endpoint: str) -> str:
    """The address of the traces; empty where the exporter is to read the variables itself."""
    if not endpoint and (
        os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
    ):
        return ""
    return f"{(endpoint or DEFAULT_ENDPOINT).rstrip('/')}/v1/traces"


def _end(made: weakref.ref[TracerProvider]) -> None:
    with guarded("flush"):
        handover.finish_all()
        if (provider := made()) is not None:
            provider.shutdown()


def _flush_at_the_end(on_sigterm: bool) -> None:
    # a child of multiprocessing leaves by os._exit: exit handlers do not run, its finalizers do
    multiprocessing.util.register_after_fork(_known, _in_child)
    if on_sigterm and threading.current_thread() is threading.main_thread():
        with guarded("sigterm"):
            if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
                signal.signal(signal.SIGTERM, _terminated)


def _in_child(_: object) -> None:
    multiprocessing.util.Finalize(None, flush_in_time, exitpriority=0)


def _terminated(number: int, _: Any) -> None:
    flush_in_time()
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)


_known: weakref.WeakSet[TracerProvider] = weakref.WeakSet()
