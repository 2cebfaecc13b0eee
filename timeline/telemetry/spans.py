"""Our own spans: sampled, sent to our own receiver, and never about themselves.

A request that carries our own spans is marked, so neither receiving nor storing it makes another.
"""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any, Final

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.sampling import ParentBased, TraceIdRatioBased
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer

MARK: Final = "x-throughline-own"
_tracers: list[Tracer] = []


def begin(role: str, *, share: float, endpoint: str, key: str, node: str) -> None:
    """Make this process tell of itself, with ``share`` of its traces (0: none, 1: all)."""
    if not share or _tracers:
        return
    # here, since a node that tells nothing has no use for what this loads
    from tracing.configure import configure

    resource = Resource.create({"service.name": f"throughline-{role}", "service.instance.id": node})
    provider = TracerProvider(
        resource=resource, sampler=ParentBased(TraceIdRatioBased(share)), shutdown_on_exit=False
    )
    headers = {MARK: "1", **({"Authorization": f"Bearer {key}"} if key else {})}
    configure(provider=provider, endpoint=endpoint, headers=headers, set_global=False, on_sigterm=False)
    _tracers.append(provider.get_tracer("throughline"))


def span(name: str, *, kind: SpanKind = SpanKind.INTERNAL, own: bool = False, **attributes: Any) -> Any:
    """A context manager around some work; gives the span, or ``None`` where none is made. ``own`` is for work on
    our own spans."""
    if own or not _tracers:
        return nullcontext()
    named = {f"throughline.{key}": value for key, value in attributes.items()}
    return _tracers[0].start_as_current_span(name, kind=kind, attributes=named)


def failed(span: Span | None, why: str) -> None:
    """Mark a span as failed, where there is one."""
    if span is not None:
        span.set_status(Status(StatusCode.ERROR, why))
