"""What can be done with a result list: sorted, its columns and density, followed, saved, waited for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import parse_qs, urlencode

from django.http import QueryDict

from timeline.answers import SearchAnswer
from timeline.web.contexts import columns
from timeline.web.contexts.frame import CARRIED, link

OWN: Final = ("cursor", "view", "more", "find", "fact", "back", "was", "tail")  # beside what is carried
_PASSING: Final = ("cursor", "more", "find", "fact")  # of one view of one answer, not of the question
KEPT: Final = ("from", "to", "range", "sort", "environment", "columns", "density")  # of a saved search
LONGEST_BACK: Final = 8_192


def asked(params: Mapping[str, str]) -> dict[str, str]:
    """What a link to another question keeps of this page."""
    return {name: value for name, value in params.items() if name not in _PASSING}


def query_of(params: Mapping[str, str]) -> str:
    """The rest of a search's URL without its text, for keeping; only what a search page knows."""
    return urlencode([(name, params[name]) for name in KEPT if params.get(name)])


def known_query(text: str) -> str:
    """A query string from outside, less everything that a search page does not know."""
    found = QueryDict(text[:LONGEST_BACK])
    return query_of({name: str(found.get(name, "")) for name in KEPT})


def page_controls(answer: SearchAnswer, params: Mapping[str, str], view: dict[str, Any]) -> dict[str, Any]:
    """The controls over the rows, as links that hold the whole state."""
    keep = asked(params)
    orders = {
        key: {
            "label": label,
            "title": title,
            "href": link("/search", keep, sort=None if key == "newest" else key, tail=None),
            "here": answer.order == key,
        }
        for key, label, title in (
            ("newest", "Newest", "Newest first"),
            ("oldest", "Oldest", "Oldest first"),
            ("received", "Received", "As received, the newest first"),
            ("longest", "Longest", "What took longest first"),
        )
    }
    return {
        "orders": list(orders.values()),
        "time_order": orders["oldest" if answer.order == "newest" else "newest"],
        "time_sorted": {"newest": "descending", "oldest": "ascending"}.get(answer.order, "none"),
        "column_orders": {"work": orders["longest"], "received": orders["received"]},
        "columns_menu": _columns_menu(params, view),
        "densities": [
            {"label": name.capitalize(), "href": link("/search", params, density=name), "here": view["density"] == name}
            for name in columns.DENSITIES
        ],
        "tail": _tail(answer, params),
        "back": _back(params),
        "zoom_out": zoom_out(params),
        "kept_query": query_of(params),
        "facet_fields": [(name, value) for name, value in keep.items() if value],
        "close_panel": link("/search", params, fact=None),
        "everywhere_href": link("/search", keep, environment=None),
        "watch_fields": [(name, params[name]) for name in ("q", *CARRIED) if params.get(name)],
        "watch_back": urlencode([(name, params[name]) for name in ("q", *KEPT) if params.get(name)]),
    }  # fmt: skip


def _columns_menu(params: Mapping[str, str], view: dict[str, Any]) -> dict[str, Any]:
    """Every column as a link that puts it in or takes it out, and those in force moved by one."""
    now = [column.key for column in view["columns"]]

    def to(keys: list[str]) -> str:
        return link("/search", params, columns=",".join(keys))

    shown = [
        {
            "key": column.key,
            "label": column.label,
            "out": to([key for key in now if key != column.key]) if column.key != "name" else "",
            "up": to(_moved(now, place)) if place else "",
        }
        for place, column in enumerate(view["columns"])
    ]
    others = [
        {"label": column.label, "in": to([*now, column.key])}
        for column in columns.COLUMNS.values()
        if column.key not in now
    ]
    return {
        "shown": shown,
        "others": others,
        "value": ",".join(now),
        "full": len(now) >= columns.MOST,
        "fields": [(name, value) for name, value in params.items() if name != "columns" and value],
    }


def _moved(keys: list[str], place: int) -> list[str]:
    return [*keys[: place - 1], keys[place], keys[place - 1], *keys[place + 1 :]]


def _tail(answer: SearchAnswer, params: Mapping[str, str]) -> dict[str, Any]:
    """Following live goes by received order: a fact that comes late is new all the same."""
    on = params.get("tail") == "1" and not params.get("cursor")
    start = link("/search", asked(params), tail="1", sort="received", fact=None)
    return {
        "on": on,
        "href": link("/search", params, tail=None) if on else start,
        "after": answer.coverage.up_to,
        "source": link("/search/tail", {name: params[name] for name in ("q", *CARRIED) if name in params}),
    }


def _back(params: Mapping[str, str]) -> dict[str, str] | None:
    """The way back from the events around one: the search it was found by."""
    text = params.get("back", "")[:LONGEST_BACK]
    if not text:
        return None
    found = {name: values[0] for name, values in parse_qs(text).items()}
    known = {name: found[name] for name in ("q", *CARRIED, *OWN) if name in found and name != "back"}
    return {"href": link("/search", known), "label": known.get("q", "") or "all facts"}


def zoom_out(params: Mapping[str, str]) -> str:
    """The range before the last zoom."""
    was = params.get("was", "")
    return (
        link("/search", asked(params), **{"from": None, "to": None, "range": was, "was": None}) if was else ""
    )


def was_of(params: Mapping[str, str], usual: str) -> str:
    """The range in force as one word, for the way back from a zoom."""
    start, end = params.get("from", ""), params.get("to", "")
    if start or end:
        return f"{start or '..'}/{end or '..'}"
    return params.get("range", "") or usual
