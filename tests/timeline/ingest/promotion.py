"""Attributes to promoted facts in one call, for tests."""

from __future__ import annotations

from typing import Any

from timeline.domain import EventInfo, Message
from timeline.ingest.normalise import promote, reads


def promoted(
    attributes: dict[str, Any], kind: str = "", name: str = ""
) -> tuple[Message | None, EventInfo | None]:
    return promote(reads(attributes), attributes, kind, name)


def message(attributes: dict[str, Any], kind: str = "", name: str = "") -> Message:
    found, _ = promoted(attributes, kind, name)
    assert found is not None
    return found
