"""What a URL asks, read once for pages, API and files."""

from __future__ import annotations

import re
import time
from collections.abc import Mapping

from django.http import QueryDict

from timeline.cohorts.steps import step_name
from timeline.domain import Entity
from timeline.errors import BadQuery
from timeline.reading.search import Ask
from timeline.search.query import Window
from timeline.search.times import parse_duration, parse_time, parse_window
from timeline.store.port import COHORT_LIMIT, CohortQuery, Order

DEFAULT_RANGE = "24h"
MOST_STEPS = 50
MOST_BESIDE = 20
LONGEST_NAME = 256  # characters of an environment or of a facet's key
_ORDERS: dict[str, Order] = {
    "newest": "newest",
    "oldest": "oldest",
    "received": "received",
    "longest": "longest",
    "": "newest",
}


def window_of(params: Mapping[str, str], *, default: str | None = DEFAULT_RANGE) -> Window:
    """The asked range: ``from`` and ``to`` (ISO 8601, epoch or relative) or ``range``
    (``24h``, ``7d``, ``all``, an ISO interval). Raises ``BadQuery``."""
    now = time.time_ns()
    start, end = params.get("from", "").strip(), params.get("to", "").strip()
    if start or end:
        window = Window(
            start=parse_time(start, now) if start else None, end=parse_time(end, now) if end else None
        )
    else:
        text = params.get("range", "").strip() or default
        if text is None or text == "all":
            return Window()
        window = parse_window(text, now)
    if window.start is not None and window.end is not None and window.start >= window.end:
        raise BadQuery(
            "the range ends before it starts", remedy="give the earlier time as from and the later as to"
        )
    return window


def ask_of(params: Mapping[str, str], *, workspace: str = "main", most: int = 1000) -> Ask:
    """A whole search as a URL states it; raises ``BadQuery`` with the remedy."""
    order = _ORDERS.get(params.get("sort", ""))
    if order is None:
        raise BadQuery(
            f"cannot sort by {params['sort']!r}", remedy="sort is newest, oldest, received or longest"
        )
    limit = params.get("limit", "50")
    if not limit.isdecimal() or not 1 <= int(limit) <= most:
        raise BadQuery(f"{limit!r} is not a page size", remedy=f"limit is a number from 1 to {most:,}")
    return Ask(
        text=params.get("q", "").strip(),
        window=window_of(params),
        order=order,
        limit=int(limit),
        cursor=params.get("cursor") or None,
        workspace=workspace,
        environment=params.get("environment", "").strip()[:LONGEST_NAME],
        more=params.get("more", "").strip()[:LONGEST_NAME],
    )


def entity_of(text: str) -> Entity:
    """An entity written ``type:id``; raises ``BadQuery``."""
    try:
        return Entity.parse(text)
    except ValueError as error:
        raise BadQuery(str(error), remedy="write it like bet:8812") from error


def beside_of(params: Mapping[str, str]) -> tuple[Entity, ...]:
    """The entities that ``with`` names, with commas between; raises ``BadQuery``."""
    named = [text for text in params.get("with", "").split(",") if text]
    if len(named) > MOST_BESIDE:
        raise BadQuery(f"with names {len(named)} entities", remedy=f"name at most {MOST_BESIDE}")
    return tuple(dict.fromkeys(map(entity_of, named)))


def steps_of(params: QueryDict, name: str) -> tuple[str, ...]:
    """The steps that a parameter names, repeated or with commas between; ``\\,`` is a comma in a name."""
    found = [
        step_name(part.replace("\\,", ",").strip())
        for value in params.getlist(name)
        for part in re.split(r"(?<!\\),", value)
        if part.strip()
    ]
    if len(found) > MOST_STEPS:
        raise BadQuery(f"{name} names {len(found)} steps", remedy=f"name at most {MOST_STEPS}")
    return tuple(dict.fromkeys(found))


def cohort_of(kind: str, params: QueryDict) -> CohortQuery:
    """A cohort as a URL states it; raises ``BadQuery`` with the remedy."""
    now = time.time_ns()
    reached, missing = steps_of(params, "reached"), steps_of(params, "missing")
    both = [name for name in reached if name in missing]
    if both:
        raise BadQuery(
            f"{both[0][:100]!r} is both reached and missing: no entity can be that",
            remedy="name a step in one of the two",
        )
    limit = params.get("limit", "50")
    if not limit.isdecimal() or len(limit) > 9 or not 1 <= int(limit) <= COHORT_LIMIT:
        raise BadQuery(
            f"{limit[:20]!r} is not a page size", remedy=f"limit is a number from 1 to {COHORT_LIMIT:,}"
        )
    quiet_for, as_of = params.get("quiet_for", "").strip(), params.get("as_of", "").strip()
    return CohortQuery(
        type=kind,
        as_of=parse_time(as_of, now) if as_of else now,
        reached=reached,
        missing=missing,
        quiet_for=parse_duration(quiet_for) if quiet_for else None,
        environment=params.get("environment", "").strip() or None,
        limit=int(limit),
        cursor=params.get("cursor") or None,
    )
