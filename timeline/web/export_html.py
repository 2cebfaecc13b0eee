"""One HTML file to take away: the same drawing as the page, offline, without scripts.

It states what was asked, what the answer rests on, whether it is whole, and when it was
made; every time is UTC with nanoseconds in its title or beside it.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from django.template.loader import render_to_string

from timeline.answers import EntityAnswer, SearchAnswer, TraceAnswer
from timeline.domain import Row, Stored
from timeline.export.writers import Header
from timeline.web import colours, words
from timeline.web.contexts.entity import entity_page
from timeline.web.contexts.fact import message_lines, name_of
from timeline.web.contexts.rows import lines
from timeline.web.contexts.search import SEALS, coverage_lines
from timeline.web.contexts.trace import trace_page
from timeline.web.contexts.values import attributes, pretty
from timeline.web.held import Held

WHOLE = 1_000  # facts that are written out with all their attributes
_STATIC = Path(__file__).resolve().parent.parent / "static" / "timeline"
_SHEETS = ("tokens", "frame", "parts", "search", "fact", "story", "trace", "sequence", "entity", "export")


@cache
def _style() -> str:
    """Every sheet but the fonts: a file falls back to those of its reader."""
    sheets = [(_STATIC / "css" / f"{name}.css").read_text("utf-8") for name in _SHEETS]
    tokens = sheets[0]
    sheets[0] = tokens[tokens.index(":root") :]
    return "\n".join(sheets)


@cache
def drawing_style() -> str:
    """What a sequence diagram needs as a file of its own: the colours, and its own sheet."""
    tokens = (_STATIC / "css" / "tokens.css").read_text("utf-8")
    return tokens[tokens.index(":root") :] + (_STATIC / "css" / "sequence.css").read_text("utf-8")


@cache
def _icons() -> str:
    return (
        (_STATIC / "vendor" / "icons.svg")
        .read_text("utf-8")
        .replace("<svg ", '<svg class="defs" aria-hidden="true" ', 1)
    )


def render(
    answer: SearchAnswer | TraceAnswer | EntityAnswer, header: Header, facts: Sequence[Stored] | None = None
) -> str:
    """The whole file. ``facts`` are those of the search; a story brings its own."""
    held = (
        list(facts) if facts is not None else [] if isinstance(answer, SearchAnswer) else list(answer.facts)
    )
    context: dict[str, Any] = {"offline": True, "plain": True, "header": header, "time_style": "nanos"}
    if isinstance(answer, SearchAnswer):
        context |= _search(answer, held)
    elif isinstance(answer, TraceAnswer):
        context |= {**trace_page(Held(answer), {}, offline=True), "is_trace": True}
    else:
        context |= {**entity_page(answer, {"whole": "1"}), "is_entity": True}
    for line in context.get("lines", ()):
        line["href"] = f"#f-{line.get('id', '')}"
    context["coverage"] = coverage_lines(header.coverage)
    context["whole"] = [_whole(stored) for stored in held[:WHOLE]]
    context["not_whole"] = max(0, len(held) - WHOLE)
    context["variant_count"] = sum(stored.receipt.variant for stored in held)
    context["fact_count"] = len(held) - context["variant_count"]
    context["made_at"] = words.iso(header.made_at)
    page = render_to_string("timeline/export.html", context)
    return page.replace("/*style*/", _style(), 1).replace("<!--icons-->", _icons(), 1)


def _search(answer: SearchAnswer, held: Sequence[Stored]) -> dict[str, Any]:
    rows = [Row.of(stored) for stored in held]
    hues = colours.assign(row.service for row in rows)
    return {
        "is_search": True,
        "answer": answer,
        "verdict": answer.verdict,
        "sentence": answer.verdict.sentence,
        "seal": SEALS[answer.verdict.kind],
        "lines": lines(rows, {}, hues),
    }


def _whole(stored: Stored) -> dict[str, Any]:
    fact, receipt = stored.fact, stored.receipt
    body = getattr(fact, "body", None)
    groups = (("Attributes", fact.attributes), ("Resource", fact.resource))
    return {
        "id": receipt.id,
        "name": name_of(fact),
        "service": fact.service,
        "at": words.iso(fact.at) if fact.at is not None else "no time given",
        "until": words.iso(fact.until) if fact.until is not None else "",
        "received": words.iso(receipt.received),
        "trace": fact.ref.trace_id if fact.ref else "",
        "span": fact.ref.span_id if fact.ref else "",
        "entities": [str(each) for each in fact.entities],
        "context": [str(each) for each in fact.context],
        "message": message_lines(fact),
        "groups": [
            {"label": label, "items": [{**item, "href": ""} for item in attributes(pairs)]}
            for label, pairs in groups
            if pairs
        ],
        "body": pretty(body) if body is not None else None,
        "variant": receipt.variant,
    }
