"""What commands need that walk over a whole store: its workspaces, and up to when it is whole."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.core.management.base import CommandError

from timeline import records, wiring
from timeline.reading.coverage import CoverageReader
from timeline.reindexing import held
from timeline.search.query import Window
from timeline.store.port import Store

END_OF_TIME = (1 << 63) - 1


def settled(store: Store) -> int:
    """Everything received before this moment (ns) is in the store, from every node, and in sight."""
    values = settings.THROUGHLINE
    reader = CoverageReader(
        node=values["THROUGHLINE_NODE"],
        backlog=wiring.inbox().backlog,
        settling=wiring.inbox().settling,
        retention_days=values["THROUGHLINE_RETENTION_DAYS"],
        lag=store.visibility_lag,
    )
    return reader.read(Window(), "main").up_to


def workspaces_of(store: Store, named: Sequence[str]) -> list[str]:
    """The workspaces to walk: those named, else all known ones; refuses to leave any fact out."""
    if named:
        return sorted(set(named))
    size = store.size()["facts"]
    known = records.workspaces()
    found = {name: held(store, name, 0, END_OF_TIME) for name in known}
    if sum(found.values()) < size:
        raise CommandError(
            f"{size - sum(found.values()):,} facts belong to none of the known workspaces "
            f"({', '.join(known)}): name all of them with --workspace"
        )
    return [name for name, count in found.items() if count] or ["main"]
