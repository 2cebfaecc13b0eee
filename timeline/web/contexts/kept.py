"""Recent and saved searches as lists of links."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.http import HttpRequest

from timeline import searches
from timeline.searches import Kept
from timeline.web.contexts.frame import searches_href

LISTED = 8  # of each kind, under the box


def searches_json(request: HttpRequest) -> list[dict[str, Any]]:
    """What the empty box offers: recent searches of the person who asks, then the saved ones."""
    user = getattr(request, "user", None)
    lately = searches.recent(user.pk, LISTED) if isinstance(user, User) else []
    named = searches.saved(most=LISTED)
    return [_offer("recent", kept, kept.text) for kept in lately] + [
        _offer("saved", kept, kept.name) for kept in named
    ]


def _offer(kind: str, kept: Kept, label: str) -> dict[str, Any]:
    line = " ".join(label.split())
    return {
        "kind": kind,
        "text": kept.text,
        "label": line[:200],
        "note": kept.note,
        "href": searches_href(kept),
    }
