"""Linked traces with what ties them, and the parents that nobody sent with who names them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from timeline.answers import TraceAnswer
from timeline.web.contexts.frame import link

MOST = 50  # of each kind on a page; the rest is counted


def linked_lines(answer: TraceAnswer, back: Mapping[str, str]) -> dict[str, Any]:
    """Traces before and after this one; with any that is linked and not otherwise explained."""
    told = {one.trace_id for one in answer.linked}
    lines = [
        {
            "id": one.trace_id,
            "href": link(f"/traces/{one.trace_id}", back, span=one.there),
            "before": one.toward == "before",
            "why": one.why,
            "here": one.here,
            "here_href": link(f"/facts/{one.here}", back),
            "service": one.service,
            "name": one.name,
            "at": one.at,
            "more": one.ties - 1,
            "received": one.there is not None,
        }
        for one in answer.linked
    ]
    lines += [
        {
            "id": other,
            "href": link(f"/traces/{other}", back),
            "before": True,
            "why": "span link",
            "received": False,
        }
        for other in answer.timeline.linked
        if other not in told
    ]
    return {"lines": lines[:MOST], "cut": max(0, len(lines) - MOST)}


def missing_lines(answer: TraceAnswer, back: Mapping[str, str]) -> dict[str, Any]:
    """Each absent parent with the first span that names it and how many do."""
    wanted = {ref.span_id: ref for ref in answer.timeline.missing}
    named: dict[str, list[Any]] = {}
    for stored in answer.facts if wanted else ():
        fact = stored.fact
        parent = getattr(fact, "parent", None)
        if parent is None and fact.ref is not None and not hasattr(fact, "links"):
            parent = fact.ref.span_id  # an event was made inside a span
        if parent in wanted:
            named.setdefault(parent, []).append(stored)
    lines = []
    for span_id in list(wanted)[:MOST]:
        children = named.get(span_id, [])
        first = children[0] if children else None
        lines.append(
            {
                "span": span_id,
                "service": first.fact.service if first else "",
                "name": first.fact.name if first else "",
                "id": first.receipt.id if first else "",
                "href": link(f"/facts/{first.receipt.id}", back) if first else "",
                "more": max(0, len(children) - 1),
            }
        )
    return {"lines": lines, "count": len(wanted), "cut": max(0, len(wanted) - MOST)}
