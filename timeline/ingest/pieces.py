"""Parts of a fact: links, annotations, what was dropped, and what a body says of itself."""

from __future__ import annotations

from typing import Any, Final

from timeline.domain import Annotation, Dropped, Link, SpanRef, Value
from timeline.ingest.parsed import NO_SPAN, NO_TRACE

MAX_LEAVES: Final = 200  # of a body; more are stored, but not each findable by its key
_NAME_LENGTH: Final = 200
_PART_LEVEL: Final = 2  # message level of a KeyValue in a link or an annotation
NOTHING: Final = Dropped()


def more_leaves(body: Value, limit: int = MAX_LEAVES) -> bool:
    """Whether a body has more leaves than a store makes findable."""
    left = limit
    waiting = [body] if type(body) in (list, dict) else []
    while waiting:
        value = waiting.pop()
        for one in value.values() if type(value) is dict else value:
            if type(one) in (list, dict):
                waiting.append(one)
            else:
                left -= 1
                if left < 0:
                    return True
    return False


def dropped(attributes: int, annotations: int, links: int) -> Dropped:
    """What the sender's limits cut off."""
    if attributes or annotations or links:
        return Dropped(attributes=attributes, annotations=annotations, links=links)
    return NOTHING


def link_of(link: Any, read: Any) -> Link:
    """A link, its attributes by ``read``."""
    return Link(
        ref=SpanRef(trace_id=link.trace_id.hex(), span_id=link.span_id.hex()),
        attributes=read(link.attributes, _PART_LEVEL),
        trace_state=link.trace_state,
        flags=link.flags,
        dropped_attributes=link.dropped_attributes_count,
    )


def annotation_of(note: Any, read: Any) -> Annotation:
    """An annotation, its attributes by ``read``."""
    return Annotation(
        at=note.time_unix_nano or None,
        name=note.name,
        attributes=read(note.attributes, _PART_LEVEL),
        dropped_attributes=note.dropped_attributes_count,
    )


def log_ref(trace_id: bytes, span_id: bytes) -> SpanRef | None:
    """Invalid ids mean that a record belongs to no trace (opentelemetry-proto ``logs.proto``)."""
    if len(trace_id) != 16 or trace_id == NO_TRACE:
        return None
    valid = len(span_id) == 8 and span_id != NO_SPAN
    return SpanRef(trace_id=trace_id.hex(), span_id=span_id.hex() if valid else "")


def headline(body: Value) -> str:
    """The first line of a text body: what a list of facts can show of a plain log record."""
    return body.strip().partition("\n")[0].strip()[:_NAME_LENGTH] if type(body) is str else ""
