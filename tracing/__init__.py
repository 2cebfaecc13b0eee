"""The library a service installs: context, entities and events travel with its messages.

In come the service's own calls; out go OpenTelemetry spans and message headers. It reads
no configuration but OpenTelemetry's, keeps nothing on disk, and never raises into its host:
``losses()`` says what it had to drop. Start with ``configure`` and one of ``integrations``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tracing.configure import configure
    from tracing.entities import entity
    from tracing.envelope import Envelope
    from tracing.guard import losses

__all__ = ["Envelope", "configure", "entity", "losses"]
_HOMES = {"Envelope": "envelope", "configure": "configure", "entity": "entities", "losses": "guard"}


def __getattr__(name: str) -> Any:
    """Loaded when asked for: who only needs ``tracing.semconv`` does not pay for an SDK."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"tracing.{_HOMES[name]}"), name)
