"""Facets: values with counts, to filter in and out, to look into and to search within."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from timeline.answers import Pick, SearchAnswer
from timeline.reading.search import FEW
from timeline.search.form import picked
from timeline.store.port import Facet
from timeline.web.contexts import controls, rows
from timeline.web.contexts.frame import link

LABELS: Final = {
    "fact": "Kind",
    "type": "Event type",
    "service": "Service",
    "name": "Operation",
    "destination": "Destination",
    "status": "Status",
    "span_kind": "Span kind",
    "environment": "Environment",
}
SHOWN: Final = 200  # values of one that is


def listed(answer: SearchAnswer, params: Mapping[str, str], hues: Mapping[str, int]) -> list[dict[str, Any]]:
    """Every facet that has a value; the one named by ``more`` whole, and first where it is no usual one."""
    picks = {pick.field: pick for pick in answer.picks}
    return [
        _facet(facet, params, hues, picks.get(facet.field))
        for facet in answer.facets
        if facet.values or facet.field == params.get("more")
    ]


def _facet(
    facet: Facet, params: Mapping[str, str], hues: Mapping[str, int], pick: Pick | None
) -> dict[str, Any]:
    asked = controls.asked(params)
    within = facet.field == params.get("more")
    sought = params.get("find", "").strip() if within else ""
    values = [value for value in facet.values if sought.casefold() in value.value.casefold()]
    return {
        "field": facet.field,
        "label": LABELS.get(facet.field, facet.field),
        "sampled": facet.sampled,
        "within": within,
        "find": sought,
        "more_href": link("/search", params, more=facet.field, find=None)
        if not within and len(facet.values) >= FEW
        else "",
        "less_href": link("/search", params, more=None, find=None) if within else "",
        "left_out": max(0, len(values) - SHOWN),
        "values": [
            {
                **(_picked(asked, pick, value.value) if pick else rows.door(asked, facet.field, value.value)),
                "count": value.count,
                "hue": hues.get(value.value) if facet.field == "service" else None,
            }
            for value in values[:SHOWN]
        ],
    }


def _picked(asked: Mapping[str, str], pick: Pick, value: str) -> dict[str, Any]:
    """Links of a value where some are picked: this one alone, this one too, or no longer."""
    here = value in pick.values
    others = [one for one in pick.values if one != value]

    def to(*values: str) -> str:
        return link("/search", asked, q=picked(pick, values) or "*")

    return {
        "value": value,
        "picked": here,
        "only": to(*others) if here else to(value),
        "also": "" if here else to(*pick.values, value),
        "without": "",
    }
