"""Markers of deploys and changes that fall into a story, placed on its folded axis."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.db import Error

from timeline import markers
from timeline.rebuild.scale import Scale
from timeline.web.contexts.story import x


def along(scale: Scale, services: Iterable[str]) -> list[dict[str, Any]]:
    """The markers between the ends of an axis that are about these services, or about none."""
    if not scale.stretches:
        return []
    try:
        found = markers.between(scale.start, scale.end + 1, services=tuple(services))
    except Error:
        return []  # a story without them is a story all the same
    return [
        {
            "at": one.at,
            "x": x(scale.x(one.at)),
            "title": one.title,
            "kind": one.kind,
            "service": one.service,
            "url": one.url,
        }
        for one in found
        if one.at >= scale.start
    ]
