"""One key, one environment: what says that it comes from another is refused, never relabelled.

A label that is put right behind the sender's back would be one that nobody can trust: in a search for
production there is what came by a key of production, and a service with the wrong label or the wrong
key is told so. What names no environment gets its key's.
"""

from __future__ import annotations

from typing import Any, Final

from timeline.ingest.normalise import origin
from timeline.ingest.parsed import Parsed, ResourceGroup, refuse
from timeline.ingest.request import BadItem

_LEVEL: Final = 1  # message level of a KeyValue in a resource


def foreign(group: ResourceGroup, dialect: Any, environment: str) -> str:
    """The other environment that a resource names; empty where it names none or the key's."""
    if not environment or group.resource is None:
        return ""
    try:
        named = origin(dialect.attributes(group.resource.attributes, _LEVEL)).environment
    except ValueError:  # a resource that cannot be read is judged with its items
        return ""
    return "" if named == environment else named


def foreigners(parsed: Parsed, environment: str) -> dict[int, BadItem]:
    """Items of a request, by position, that belong to another environment than its key."""
    found: dict[int, BadItem] = {}
    position = 0
    for group in parsed.groups:
        named = foreign(group, parsed.dialect, environment)
        for scope in group.scopes:
            for item in scope.items:
                if named and item is not None:
                    found[position] = refuse(position, verdict(named, environment), parsed.dialect.data(item))
                position += 1
    return found


def verdict(named: str, environment: str) -> tuple[str, str]:
    """Reason and sentence for an item of another environment."""
    return (
        "foreign_environment",
        f"this key writes into {environment!r} only, and this says that it comes from {named[:100]!r}; send it"
        " with a key of that environment, or correct deployment.environment.name",
    )
