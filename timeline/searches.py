"""What people keep of their searches: the saved ones of a team, the recent ones of a person.

A search is kept as its text and ``query``, the rest of its URL without ``q``. Nothing here changes what a
search answers.
"""

from __future__ import annotations

import hashlib
import logging
import time
from typing import Final, NamedTuple

from django.db import Error, transaction

from timeline.errors import BadQuery
from timeline.models import RecentSearch, SavedSearch

log = logging.getLogger(__name__)
RECENT: Final = 20  # of a person
SAVED: Final = 200  # of a workspace
LONGEST_TEXT: Final = 8_192
LONGEST_QUERY: Final = 4_096
_AGAIN: Final = 60 * 10**9  # ns in which the same text is not written again


class Kept(NamedTuple):
    """A search as it is listed: ``text`` may be empty, which asks for everything."""

    id: int
    text: str
    query: str
    name: str = ""
    note: str = ""
    by: str = ""
    at: int = 0  # ns, of a recent one


def remember(user: int, text: str, query: str) -> None:
    """Put a search first among the recent ones of a person; what is too long to be listed is left out.

    Never raises; where the database is busy it may take a while, but no answer is lost by it.
    """
    if not text or len(text) > LONGEST_TEXT or len(query) > LONGEST_QUERY:
        return
    now = time.time_ns()
    digest = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
    try:
        mine = RecentSearch.objects.filter(user_id=user)
        last = mine.order_by("-at").values_list("digest", "query", "at").first()
        if last is not None and last[:2] == (digest, query) and now - last[2] < _AGAIN:
            return
        with transaction.atomic():
            RecentSearch.objects.update_or_create(
                user_id=user, digest=digest, defaults={"text": text, "query": query, "at": now}
            )
            old = mine.order_by("-at").values_list("pk", flat=True)[RECENT:]
            mine.filter(pk__in=list(old)).delete()
    except Error as error:
        log.warning("a recent search was not noted: %s", error)


def recent(user: int, most: int = RECENT) -> list[Kept]:
    """The newest first."""
    rows = RecentSearch.objects.filter(user_id=user).order_by("-at")[:most]
    return [Kept(id=row.pk, text=row.text, query=row.query, at=row.at) for row in rows]


def forget_recent(user: int) -> None:
    """Forget every recent search of a person."""
    RecentSearch.objects.filter(user_id=user).delete()


def saved(workspace: str = "main", most: int = SAVED) -> list[Kept]:
    """The saved searches of a workspace by name."""
    rows = SavedSearch.objects.filter(workspace=workspace).order_by("name")[:most]
    return [
        Kept(id=row.pk, text=row.text, query=row.query, name=row.name, note=row.note, by=row.by)
        for row in rows
    ]


def save(kept: Kept, *, workspace: str = "main") -> Kept:
    """Keep a search under its name; raises ``BadQuery`` where the name is empty, taken by
    somebody else, or there are too many. The same person saves again under the same name."""
    name = " ".join(kept.name.split())[:80]
    if not name:
        raise BadQuery("a saved search needs a name", remedy="name it as you would call it aloud")
    if len(kept.text) > LONGEST_TEXT or len(kept.query) > LONGEST_QUERY:
        raise BadQuery("this search is too long to be saved", remedy="save a shorter question")
    with transaction.atomic():
        there = SavedSearch.objects.filter(workspace=workspace)
        taken = there.filter(name=name).first()
        if taken is not None and taken.by != kept.by:
            raise BadQuery(f"{taken.by} saved a search as {name!r}", remedy="give yours another name")
        if taken is None and there.count() >= SAVED:
            raise BadQuery(f"{SAVED} searches are saved already", remedy="remove one that nobody needs")
        row, _ = SavedSearch.objects.update_or_create(
            workspace=workspace,
            name=name,
            defaults={"text": kept.text, "query": kept.query, "note": kept.note[:300], "by": kept.by},
        )
    return kept._replace(id=row.pk, name=name)


def forget_saved(pk: int, *, by: str, staff: bool, workspace: str = "main") -> bool:
    """Remove a saved search that is one's own; an operator may remove any. Whether it was there."""
    rows = SavedSearch.objects.filter(workspace=workspace, pk=pk)
    return bool((rows if staff else rows.filter(by=by)).delete()[0])
