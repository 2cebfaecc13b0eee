"""Plain spans made ready in one pass by the native decoder, where it is installed.

In: the bytes of the spans of one scope. Out: all that a store needs of each, or nothing for one that is not
plain: with attributes that are lists or maps, parts that were dropped, or anything else unusual. That one goes
the way written in Python, which says what is right: the native one must agree with it to the byte.
"""

from __future__ import annotations

import contextlib
import importlib
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final

from timeline.domain import EventInfo, Message, Receipt
from timeline.ingest import normalise
from timeline.ingest.entities import MAX_LENGTH, Rules, subject_name, subject_type
from timeline.ingest.facts import Make, Shared
from timeline.ingest.identity import from_hex, usable
from timeline.ingest.identity import packed as sorted_packed
from timeline.ingest.normalise import SOURCES, samples
from timeline.ingest.otlp import Plain
from timeline.ingest.pieces import NOTHING
from timeline.ingest.request import Accepted
from timeline.search.fact_tokens import EXCEPTION, attribute_tokens, heads, text_of
from timeline.search.leaves import EVENT_NAMES, KAFKA_NAMES, MESSAGE_NAMES
from timeline.search.tokens import NAMED_IDS, field_affixes, safe
from timeline.storable import Ready
from timeline.store.fields import facets_of, workspace_token
from timeline.store.packing import packed, scope_of, unpack
from tracing.semconv import CONTEXT_PREFIX, ENTITY_PREFIX

_INTERFACE: Final = 2  # what both sides of this file agree on
native: Any = None
with contextlib.suppress(ImportError):  # the same, slower: nobody needs a compiler
    found = importlib.import_module("throughline_native")
    if getattr(found, "INTERFACE", 0) == _INTERFACE:  # else of another version: `make native` again
        native = found

_MESSAGE: Final = {name: place for place, name in enumerate(Message.__struct_fields__)}
_EVENT: Final = {name: place for place, name in enumerate(EventInfo.__struct_fields__, len(_MESSAGE))}
_HINTS: Final = {name: place for place, name in enumerate(normalise.HINTED, len(_MESSAGE) + len(_EVENT))}
_EXCEPTIONS: Final = {name: place for place, name in enumerate(EXCEPTION)}
# How the native decoder reads a field: in its own way, by asking once for each text, or each time.
_OWN: Final[dict[Callable[[Any], Any], int]] = {
    normalise.text: 0,
    normalise.number: 1,
    normalise.attempt: 2,
    normalise.retries: 3,
}
_ONCE, _EACH_TIME = 4, 5
_ASKED: Final = (
    normalise.system,
    normalise.operation,
    normalise.operation_name,
    normalise.last_segment,
    normalise.event_time,
)
_FIELDS: Final = ("trace_id", "span_id", "parent_id", "link", "event_id", "correlation_id", "causation_id", "entity", "context")  # fmt: skip
_MAX_MAKERS: Final = 16  # of one thread: rules change seldom

_local = threading.local()


def _make(
    accepted: Accepted, rules: Rules, shared: Shared, spans: list[bytes], position: int
) -> Sequence[Ready | None]:
    """The spans of a scope ready, as ``timeline.ingest.facts.Make`` wants it."""
    request = from_hex(accepted.id, 8)
    if request is None or not usable(accepted.received):
        return [None] * len(spans)
    made: Sequence[Ready | None] = _maker(rules).make(spans, position, _shared(accepted, request, shared))
    return made


make: Final[Make | None] = None if native is None else _make
"""The native decoder, or ``None`` where it is not installed."""


def _plain(spans: list[bytes], attributes: list[bytes]) -> bool:
    """Whether these are plain, as ``timeline.ingest.otlp.Plain`` wants it."""
    told: bool = native.plain(spans, attributes)
    return told


plain: Final[Plain | None] = None if native is None else _plain
"""The native judge of requests, or ``None`` where it is not installed."""


def _maker(rules: Rules) -> Any:
    """This thread's own maker by these rules: it remembers what it met."""
    makers: dict[int, tuple[Rules, Any]] = _local.__dict__.setdefault("makers", {})
    known = makers.get(id(rules))
    if known is None:
        if len(makers) >= _MAX_MAKERS:
            makers.clear()
        known = makers[id(rules)] = rules, _new(rules)
    return known[1]


def _new(rules: Rules) -> Any:
    asked = {
        "attribute": attribute_tokens,
        "safe": safe,
        "text": text_of,
        "facets": facets_of,
        "readers": list(_ASKED),
        "subject": lambda kind, source, subject: _subject(rules, kind, source, subject),
        "samples": samples,
    }
    tables = {
        "message": list(MESSAGE_NAMES),
        "kafka": list(KAFKA_NAMES),
        "event": list(EVENT_NAMES),
        "fields": [field_affixes(name) for name in _FIELDS],
        "undropped": sorted_packed(NOTHING),
        "keyed": {name: kind for name, kind in rules.message_keys.items() if _names(kind)},
    }
    return native.Maker(lambda key: _key(rules, key), asked, tables)


def _subject(rules: Rules, kind: str | None, source: str | None, subject: str) -> tuple[str, str]:
    """Type and name of the entity that a CloudEvents subject is; no name where it is none."""
    named = subject_type(rules, EventInfo(type=kind, source=source, subject=subject))
    return (named, subject_name(subject)) if _names(named) else ("", "")


def _names(kind: str | None) -> bool:
    """Whether a type can have entities."""
    return bool(kind) and ":" not in str(kind) and len(str(kind)) <= MAX_LENGTH


def _key(rules: Rules, key: str) -> tuple[Any, ...]:
    """What a key means: starts of its tokens, whether it names an id, where it is promoted to, which entities
    its values are, which the key itself declares, and its place among those whose words are found."""
    source = SOURCES.get(key)
    promoted = None
    if source is not None:
        place = (_EVENT if source.of_event else _MESSAGE | _HINTS)[source.field]
        if source.read in _OWN:
            promoted = place, source.rank, _OWN[source.read], 0
        else:
            how = _EACH_TIME if source.read is normalise.event_time else _ONCE
            promoted = place, source.rank, how, _ASKED.index(source.read)
    kind = rules.attributes.get(key)
    return (
        heads(key),
        key in NAMED_IDS,
        promoted,
        kind if _names(kind) else None,
        _declared(key),
        _EXCEPTIONS.get(key),
    )


def _declared(key: str) -> tuple[bool, str] | None:
    for prefix, only_context in ((ENTITY_PREFIX, False), (CONTEXT_PREFIX, True)):
        if key.startswith(prefix):
            kind = key[len(prefix) :]
            return (only_context, kind) if _names(kind) else None
    return None


def _shared(accepted: Accepted, request: bytes, shared: Shared) -> Any:
    """What the spans have in common, packed."""
    who = shared.origin
    before = (accepted.workspace, accepted.sender, None)
    origin = (*who, shared.resource, scope_of(shared.scope), shared.schema_url)
    return native.Shared(
        digest=shared.digest,
        request=request,
        received=accepted.received,
        before=b"".join(map(packed, before)),
        origin=b"".join(map(packed, origin)),
        tokens=shared.tokens,
        fields=workspace_token(accepted.workspace),
        workspace=accepted.workspace,
        service=who.service,
        environment=who.environment,
        receipt=(accepted.workspace, accepted.id, accepted.sender),
        maker=(shared.resource, who.service, who.version, who.environment),
        receipt_of=Receipt,
        unpack=unpack,
    )
