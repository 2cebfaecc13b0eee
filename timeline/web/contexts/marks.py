"""Markers of deploys and changes: of a range, or placed on the folded axis of a story."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from timeline import markers
from timeline.models import Marker
from timeline.rebuild.scale import Scale
from timeline.search.query import Window
from timeline.web.contexts.story import x


def listed(window: Window, services: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The markers of a range that are about these services or about none; of all where none are given."""
    return [_told(one) for one in markers.drawn(window.start, window.end, services=tuple(services))]


def along(scale: Scale, services: Iterable[str]) -> list[dict[str, Any]]:
    """The markers between the ends of an axis that are about these services, or about none."""
    if not scale.stretches:
        return []
    found = markers.drawn(scale.start, scale.end + 1, services=tuple(services))
    return [{**_told(one), "x": x(scale.x(one.at))} for one in found if one.at >= scale.start]


def _told(one: Marker) -> dict[str, Any]:
    return {"at": one.at, "title": one.title, "kind": one.kind, "service": one.service, "url": one.url}
