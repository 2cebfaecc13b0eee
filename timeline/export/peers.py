"""What the exports for Jaeger's and Zipkin's readers have in common."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from timeline.domain import Event, Span, Stored

_ENTRIES = ("server", "consumer")


def notes_of(facts: Iterable[Stored]) -> dict[str, list[Event]]:
    """Events by the id of the span that they were told in; variants left out."""
    notes: dict[str, list[Event]] = {}
    for one in facts:
        if isinstance(one.fact, Event) and one.fact.ref is not None and not one.receipt.variant:
            notes.setdefault(one.fact.ref.span_id, []).append(one.fact)
    return notes


def server_halves(spans: Sequence[Span]) -> set[int]:
    """``id()`` of the spans of one trace that a server told under the id of its client's span, as Zipkin's
    instrumentation does."""
    first: dict[str, Span] = {}
    halves = set()
    for span in sorted(spans, key=lambda span: span.kind in _ENTRIES):
        other = first.setdefault(span.ref.span_id, span)
        if other is not span and span.kind in _ENTRIES:
            halves.add(id(span))
    return halves
