"""What becomes of a request: routed, judged, accepted, answered. Knows no server.

``route`` needs no body and never blocks; ``take`` may wait for the disk. Between the two
the server reads the body.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Final, Literal

import msgspec

from timeline.errors import ThroughlineError, Unavailable
from timeline.inbox.committer import Committer
from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.decode import decompress, inspect
from timeline.ingest.otlp import Plain
from timeline.ingest.request import Accepted, BadItem, Inspection, Signal, digest_of
from timeline.ingest.values import loads
from timeline.receive import answers
from timeline.receive.access import Gate, Keys, Sender
from timeline.receive.answers import Answer, Refused, Request
from timeline.receive.heartbeat import Heartbeat
from timeline.receive.hints import Hints
from timeline.receive.pressure import Pressure
from timeline.receive.quota import Quotas
from timeline.receive.refusals import Refusals
from timeline.receive.uses import Uses
from timeline.redaction.requests import redacted
from timeline.redaction.rules import Redaction
from timeline.redactions import Redactions
from timeline.telemetry.figures import RECEIVED, RECEIVED_BYTES, RECEIVING
from timeline.telemetry.spans import MARK, span

log = logging.getLogger(__name__)
Offered = Literal["traces", "zipkin", "logs", "events", "metrics", "markers"]
_SIGNALS: Final[dict[str, Offered]] = {
    "/v1/traces": "traces",
    "/api/v2/spans": "zipkin",
    "/v1/logs": "logs",
    "/v1/events": "events",
    "/v1/metrics": "metrics",
    "/v1/markers": "markers",
}
_UNCOUNTED: Final = ("metrics", "markers")  # no facts: the accounting of items knows nothing of them
_JSON_ONLY: Final = ("markers", "zipkin")
_PROBES: Final = ("/healthz", "/readyz")
_ENCODINGS: Final = {
    "": "",
    "identity": "",
    "gzip": "gzip",
    "x-gzip": "gzip",
    "zstd": "zstd",
    "deflate": "deflate",
}
_OTLP: Final = (answers.PROTOBUF, "application/protobuf", answers.JSON)
_AT_ONCE: Final = 2  # bodies inflated and parsed at the same time: bounds memory, and the GIL allows no more


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Bytes of a body (as sent and inflated alike) and items in it."""

    body: int
    items: int


class Route(msgspec.Struct, frozen=True, kw_only=True):
    """Where a request goes: a signal's body is to be read, or a probe answered."""

    signal: Offered | None
    encoding: str = ""


class Receiver:
    """Judges and accepts requests; one per process."""

    def __init__(
        self,
        *,
        inbox: Inbox,
        pressure: Pressure,
        keys: Keys,
        gate: Gate,
        limits: Limits,
        node: str,
        hint: Callable[[], None],
        mark: Callable[[bytes, Sender], int],
        quotas: Quotas | None = None,
        uses: Uses | None = None,
        redactions: Redactions | None = None,
        plain: Plain | None = None,
    ) -> None:
        self.keys = keys
        self.gate = gate
        self.limits = limits
        self._inbox = inbox
        self._pressure = pressure
        self._committer = Committer(inbox)
        self._inspecting = threading.BoundedSemaphore(_AT_ONCE)
        self.refusals = Refusals(inbox)
        self._hints = Hints(hint)
        self._mark = mark
        self._quotas = quotas or Quotas()
        self._redactions = redactions
        self._plain = plain
        self._behind: list[Refusals | Hints | Uses | Redactions | Heartbeat] = [self.refusals, self._hints]
        self._behind += [Heartbeat(inbox, node), *(thread for thread in (uses, redactions) if thread)]

    def start(self) -> None:
        """Begin the work behind the requests: refusals, hints, uses of keys, counts of rules, heartbeat."""
        for thread in self._behind:
            thread.start()

    def stop(self) -> None:
        """Write down what is still in memory."""
        for thread in self._behind:
            thread.stop()

    def admit(self, route: Route, sender: Sender) -> None:
        """Raises ``Refused`` where the sender is over its quota; asked before its body is read."""
        if route.signal not in _UNCOUNTED:
            self._quotas.check(sender)

    def route(self, request: Request) -> Route | Answer:
        """Where the request goes, or the answer that needs no body; raises ``Refused``."""
        path, method = request.path, request.method
        signal = _SIGNALS.get(path)
        if signal is None:
            if path not in _PROBES:
                raise Refused(404, f"nothing is received here; POST to one of {', '.join(_SIGNALS)}")
            if method not in ("GET", "HEAD"):
                raise Refused(405, "this is a GET", headers=(("allow", "GET, HEAD"),))
            return answers.text(200, "ok") if path == "/healthz" else Route(signal=None)
        if method == "OPTIONS":
            return self._options(request)
        if method != "POST":
            raise Refused(405, f"{path} takes POST", headers=(("allow", "OPTIONS, POST"),))
        if self._pressure.problem is not None:
            raise answers.refused(self._pressure.problem)
        media = answers.media_type(request.headers)
        if signal in _JSON_ONLY and media != answers.JSON:
            reason = "" if signal in _UNCOUNTED else "unsupported"
            raise Refused(415, f"{signal} is sent as {answers.JSON}", reason=reason)
        if signal != "events" and media not in _OTLP:
            raise Refused(
                415,
                f"media type {media[:80]!r} is not offered; send {_OTLP[0]} or {_OTLP[2]}",
                reason="unsupported",
            )
        encoding = _ENCODINGS.get(request.headers.get("content-encoding", "").strip().lower())
        if encoding is None:
            raise Refused(
                415,
                "this content encoding is not offered; use gzip, zstd, deflate or none",
                reason="unsupported",
            )
        return Route(signal=signal, encoding=encoding)

    def ready(self) -> Answer:
        """Whether the inbox takes writes now; waits for the disk."""
        try:
            self._pressure.check()
            self._inbox.account([])
        except ThroughlineError as error:
            raise answers.refused(error) from error
        return answers.text(200, "ready")

    def take(self, route: Route, request: Request, sender: Sender, body: bytes) -> Answer:
        """Accept a body: durable when this returns, or raises ``Refused``."""
        media = answers.media_type(request.headers)
        if route.signal is None or route.signal == "metrics":
            self.refusals.count((sender.name, "discarded", ""))
            return answers.exported("metrics", media, ())
        if route.signal == "markers":
            return self._marked(route, sender, body)
        with span(f"receive {route.signal}", own=MARK in request.headers, bytes=len(body)):
            return self._take(route.signal, route, request, sender, body)

    def _take(self, signal: Signal, route: Route, request: Request, sender: Sender, body: bytes) -> Answer:
        media = answers.media_type(request.headers)
        accepted = _accepted(signal, route, request, sender, body)
        try:
            self._pressure.check()
            redaction = self._rules_of(sender.workspace)
            found = self._charged(sender, accepted)
            if redaction is not None and found.items > len(found.refused):
                accepted = self._redacted(accepted, redaction)
        except ThroughlineError as error:
            raise answers.refused(error) from error
        bad = found.refused
        self._commit(accepted, found)
        self._note_bad(sender, signal, bad)
        if signal == "zipkin":
            return answers.reported(found.items, bad)
        return answers.taken(found.items, bad) if signal == "events" else answers.exported(signal, media, bad)

    def refuse(self, request: Request, problem: Refused, sender: Sender | None, body: bytes) -> Answer:
        """The answer to a request that ends here; counted as one item where it was meant as data."""
        signal = _SIGNALS.get(request.path)
        if problem.reason and signal and signal not in _UNCOUNTED:
            name, workspace = (sender.name, sender.workspace) if sender else ("", "main")
            self._note(
                workspace,
                name,
                signal,
                BadItem(position=0, reason=problem.reason, message=problem.message, data=body),
            )
            self.refusals.count((name, "received", ""), (name, "refused", problem.reason))
        return answers.failure(problem, path=request.path, media=answers.media_type(request.headers))

    def _marked(self, route: Route, sender: Sender, body: bytes) -> Answer:
        try:
            whole = decompress(body, route.encoding, limit=self.limits.body)
            redaction = self._rules_of(sender.workspace)
            if redaction is not None:
                whole = msgspec.json.encode(redaction.body(loads(whole)))
            return answers.marked(self._mark(whole, sender))
        except ThroughlineError as error:
            raise answers.refused(error) from error

    def told(self, request: Request, door: str, status: int, size: int, seconds: float) -> None:
        """Count an answer that was sent."""
        signal = _SIGNALS.get(request.path, "none")
        RECEIVED.labels(signal, door, str(status)).inc()
        RECEIVING.labels(signal).observe(seconds)
        if size:
            RECEIVED_BYTES.labels(signal).inc(size)

    def _options(self, request: Request) -> Answer:
        headers = request.headers
        if "origin" in headers and "access-control-request-method" in headers:
            return self.gate.preflight(request)
        allow = ("allow", "OPTIONS, POST")
        origin = headers.get("webhook-request-origin")
        if request.path == "/v1/events" and origin is not None:
            # CloudEvents HTTP webhook 1.0.2, section 4: consent; keys still decide each delivery
            consent = [allow, ("webhook-allowed-origin", origin)]
            if "webhook-request-rate" in headers:
                consent.append(("webhook-allowed-rate", "*"))
            return Answer(status=200, headers=tuple(consent))
        return Answer(status=204, headers=(allow,))

    def _charged(self, sender: Sender, accepted: Accepted) -> Inspection:
        items = 1  # of what cannot be read
        try:
            found = self._inspect(accepted)
            items = found.items
            return found
        finally:
            self._quotas.charge(sender, items=items, size=len(accepted.body))

    def _inspect(self, accepted: Accepted) -> Inspection:
        with self._inspecting:
            try:
                return inspect(
                    accepted, max_items=self.limits.items, limit=self.limits.body, plain=self._plain
                )
            except ThroughlineError:
                raise
            except Exception as error:
                log.exception("judging a request failed; its bytes are kept among the refusals")
                raise ThroughlineError(
                    "a fault of the receiver", remedy="report it with its sample"
                ) from error

    def _commit(self, accepted: Accepted, found: Inspection) -> None:
        name, bad = accepted.sender, found.refused
        kept = found.items - len(bad)
        if not found.items:
            return
        entries = [Entry(sender=name, what="received", items=found.items)]
        entries += [
            Entry(sender=name, what="refused", items=count, reason=reason)
            for reason, count in Counter(item.reason for item in bad).items()
        ]
        request = msgspec.structs.replace(accepted, items=kept, received=time.time_ns()) if kept else None
        try:
            self._committer.accept(request, entries)
        except ThroughlineError as error:
            raise answers.refused(error) from error
        if request is not None:
            self._hints.wanted()

    def _note_bad(self, sender: Sender, signal: Signal, bad: tuple[BadItem, ...]) -> None:
        for item in bad:
            self._note(sender.workspace, sender.name, signal, item)

    def _note(self, workspace: str, sender: str, signal: str, item: BadItem) -> None:
        """Remember a refused item; where rules are in force, nothing of what could not be read is kept."""
        message, sample = item.message, item.data
        try:
            redaction = self._redactions.remembered(workspace) if self._redactions else None
            if redaction is not None:
                message, sample = redaction.text(message), b""
        except Unavailable:
            sample = b""
        self.refusals.note(
            workspace=workspace,
            sender=sender,
            signal=signal,
            reason=item.reason,
            message=message,
            sample=sample,
        )

    def _rules_of(self, workspace: str) -> Redaction | None:
        return self._redactions.of(workspace) if self._redactions else None

    def _redacted(self, accepted: Accepted, redaction: Redaction) -> Accepted:
        with self._inspecting:
            return redacted(accepted, redaction, max_items=self.limits.items, limit=self.limits.body)


def _accepted(signal: Signal, route: Route, request: Request, sender: Sender, body: bytes) -> Accepted:
    headers = {"content-type": request.headers.get("content-type", "")}
    if MARK in request.headers:
        headers[MARK] = "1"  # our own spans: storing them makes none
    if signal == "events":
        headers |= {name: value for name, value in request.headers.items() if name.startswith("ce-")}
    accepted = Accepted(
        id=secrets.token_hex(8),
        signal=signal,
        content_encoding=route.encoding,
        headers=headers,
        body=body,
        received=0,
        workspace=sender.workspace,
        sender=sender.name,
        environment=sender.environment,
    )
    return msgspec.structs.replace(accepted, digest=digest_of(accepted))
