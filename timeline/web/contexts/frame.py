"""What the frame of every page needs: places, box, time range, the reader's choices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlencode

from django.contrib.auth.models import User
from django.db import Error
from django.http import HttpRequest

from timeline import records, searches
from timeline.reading import watches
from timeline.web import words
from timeline.web.asked import DEFAULT_RANGE

PLACES = (
    ("home", "/", "Home", "Home", "house"),
    ("search", "/search", "Search", "Search", "search"),
    ("seen", "/seen", "Check many ids", "Check ids", "list-checks"),
    ("flows", "/flows", "Flows", "Flows", "waypoints"),
    ("senders", "/senders", "Senders", "Senders", "radio-tower"),
    ("help", "/help", "Help", "Help", "circle-question-mark"),
)
QUICK = (
    ("15m", "15 min"),
    ("1h", "1 h"),
    ("6h", "6 h"),
    ("24h", "24 h"),
    ("2d", "2 days"),
    ("7d", "7 days"),
    ("14d", "14 days"),
    ("all", "All"),
)
WIDE = ("trace", "entity")  # pages whose drawing needs the room of the rail
# what a search keeps when its text changes
CARRIED = ("from", "to", "range", "sort", "environment", "columns", "density")
PLACED = ("home", "search")  # pages whose answers go by environment
LISTED = 7  # saved searches in the rail


def link(path: str, params: Mapping[str, Any], **changes: Any) -> str:
    """The path with these parameters, some changed; ``None`` and empty ones are left out."""
    merged = {**params, **changes}
    query = urlencode([(name, value) for name, value in merged.items() if value not in (None, "")])
    return f"{path}?{query}" if query else path


def entity_path(entity: str) -> str:
    """``/e/type/id`` for ``type:id``; an id may hold a slash."""
    kind, _, name = entity.partition(":")
    return f"/e/{quote(kind, safe='')}/{quote(name, safe='/')}"


def kept(request: HttpRequest) -> dict[str, str]:
    """The parameters that make up the reader's search, for links back to it."""
    return {name: request.GET[name] for name in ("q", *CARRIED) if request.GET.get(name)}


def frame(request: HttpRequest, page: str, title: str, **more: Any) -> dict[str, Any]:
    """The context every page shares; ``more`` may give ``q`` and ``understood``."""
    params = kept(request)
    q = more.pop("q", params.get("q", ""))
    user = getattr(request, "user", None)
    name = user.get_username() if user is not None else ""
    return {
        "page": page,
        "title": title,
        "q": q,
        "params": params,
        "theme": _choice(request, "theme", ("light", "dark"), "auto"),
        "rail": _choice(request, "rail", ("closed", "open"), "closed" if page in WIDE else "open"),
        "zone": _choice(request, "zone", ("local",), "utc"),
        "places": [
            {"href": href, "label": label, "short": short, "icon": icon, "here": key == page}
            for key, href, label, short, icon in PLACES
        ],
        "initials": words.visible(name[:2]).upper(),
        "carry": [(key, params[key]) for key in CARRIED if key in params],
        "carry_plain": [(key, params[key]) for key in CARRIED if key in params and key not in _TIMES],
        "environment": environment(params, q) if page in PLACED else None,
        **_of_people(user),
        "range": time_range(params, q),
        "results_href": link("/search", params) if params else "",
        **more,
    }


_TIMES = ("from", "to", "range")


def environment(params: Mapping[str, str], q: str) -> dict[str, Any] | None:
    """The switch beside the box: every environment that sends, as links; nothing where none is named."""
    chosen = params.get("environment", "")
    try:
        names = records.environments("main")
    except Error:
        names = ()
    if not names and not chosen:
        return None
    listed = [("", "All environments"), *((name, name) for name in dict.fromkeys((*names, chosen)) if name)]
    options = [
        {
            "label": label,
            "href": link("/search", {**params, "q": q}, environment=name),
            "here": name == chosen,
        }
        for name, label in listed
    ]
    return {"chosen": chosen, "options": options}


def _of_people(user: Any) -> dict[str, Any]:
    """What is kept for who reads: the bell's number and the team's saved searches.

    A page that says the database is away is a page all the same.
    """
    if not isinstance(user, User):
        return {"arrived": 0, "saved": []}
    try:
        named = searches.saved(most=LISTED + 1)
        told = watches.arrived(user.pk)
    except Error:
        return {"arrived": 0, "saved": []}
    return {
        "arrived": told,
        "saved": [
            {"name": kept.name, "href": searches_href(kept), "note": kept.note} for kept in named[:LISTED]
        ],
        "more_saved": len(named) > LISTED,
    }


def searches_href(kept: searches.Kept) -> str:
    """The address that asks a kept search again."""
    text = urlencode({"q": kept.text}) if kept.text else ""
    return "/search?" + "&".join(part for part in (text, kept.query) if part)


def _choice(request: HttpRequest, name: str, allowed: tuple[str, ...], otherwise: str) -> str:
    value = request.COOKIES.get(name, "")
    return value if value in allowed else otherwise


def time_range(params: Mapping[str, str], q: str) -> dict[str, Any]:
    """The time menu: quick ranges as links, and what is chosen now."""
    start, end = params.get("from", ""), params.get("to", "")
    chosen = "" if start or end else params.get("range", DEFAULT_RANGE)
    quick = [
        {
            "label": label,
            "href": link("/search", {**params, "q": q}, **{"from": None, "to": None, "range": key}),
            "here": chosen == key,
        }
        for key, label in QUICK
    ]
    named = {key: f"Last {label}" for key, label in QUICK} | {"all": "All time"}
    label = named.get(chosen) or _short(chosen) or f"{_short(start) or 'start'} to {_short(end) or 'now'}"
    return {"from": start, "to": end, "quick": quick, "label": label}


def _short(text: str) -> str:
    if text.isdecimal() and len(text) > 15:
        return words.clock(int(text[:19]), 0)
    _, t, rest = text.partition("T")
    return words.visible(rest[:8] if t and rest else text)[:40]
