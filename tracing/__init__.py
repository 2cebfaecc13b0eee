"""The library a service installs: context, entities and events travel with its messages.

In come the service's own calls; out go OpenTelemetry spans and message headers. It reads
no configuration but OpenTelemetry's, keeps nothing on disk, and never raises into its host:
``losses()`` says what it had to drop. Start with ``configure`` and one of ``integrations``.
"""

from tracing.configure import configure, flush
from tracing.entities import entity
from tracing.envelope import Envelope
from tracing.guard import losses
from tracing.options import Options

__all__ = ["Envelope", "Options", "configure", "entity", "flush", "losses"]
