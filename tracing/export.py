"""Sending ended spans in batches: what is dropped is counted, and said once.

The SDK's batch processor and OTLP exporter do the work. Around them: spans that a full queue or a
receiver that is away cost are in ``losses()``; the log says so once until it works again; a forked
child has a connection of its own; and the end of the process waits at most five seconds.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from typing import Any

from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

from tracing import otlp
from tracing.guard import guarded, lost

EXIT_MILLIS = 5_000
NOT_SENT = "span not sent"
QUEUE_FULL = "span dropped by a full queue"
_log = logging.getLogger("tracing")
_SAID_BY = "opentelemetry.exporter.otlp.proto.http.trace_exporter"
_sending: ContextVar[Sender | None] = ContextVar("throughline-sending", default=None)


class Sender(SpanExporter):
    """An OTLP/HTTP exporter that counts what it could not send. ``endpoint`` empty: from the environment."""

    def __init__(self, endpoint: str, headers: Mapping[str, str] | None) -> None:
        self._endpoint = endpoint
        self._headers = dict(headers) if headers else None
        self._made = self._make()
        self._pid = os.getpid()
        self._away = False
        self.heard = ""  # the exporter's last complaint

    def _make(self) -> SpanExporter:
        # brings protobuf and requests along: only who exports pays for them
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        class Exporter(OTLPSpanExporter):
            """The library's own, with an encoder that takes a fifth of the CPU."""

            export = otlp.quicken(OTLPSpanExporter)

        if self._endpoint:
            return Exporter(endpoint=self._endpoint, headers=self._headers)
        return Exporter(headers=self._headers)

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        """Send them; a failure is counted and said once until something is sent again."""
        if self._pid != os.getpid():  # two processes must not talk over one connection
            self._made, self._pid = self._make(), os.getpid()
        result, token = SpanExportResult.FAILURE, _sending.set(self)
        try:
            with guarded("export"):
                result = self._made.export(spans)
        finally:
            _sending.reset(token)
        if result is SpanExportResult.SUCCESS:
            self._away = False
        else:
            lost(NOT_SENT, len(spans))
            if not self._away:
                self._away = True
                where = self._endpoint or "the endpoint of the environment"
                _log.warning(
                    "Spans could not be sent to %s (%s); further ones are counted in tracing.losses()",
                    where,
                    self.heard or "no answer",
                )
        return result

    def shutdown(self) -> None:
        """Give up what is being tried."""
        self._made.shutdown()


class Batches(BatchSpanProcessor):
    """The SDK's batch processor, which also counts what it drops."""

    _over = False

    def on_end(self, span: ReadableSpan) -> None:
        """Called by the SDK for each span that ended."""
        if not (span.context and span.context.trace_flags.sampled):
            return
        if self._over:
            lost(NOT_SENT)
            return
        try:
            waiting = self._waiting()
            if waiting is not None and len(waiting) == waiting.maxlen:
                lost(QUEUE_FULL)
            self._batch_processor.emit(span)
        except Exception:  # noqa: BLE001  hot: as guarded does
            lost("span queue")

    def shutdown(self) -> None:
        """Send what waits, for at most five seconds; what is left then is counted."""
        with guarded("shutdown"):
            self._over = True
            self._batch_processor.shutdown(EXIT_MILLIS)
            if left := self._waiting():
                lost(NOT_SENT, len(left))

    def _waiting(self) -> Any:
        return getattr(self._batch_processor, "_queue", None)


def batches(endpoint: str, headers: Mapping[str, str] | None) -> Batches:
    """A span processor that sends to this address (``.../v1/traces``); empty: from the environment."""
    logging.getLogger(_SAID_BY).addFilter(_heard)
    return Batches(Sender(endpoint, headers))


def _heard(record: logging.LogRecord) -> bool:
    """Keeps what the exporter says while a ``Sender`` sends; others' words go through."""
    sender = _sending.get()
    if sender is None:
        return True
    sender.heard = record.getMessage()
    return False
