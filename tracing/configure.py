"""One call that makes a service send its spans: provider, resource, batch export, flush at exit.

from tracing.configure import configure
configure("wallet", version="2.14.0", environment="prod", endpoint="http://127.0.0.1:4318")
"""

from __future__ import annotations

import os
import socket
from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter

from tracing import semconv
from tracing.entities import EntityProcessor

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"


def configure(
    service: str = "",
    *,
    version: str = "",
    instance: str = "",
    environment: str = "",
    endpoint: str = "",
    headers: Mapping[str, str] | None = None,
    set_global: bool = True,
) -> TracerProvider:
    """A provider that exports in batches over OTLP/HTTP and flushes when the process ends.

    What is not given comes from OpenTelemetry's own variables (``OTEL_SERVICE_NAME``,
    ``OTEL_RESOURCE_ATTRIBUTES``, ``OTEL_EXPORTER_OTLP_ENDPOINT`` and ``_HEADERS``). ``endpoint``
    is the base address, without ``/v1/traces``. ``headers`` carries the ingest key as ``Authorization``. With
    ``set_global`` it becomes the process's provider unless one is set already.
    Exporting happens on a thread of its own; a receiver that is away costs spans, never an exception.
    """
    given = instance or semconv.SERVICE_INSTANCE_ID in os.environ.get("OTEL_RESOURCE_ATTRIBUTES", "")
    named = {
        semconv.SERVICE_NAME: service,
        semconv.SERVICE_VERSION: version,
        semconv.SERVICE_INSTANCE_ID: instance if given else f"{socket.gethostname()}-{os.getpid()}",
        semconv.DEPLOYMENT_ENVIRONMENT_NAME: environment,
    }
    resource = Resource.create({key: value for key, value in named.items() if value})
    provider = TracerProvider(resource=resource, shutdown_on_exit=True)
    provider.add_span_processor(EntityProcessor())
    provider.add_span_processor(BatchSpanProcessor(_exporter(endpoint, headers)))
    if set_global:
        trace.set_tracer_provider(provider)
    return provider


def _exporter(endpoint: str, headers: Mapping[str, str] | None) -> SpanExporter:
    # brings protobuf and requests along: only who exports pays for them
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

    from_environment = os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT") or os.environ.get(
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
    )
    if not endpoint and from_environment:
        return OTLPSpanExporter(
            headers=dict(headers) if headers else None
        )  # the exporter reads the variables itself
    base = (endpoint or DEFAULT_ENDPOINT).rstrip("/")
    return OTLPSpanExporter(endpoint=f"{base}/v1/traces", headers=dict(headers) if headers else None)
