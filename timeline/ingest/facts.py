"""Parsed OTLP items to facts with receipts: one walk for both encodings.

What is the same for all items of a resource or a scope (attributes, who sent it, its share
of the content hash) is made once and shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, NamedTuple, TypeVar

from timeline.domain import (
    Attributes,
    Event,
    Fact,
    Receipt,
    Scope,
    Span,
    SpanKind,
    SpanRef,
    Status,
    Stored,
)
from timeline.ingest.entities import Rules, entities_of
from timeline.ingest.environment import foreign
from timeline.ingest.identity import content_of, from_hex, identify, joined, tie, usable
from timeline.ingest.normalise import Origin, origin, promote, samples, text
from timeline.ingest.parsed import (
    NO_SPAN,
    Dialect,
    NestingError,
    Parsed,
    ResourceGroup,
    ScopeGroup,
    judge_span,
    refuse,
    too_deep,
)
from timeline.ingest.pieces import annotation_of, dropped, headline, link_of, log_ref, more_leaves
from timeline.ingest.request import SPANS, Accepted, BadItem, Decoded
from timeline.search.fact_tokens import own_tokens, shared_tokens
from timeline.storable import Ready, Storable
from tracing.semconv import EVENT_NAME

_Item = TypeVar("_Item")
_KINDS: Final[tuple[SpanKind, ...]] = (
    "unspecified",
    "internal",
    "server",
    "client",
    "producer",
    "consumer",
)
_STATUSES: Final[tuple[Status, ...]] = ("unset", "ok", "error")
_SPAN_LEVEL: Final = 1  # message level of a KeyValue in a span, record, resource or scope
_BODY_LEVEL: Final = 1  # message level of a log record's body


class Shared(NamedTuple):
    """What every item of one scope of one resource has in common."""

    dialect: Dialect
    resource: Attributes
    origin: Origin
    scope: Scope
    schema_url: str
    digest: bytes
    tokens: str

    def known(self, pairs: list[Any]) -> str:
        """The tokens of attributes, resource and scope, where the encoding is quick about them."""
        quick = self.dialect.tokens
        return f"{quick(pairs)} {self.tokens}".strip() if quick is not None else ""


Make = Callable[[Accepted, Rules, Shared, list[bytes], int], Sequence[Ready | None]]
"""Makes the spans of a scope ready, the first of which stands at a position of its request; ``None`` for
each that is left to the walk."""


class Walk:
    """One accepted OTLP request on its way to facts."""

    def __init__(self, accepted: Accepted, rules: Rules, make: Make | None = None) -> None:
        self._accepted = accepted
        self._request = from_hex(accepted.id, 8) or b""
        self._rules = rules
        self._equals: dict[bytes, int] = {}
        self._make = make
        self.facts: list[Storable] = []
        self.poison: list[BadItem] = []

    def run(self, parsed: Parsed) -> Decoded:
        """Every item of a parsed request as a fact or as poison; refused ones as neither."""
        spans = self._accepted.signal in SPANS
        make = self._span if spans else self._record
        # Where as many were accepted as there are, none was refused, and none need be judged again.
        all_good = parsed.items == self._accepted.items and not parsed.refused
        judge = judge_span if spans and not all_good else None
        position = 0
        for group in parsed.groups:
            resource = _Resource(group, self._accepted.environment)
            ours = all_good or not foreign(group, parsed.dialect, self._accepted.environment)
            for scope in group.scopes:
                shared: Shared | None = None
                if parsed.dialect.raw:
                    self._raw(scope, resource, parsed.dialect, position)
                    position += len(scope.items)
                    continue
                for item in scope.items:
                    if item is not None and ours and (judge is None or judge(item) is None):
                        try:
                            shared = shared or resource.shared(scope, parsed.dialect)
                            self.facts.append(make(item, position, shared))
                        except Exception as error:  # noqa: BLE001  # one item never takes its neighbours along
                            self.poison.append(refuse(position, failed(error), parsed.dialect.data(item)))
                    position += 1
        return Decoded(facts=self.facts, poison=self.poison)

    def _raw(self, scope: ScopeGroup, resource: _Resource, dialect: Dialect, start: int) -> None:
        """Spans as bytes: those that are plain made ready together, the others one by one."""
        made: Sequence[Ready | None] = [None] * len(scope.items)
        shared: Shared | None = None
        with suppress(Exception):  # each item finds out for itself
            shared = resource.shared(scope, dialect)
            if self._make is not None:
                made = self._make(self._accepted, self._rules, shared, list(scope.items), start)
        every = [ready for ready in made if ready is not None]
        if len(every) == len(scope.items):
            self.facts += every
            return
        for position, (raw, ready) in enumerate(zip(scope.items, made, strict=True), start):
            if ready is not None:
                self.facts.append(ready)
                continue
            try:
                shared = shared or resource.shared(scope, dialect)
                self.facts.append(self._span(dialect.item(raw), position, shared))
            except Exception as error:  # noqa: BLE001  # one item never takes its neighbours along
                self.poison.append(refuse(position, failed(error), raw))

    def _span(self, item: Any, position: int, shared: Shared) -> Stored:
        read = shared.dialect.attributes
        pairs = list(item.attributes)
        attributes = read(pairs, _SPAN_LEVEL)
        tokens = shared.known(pairs) if len(pairs) == len(attributes) else ""
        trace_id, span_id = item.trace_id.hex(), item.span_id.hex()
        parent = item.parent_span_id
        child = bool(parent) and parent != NO_SPAN
        number = item.kind
        kind: SpanKind = _KINDS[number] if 0 <= number < 6 else "unspecified"
        links = tuple([link_of(link, read) for link in item.links]) if item.links else ()
        annotations = tuple([annotation_of(note, read) for note in item.events]) if item.events else ()
        start, end = item.start_time_unix_nano or None, item.end_time_unix_nano or None
        state, flags, name = item.trace_state, item.flags, item.name
        code, status_message = item.status.code, item.status.message
        lost = dropped(item.dropped_attributes_count, item.dropped_events_count, item.dropped_links_count)
        plan = self._rules.plan(attributes)
        message, event = promote(plan.reads, attributes, kind, name)
        subjects, context = entities_of(
            self._rules, plan, attributes, message=message, event=event, links=links
        )
        content = content_of(
            shared.digest, trace_id, span_id, parent, name, number, start, end, code, status_message,
            state, flags, attributes, links, annotations, lost,
        )  # fmt: skip
        fact = Span(
            ref=SpanRef(trace_id=trace_id, span_id=span_id),
            name=name,
            kind=kind,
            parent=parent.hex() if child else None,
            links=links,
            service=shared.origin.service,
            instance=shared.origin.instance,
            version=shared.origin.version,
            environment=shared.origin.environment,
            start=start,
            end=end,
            status=_STATUSES[code] if 0 <= code < 3 else "unset",
            status_message=status_message,
            trace_state=state,
            flags=flags,
            scope=shared.scope,
            schema_url=shared.schema_url,
            dropped=lost,
            message=message,
            event=event,
            entities=subjects,
            context=context,
            attributes=attributes,
            resource=shared.resource,
            annotations=annotations,
        )
        identity = ("span", trace_id, span_id, kind, shared.origin.service)
        return store(
            self._accepted, fact, identity=identity, content=content, position=position, request=self._request,
            address=item.trace_id + item.span_id + (parent if child else b""),
            tokens=own_tokens(attributes, message, event, tokens) if tokens else "", sampled=samples(state),
        )  # fmt: skip

    def _record(self, item: Any, position: int, shared: Shared) -> Stored:
        pairs = list(item.attributes)
        attributes = shared.dialect.attributes(pairs, _SPAN_LEVEL)
        tokens = shared.known(pairs) if len(pairs) == len(attributes) else ""
        body = shared.dialect.value(item.body, _BODY_LEVEL)
        at, observed = item.time_unix_nano or None, item.observed_time_unix_nano or None
        named = item.event_name
        severity, severity_number, flags = item.severity_text, item.severity_number, item.flags
        ref = log_ref(item.trace_id, item.span_id)
        lost = dropped(item.dropped_attributes_count, 0, 0)
        plan = self._rules.plan(attributes)
        message, event = promote(plan.reads, attributes)
        subjects, context = entities_of(
            self._rules, plan, attributes, message=message, event=event, body=body
        )
        content = content_of(
            shared.digest, ref, at, observed, named, severity, severity_number,
            body, flags, attributes, lost,
        )  # fmt: skip
        ordinal = self._equals.get(content, 0)
        self._equals[content] = ordinal + 1
        fact = Event(
            kind="log",
            name=named or text(attributes.get(EVENT_NAME)) or headline(body) or shared.scope.name or "log",
            ref=ref,
            service=shared.origin.service,
            instance=shared.origin.instance,
            version=shared.origin.version,
            environment=shared.origin.environment,
            at=at if at is not None else observed,
            observed=observed,
            severity=severity,
            severity_number=severity_number,
            body=body,
            scope=shared.scope,
            schema_url=shared.schema_url,
            flags=flags,
            dropped=lost,
            message=message,
            event=event,
            entities=subjects,
            context=context,
            attributes=attributes,
            resource=shared.resource,
        )
        return store(
            self._accepted,
            fact,
            identity=("log", content, ordinal),
            content=content,
            position=position,
            tokens=own_tokens(attributes, message, event, tokens) if tokens else "",
            partial=more_leaves(body),
        )


class _Resource:
    """A resource, walked when its first item asks for it."""

    def __init__(self, group: ResourceGroup, environment: str) -> None:
        self._group = group
        self._environment = environment
        self._done: tuple[Attributes, Origin, tuple[Any, ...]] | None = None

    def shared(self, scope: ScopeGroup, dialect: Dialect) -> Shared:
        """What the items of ``scope`` have in common."""
        if self._done is None:
            resource = dialect.attributes(self._group.resource.attributes, _SPAN_LEVEL)
            content = (resource, self._group.resource.dropped_attributes_count, self._group.schema_url)
            who = origin(resource)
            if self._environment:
                who = who._replace(environment=self._environment)
            self._done = resource, who, content
        resource, who, content = self._done
        made = Scope(
            name=scope.scope.name,
            version=scope.scope.version,
            attributes=dialect.attributes(scope.scope.attributes, _SPAN_LEVEL),
            dropped_attributes=scope.scope.dropped_attributes_count,
            schema_url=scope.schema_url,
        )
        tokens = shared_tokens(resource, made, who) if dialect.tokens else ""
        return Shared(dialect, resource, who, made, self._group.schema_url, content_of(content, made), tokens)


def each(
    items: Iterable[tuple[int, _Item]],
    make: Callable[[int, _Item], Stored],
    data: Callable[[_Item], bytes],
) -> Decoded:
    """A fact of each item at its position; one that makes none is poison, and never takes its neighbours along."""
    facts: list[Storable] = []
    poison: list[BadItem] = []
    for position, item in items:
        try:
            facts.append(make(position, item))
        except Exception as error:  # noqa: BLE001  # whatever it is, it is this item's
            poison.append(refuse(position, failed(error), data(item)))
    return Decoded(facts=facts, poison=poison)


def store(
    accepted: Accepted,
    fact: Fact,
    *,
    identity: tuple[Any, ...],
    content: bytes,
    position: int,
    request: bytes = b"",
    address: bytes = b"",
    tokens: str = "",
    sampled: bool = False,
    partial: bool = False,
) -> Stored:
    """The fact with its receipt; ``identity`` starts with the kind of fact.

    ``request`` is the request's id in bytes, ``address`` those of the trace, the span and its parent.
    """
    at = fact.at
    sequence = fact.event.sequence if fact.event is not None else None
    observed = None
    if isinstance(fact, Event):
        observed = fact.observed
        if not usable(at):
            at = observed
    fact_id, token, digest = identify(accepted.workspace, identity, at)
    return Stored(
        fact=fact,
        receipt=Receipt(
            id=fact_id,
            identity=token,
            content=content.hex(),
            tie=tie(sequence=sequence, at=fact.at, observed=observed, position=position, fact_id=fact_id),
            workspace=accepted.workspace,
            received=accepted.received,
            request=accepted.id,
            position=position,
            sender=accepted.sender,
            sampled=sampled,
            partial=partial,
        ),
        ids=joined(content, digest, request, address),
        tokens=tokens,
    )


def failed(error: Exception) -> tuple[str, str]:
    """Reason and sentence for an item that could not be made a fact."""
    if isinstance(error, NestingError):
        return "too_deep", too_deep("item")
    if isinstance(error, ValueError):
        return "bad_value", f"a value of this item cannot be read ({error}); correct the sender's encoder"
    what = f"{type(error).__name__}: {error}"
    return "decoder_failed", f"this item made the decoder fail ({what}); please report it"
