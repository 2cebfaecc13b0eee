"""The nouns of Throughline: facts as received, and what is rebuilt from them.

A fact is a ``Span`` or an ``Event``. Times are integer nanoseconds UTC since
1970; ``None`` means that the sender gave none. Attribute values keep their
OpenTelemetry type (``Value``). Everything here is frozen and pure: no clock, no
store, no Django.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

import msgspec

# None, bool, int (64 bit), float, str, bytes, or a list or string-keyed dict of these.
Value: TypeAlias = Any
Attributes: TypeAlias = dict[str, Any]

SpanKind = Literal["unspecified", "internal", "server", "client", "producer", "consumer"]
Status = Literal["unset", "ok", "error"]
EventKind = Literal["cloudevent", "log", "record", "import"]


class _Frozen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, gc=False):
    """Base of every noun: immutable, keyword-only, compact when encoded."""


class Entity(_Frozen, frozen=True, order=True):
    """The business thing a story is about, written ``type:id``."""

    type: str
    id: str

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"

    @classmethod
    def parse(cls, text: str) -> Entity:
        """Split at the first colon; raises ``ValueError`` where a half is empty."""
        kind, colon, name = text.partition(":")
        if not (kind and colon and name):
            raise ValueError(f"an entity is written type:id, not {text!r}")
        return cls(type=kind, id=name)


class SpanRef(_Frozen, frozen=True):
    """Address of a span: 32 and 16 lower-case hex digits."""

    trace_id: str
    span_id: str


class Link(_Frozen, frozen=True):
    """A span link (OTLP ``Span.Link``), with what the sender said about it."""

    ref: SpanRef
    attributes: Attributes = {}
    trace_state: str = ""
    flags: int = 0
    dropped_attributes: int = 0


class Annotation(_Frozen, frozen=True):
    """What OpenTelemetry calls a span event: a time-stamped note on a span."""

    at: int | None
    name: str
    attributes: Attributes = {}
    dropped_attributes: int = 0


class Scope(_Frozen, frozen=True):
    """The instrumentation scope that made the fact."""

    name: str = ""
    version: str = ""
    attributes: Attributes = {}
    dropped_attributes: int = 0
    schema_url: str = ""


class Message(_Frozen, frozen=True):
    """Messaging facts promoted from attributes (semantic conventions 1.44)."""

    system: str | None = None
    operation: str | None = None  # create, send, receive, process, settle
    destination: str | None = None
    id: str | None = None
    key: str | None = None
    partition: str | None = None
    offset: int | None = None
    group: str | None = None
    conversation_id: str | None = None
    body_size: int | None = None
    header_bytes: int | None = None
    schema: str | None = None
    attempt: int | None = None
    batch_count: int | None = None
    cluster: str | None = None


class EventInfo(_Frozen, frozen=True):
    """What happened, published once (CloudEvents 1.0.2): unique by (source, id)."""

    source: str | None = None
    id: str | None = None
    type: str | None = None
    subject: str | None = None
    time: int | None = None
    correlation_id: str | None = None
    causation_id: str | None = None
    sequence: str | None = None


class Dropped(_Frozen, frozen=True):
    """What the sender's own limits cut off before it reached us."""

    attributes: int = 0
    annotations: int = 0
    links: int = 0


class Span(_Frozen, frozen=True, tag="span", tag_field="fact"):
    """One operation, received and normalised."""

    ref: SpanRef
    name: str
    kind: SpanKind = "unspecified"
    parent: str | None = None  # span id within the same trace
    links: tuple[Link, ...] = ()
    service: str = ""
    instance: str = ""
    version: str = ""
    environment: str = ""
    start: int | None = None
    end: int | None = None
    status: Status = "unset"
    status_message: str = ""
    trace_state: str = ""
    flags: int = 0
    scope: Scope = Scope()
    schema_url: str = ""
    dropped: Dropped = Dropped()
    message: Message | None = None
    event: EventInfo | None = None
    entities: tuple[Entity, ...] = ()  # subjects
    context: tuple[Entity, ...] = ()  # entities that came by baggage only
    attributes: Attributes = {}
    resource: Attributes = {}
    annotations: tuple[Annotation, ...] = ()

    @property
    def at(self) -> int | None:
        """When it began: the time a fact is placed by."""
        return self.start

    @property
    def until(self) -> int | None:
        """When it ended, or ``None`` where the sender gave no end."""
        return self.end


class Event(_Frozen, frozen=True, tag="event", tag_field="fact"):
    """A point in time: a CloudEvent, a log record, a broker record, an imported row."""

    kind: EventKind
    name: str
    ref: SpanRef | None = None
    service: str = ""
    instance: str = ""
    version: str = ""
    environment: str = ""
    at: int | None = None
    observed: int | None = None
    severity: str = ""
    severity_number: int = 0
    body: Value = None
    scope: Scope = Scope()
    schema_url: str = ""
    flags: int = 0
    dropped: Dropped = Dropped()
    message: Message | None = None
    event: EventInfo | None = None
    entities: tuple[Entity, ...] = ()
    context: tuple[Entity, ...] = ()
    attributes: Attributes = {}
    resource: Attributes = {}

    @property
    def until(self) -> int | None:
        """A point has no length."""
        return None


Fact = Span | Event


class Receipt(_Frozen, frozen=True):
    """What receiving added to a fact; never part of its content.

    ``id`` is the 20-character fact id (time prefix + hash), ``identity`` the
    token without the time, ``content`` the hash of the decoded value. ``tie``
    orders facts of one nanosecond. ``request`` names the accepted request, so
    that the redelivery of one request is told from a second arrival.
    """

    id: str
    identity: str
    content: str
    tie: int
    workspace: str = "main"
    received: int = 0
    request: str = ""
    position: int = 0
    sender: str = ""
    variant: bool = False
    partial: bool = False  # partly indexed: more leaves than the limit
    sampled: bool = False  # evidence that its sender samples


class Stored(_Frozen, frozen=True, eq=False):
    """A fact with its receipt: what a store takes and gives back."""

    fact: Fact
    receipt: Receipt
    # both follow from the rest: decoding leaves them, to save storing the work
    ids: bytes = b""  # as ``ingest.identity.joined`` writes them
    tokens: str = ""  # that ``search.fact_tokens`` makes of attributes, message, event, resource and scope

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stored) and (self.fact, self.receipt) == (other.fact, other.receipt)

    def marked(self, **receipt: Any) -> Stored:
        """The fact with another receipt."""
        changed = msgspec.structs.replace(self.receipt, **receipt)
        return msgspec.structs.replace(self, receipt=changed, ids=b"" if "id" in receipt else self.ids)


class Row(_Frozen, frozen=True):
    """A line of a result list: what a store can answer without opening the fact."""

    id: str
    identity: str
    fact: Literal["span", "event"]
    name: str
    at: int | None = None
    until: int | None = None
    event_kind: EventKind | None = None
    span_kind: SpanKind | None = None
    type: str | None = None  # CloudEvents type
    event_id: str | None = None
    service: str = ""
    environment: str = ""
    status: Status = "unset"
    trace_id: str | None = None
    span_id: str | None = None
    destination: str | None = None
    operation: str | None = None
    partition: str | None = None
    offset: int | None = None
    attempt: int | None = None
    batch_count: int | None = None
    entities: tuple[str, ...] = ()  # subjects, written type:id
    received: int = 0
    tie: int = 0
    variant: bool = False
    partial: bool = False

    @classmethod
    def of(cls, stored: Stored) -> Row:
        """The row that every store must return for this fact."""
        fact, receipt = stored.fact, stored.receipt
        message, event = fact.message or Message(), fact.event or EventInfo()
        span = isinstance(fact, Span)
        return cls(
            id=receipt.id,
            identity=receipt.identity,
            fact="span" if span else "event",
            name=fact.name,
            at=fact.at,
            until=fact.until,
            event_kind=None if isinstance(fact, Span) else fact.kind,
            span_kind=fact.kind if isinstance(fact, Span) else None,
            type=event.type,
            event_id=event.id,
            service=fact.service,
            environment=fact.environment,
            status=fact.status if isinstance(fact, Span) else "unset",
            trace_id=fact.ref.trace_id if fact.ref else None,
            span_id=fact.ref.span_id if fact.ref else None,
            destination=message.destination,
            operation=message.operation,
            partition=message.partition,
            offset=message.offset,
            attempt=message.attempt,
            batch_count=message.batch_count,
            entities=tuple(str(entity) for entity in fact.entities),
            received=receipt.received,
            tie=receipt.tie,
            variant=receipt.variant,
            partial=receipt.partial,
        )


class Hop(_Frozen, frozen=True):
    """One delivery of one message to one consumer (derived).

    ``producer``, ``receiver`` and ``consumer`` are fact ids of the send, receive and
    process spans that folded into it. ``wait`` is time in the broker, ``work`` time in
    the handler, both in ns. ``joined_by`` says what proves the hop.
    """

    event: str | None = None  # CloudEvents id or message id
    destination: str | None = None
    producer: str | None = None
    receiver: str | None = None
    consumer: str | None = None
    producer_service: str = ""
    consumer_service: str = ""
    group: str | None = None
    partition: str | None = None
    offset: int | None = None
    sent: int | None = None
    received: int | None = None
    started: int | None = None
    done: int | None = None
    attempt: int = 1
    attempts: int = 1
    outcome: Literal["done", "failed", "in flight", "unconsumed", "unknown"] = "unknown"
    joined_by: Literal["parent", "link", "batch link", "message id", "event id", "offset", ""] = ""
    settled: str | None = None  # fact id of the settle span, or of the process span that says so

    @property
    def wait(self) -> int | None:
        """Nanoseconds in the broker: from the end of sending to the start of handling."""
        start = self.started if self.started is not None else self.received
        return None if self.sent is None or start is None else start - self.sent

    @property
    def work(self) -> int | None:
        """Nanoseconds in the handler."""
        return None if self.started is None or self.done is None else self.done - self.started


class Skew(_Frozen, frozen=True):
    """How far one service's clock may run ahead of another's: a range in ns."""

    service: str
    against: str
    low: int | None = None  # at least this much ahead (None: unbounded)
    high: int | None = None
    evidence: tuple[str, ...] = ()


class Finding(_Frozen, frozen=True):
    """A judgement with proof (derived)."""

    rule: str
    severity: Literal["info", "warning", "error"]
    sentence: str
    at: int | None = None
    evidence: tuple[str, ...] = ()  # fact ids
    confidence: Literal["certain", "likely", "weak"] = "certain"


class Entry(_Frozen, frozen=True):
    """One line of a timeline (derived): a fact in its causal place."""

    at: int | None
    until: int | None = None
    uncertainty: tuple[int, int] | None = None  # earliest and latest causally possible shift, ns
    lane: str = ""
    what: str = ""
    detail: str = ""
    fact: str = ""  # fact id
    kind: Literal["span", "event"] = "span"
    depth: int = 0
    parent: str | None = None  # fact id of the parent entry, where it is on the timeline
    status: Status = "unset"
    badges: tuple[str, ...] = ()  # late, variant, out of order, orphan, context, clock, ...


class Timeline(_Frozen, frozen=True):
    """The ordered story of a subject (derived); equal for every arrival order.

    ``complete`` is false where ``missing`` names parents that were referred to and
    never received, or where ``truncated`` says how many facts a limit left out.
    """

    subject: str
    window: tuple[int | None, int | None] = (None, None)
    entries: tuple[Entry, ...] = ()
    hops: tuple[Hop, ...] = ()
    findings: tuple[Finding, ...] = ()
    skew: tuple[Skew, ...] = ()
    missing: tuple[SpanRef, ...] = ()
    linked: tuple[str, ...] = ()  # other trace ids, both directions
    services: tuple[str, ...] = ()
    complete: bool = True
    truncated: int = 0
