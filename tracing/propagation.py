"""Trace context and baggage in message headers, by the rules of the W3C.

``inject`` writes ``traceparent``, ``tracestate`` and ``baggage`` of a context into headers;
``extract`` reads them into a context. Both follow Trace Context level 2 and Baggage with
their limits, and neither raises: what is malformed is ignored and counted.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, unquote

from opentelemetry import baggage, trace
from opentelemetry.context import Context, attach, create_key, detach, get_current, get_value, set_value
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, TraceState

from tracing import entities
from tracing.guard import lost
from tracing.headers import Headers
from tracing.quick import with_span

TRACEPARENT, TRACESTATE, BAGGAGE = "traceparent", "tracestate", "baggage"
ELASTIC = "elasticapmtraceparent"  # what Elastic's agents wrote before the W3C's name
KNOWN_FLAGS = 0x03  # sampled, random trace id; the others are sent as 0
MOST_MEMBERS, LONGEST_STATE, LONG_MEMBER = 32, 512, 128
MOST_BAGGAGE_MEMBERS, MOST_BAGGAGE_BYTES = 64, 8192

_PARENT = re.compile(r"([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})(-.*)?")
_FLAGS = [TraceFlags(one) for one in range(KNOWN_FLAGS + 1)]
_STATE_KEY = re.compile(r"[a-z0-9][a-z0-9_\-*/@]{0,255}")
_STATE_VALUE = re.compile(r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]")
_BAGGAGE_KEY = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PROPERTIES = create_key("throughline-baggage-properties")
_EMPTY = Context()
# baggage-octet of the W3C, "%" itself left out: it starts an escape
_PLAIN = "!#$&'()*+-./:<=>?@[]^_`{|}~"


def parse_traceparent(value: str) -> SpanContext | None:
    """The remote span a ``traceparent`` names, without trace state; ``None`` where invalid.

    Upper-case digits, zero ids, version ``ff`` and extra text in version 00 are invalid; higher
    versions are read by their first three fields (Trace Context level 2, 2.2 and 4.3).
    """
    match = _PARENT.fullmatch(value.strip(" \t"))
    if not match:
        return None
    version, trace_id, span_id, flags, more = match.groups()
    trace_number, span_number = int(trace_id, 16), int(span_id, 16)
    if version == "ff" or (version == "00" and more) or not trace_number or not span_number:
        return None
    return SpanContext(trace_number, span_number, True, _FLAGS[int(flags, 16) & KNOWN_FLAGS])


def format_traceparent(context: SpanContext) -> str:
    """The ``traceparent`` of a span: always version 00, unknown flags as 0."""
    return f"00-{context.trace_id:032x}-{context.span_id:016x}-{context.trace_flags & KNOWN_FLAGS:02x}"


def parse_tracestate(values: Iterable[str]) -> list[tuple[str, str]]:
    """Members of all ``tracestate`` headers in order; empty where any member breaks the grammar.

    A key said twice keeps its first member, which is the most recent one.
    """
    members: dict[str, str] = {}
    count = 0
    for member in (part.strip(" \t") for value in values for part in value.split(",")):
        if not member:
            continue
        key, equals, content = member.partition("=")
        count += 1
        if (
            count > MOST_MEMBERS
            or not equals
            or not _STATE_KEY.fullmatch(key)
            or not _STATE_VALUE.fullmatch(content)
        ):
            lost("bad tracestate")
            return []
        members.setdefault(key, content)
    return list(members.items())


def cut_tracestate(members: Iterable[tuple[str, str]]) -> str:
    """A ``tracestate`` of at most 512 characters and 32 members.

    Whole members go: first those over 128 characters, then from the right (3.3.1.5).
    """
    parts = [f"{key}={value}" for key, value in members]
    while len(parts) > MOST_MEMBERS or len(",".join(parts)) > LONGEST_STATE:
        long = [index for index, part in enumerate(parts) if len(part) > LONG_MEMBER]
        del parts[long[-1] if long else -1]
        lost("tracestate member cut")
    return ",".join(parts)


def parse_baggage(values: Iterable[str]) -> dict[str, tuple[str, str]]:
    """Key -> (decoded value, properties as sent); bad members are left out, limits applied."""
    members: dict[str, tuple[str, str]] = {}
    size = 0
    for member in (part.strip(" \t") for value in values for part in value.split(",")):
        if not member:
            continue
        pair, semicolon, properties = member.partition(";")
        key, equals, value = pair.partition("=")
        key = key.strip(" \t")
        size += len(member) + 1
        if not equals or not _BAGGAGE_KEY.fullmatch(key):
            lost("bad baggage member")
        elif len(members) >= MOST_BAGGAGE_MEMBERS or size - 1 > MOST_BAGGAGE_BYTES:
            lost("baggage member over the limit")
        else:
            members[key] = unquote(value.strip(" \t"), errors="replace"), semicolon + properties
    return members


def format_baggage(members: Mapping[str, Any], properties: Mapping[str, str] | None = None) -> str:
    """A ``baggage`` value within 64 members and 8,192 bytes; never a part of a member."""
    parts: list[str] = []
    size = -1
    for key, value in members.items():
        encoded = quote(str(value), safe=_PLAIN, errors="replace")
        part = f"{key}={encoded}{(properties or {}).get(key, '')}"
        if not _BAGGAGE_KEY.fullmatch(key) or not part.isascii():
            lost("bad baggage member")
        elif len(parts) >= MOST_BAGGAGE_MEMBERS or size + len(part) + 1 > MOST_BAGGAGE_BYTES:
            lost("baggage member over the limit")
        else:
            parts.append(part)
            size += len(part) + 1
    return ",".join(parts)


class _WireState(TraceState):
    """Members as they came: the API's own class still refuses keys that level 2 allows."""

    def __init__(self, members: list[tuple[str, str]]) -> None:
        super().__init__()
        self._dict = dict(members)


def _remote(headers: Headers) -> SpanContext | None:
    names = headers.names()
    if TRACEPARENT not in names:
        return _elastic(headers) if ELASTIC in names else None
    parents = headers.all(TRACEPARENT)
    if len(parents) > 1:
        lost("duplicate traceparent")
    parent = parse_traceparent(parents[-1])
    if parent is None:
        lost("bad traceparent")
        return _elastic(headers)
    if TRACESTATE not in names:
        return parent
    state = _WireState(parse_tracestate(headers.all(TRACESTATE)))
    return SpanContext(parent.trace_id, parent.span_id, True, parent.trace_flags, state)


def _elastic(headers: Headers) -> SpanContext | None:
    raw = headers.raw(ELASTIC)
    if raw is None:
        return None
    if len(raw) == 29 and (raw[0], raw[1], raw[18], raw[27]) == (0, 0, 1, 2):
        # the agents' binary form: each field behind its number
        trace_id, span_id = raw[2:18].hex(), raw[19:27].hex()
        return parse_traceparent(f"00-{trace_id}-{span_id}-{raw[28]:02x}")
    return parse_traceparent(raw.decode("utf-8", "replace"))


def extract(carrier: Mapping[Any, Any] | Iterable[Any] | None, context: Context | None = None) -> Context:
    """A context with the remote span, baggage and entities that the headers carry.

    Built on ``context`` (default: an empty one, so that nothing of the caller leaks in).
    Of several ``traceparent`` the last wins. Never raises.
    """
    base = _EMPTY if context is None else context
    try:
        headers = carrier if isinstance(carrier, Headers) else Headers(carrier)
        found = base
        if remote := _remote(headers):
            found = with_span(NonRecordingSpan(remote), found)
        if context is None and BAGGAGE not in headers.names():
            return found
        members = parse_baggage(headers.all(BAGGAGE))
        found = entities.arrive({key: value for key, (value, _) in members.items()}, found)
        for key, (value, _) in members.items():
            if not key.startswith(entities.SUBJECT):
                found = baggage.set_baggage(key, value, found)
        properties = {key: (value, text) for key, (value, text) in members.items() if text}
        return set_value(_PROPERTIES, properties, found) if properties else found
    except Exception:  # noqa: BLE001  hot: as guarded does
        lost("extract")
    return base


def inject(headers: Headers, context: Context | None = None) -> None:
    """Replace ``traceparent``, ``tracestate`` and ``baggage`` by those of the context (default: current).

    A context without a valid span leaves the three headers as they are, so that a custom
    creation context set by the application survives. Never raises.
    """
    try:
        here = get_current() if context is None else context
        carry(headers, trace.get_current_span(here).get_span_context(), here)
    except Exception:  # noqa: BLE001  hot: as guarded does
        lost("inject")


def carry(headers: Headers, span: SpanContext, here: Context) -> None:
    """As ``inject``, for a span that is not current; may raise."""
    if not span.is_valid:
        return
    if len(headers):
        for stale in (ELASTIC, TRACESTATE, BAGGAGE):
            headers.remove(stale)
    headers.set(TRACEPARENT, format_traceparent(span))
    if span.trace_state and (state := cut_tracestate(span.trace_state.items())):
        headers.set(TRACESTATE, state)
    if not entities.known(here):
        return
    carried = baggage.get_all(here)
    members = {key: value for key, value in carried.items() if not key.startswith(entities.SUBJECT)}
    # the application's own members first: where the limits bite, ours give way
    if line := format_baggage(members | entities.leave(here), _kept_properties(members, here)):
        headers.set(BAGGAGE, line)


class attached:  # noqa: N801  used like a statement, as contextlib.suppress is
    """Work inside a context that was kept or extracted; the former one is current again afterwards."""

    __slots__ = ("_context", "_token")

    def __init__(self, context: Context) -> None:
        self._context = context

    def __enter__(self) -> None:
        self._token = attach(self._context)

    def __exit__(self, *_: object) -> None:
        detach(self._token)


def _kept_properties(members: Mapping[str, object], context: Context) -> dict[str, str]:
    """Properties that arrived with a member whose value is still the same."""
    arrived = get_value(_PROPERTIES, context)
    if not isinstance(arrived, dict):
        return {}
    return {key: text for key, (value, text) in arrived.items() if members.get(key) == value}
