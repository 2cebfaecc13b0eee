"""``manage.py resummarise``: every summary made anew from the facts."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from timeline import wiring
from timeline.errors import ThroughlineError
from timeline.inbox.inbox import Inbox
from timeline.management.command import NodeCommand
from timeline.management.progress import Checkpoint, Progress
from timeline.management.walking import settled, workspaces_of
from timeline.reindexing import Slice, facts_of, held, slices
from timeline.store.port import Store

_WAITING: Final = 200_000  # touches noted at a time: the worker works them off meanwhile
_PATIENCE: Final = 120.0  # seconds in which a running worker gets on with some


class Command(NodeCommand):
    """Notes every entity as touched; the worker rebuilds what is noted."""

    help = "Rebuild the summaries of all entities from their facts. The worker must be running."

    def add_arguments(self, parser: CommandParser) -> None:
        """All workspaces, from where an interrupted run was."""
        parser.add_argument(
            "--workspace",
            action="append",
            default=[],
            help="only this one; may be repeated; all where absent",
        )
        parser.add_argument("--anew", action="store_true", help="start from the first fact again")

    def handle(self, *args: Any, workspace: list[str], anew: bool, **options: Any) -> None:
        """Walk over every fact, then wait until the worker is done."""
        inbox = wiring.inbox()
        try:
            began = time.time_ns()
            store = wiring.reader()
            until = settled(store)
            whole = not workspace
            for name in workspaces_of(store, workspace):
                self._note(store, inbox, name, until, anew=anew)
            if whole:
                inbox.found_again(began)
            bar = Progress("summaries", inbox.behind().touches)
            self._wait(inbox, 0, noted=time.time_ns(), bar=bar)
            bar.end()
        except ThroughlineError as error:
            raise CommandError(
                f"{error.message}. {error.remedy}. Run it again and it goes on where it was."
            ) from error
        self.stdout.write("Every entity has been summarised anew.")

    def _note(self, store: Store, inbox: Inbox, workspace: str, until: int, *, anew: bool) -> None:
        checkpoint = Checkpoint(Path(settings.DATA_DIR), "resummarise", workspace)
        if anew:
            checkpoint.forget()
        kept = checkpoint.read()
        until = kept.get("to", until)  # an interrupted run ends where it meant to
        start = kept.get("until", 0)
        bar = Progress(workspace, held(store, workspace, start, until))
        for part in slices(store, workspace, start, until):
            self._note_slice(store, inbox, workspace, part)
            checkpoint.write(until=part.end, to=until)
            bar.add(part.facts)
        bar.end()
        checkpoint.forget()

    def _note_slice(self, store: Store, inbox: Inbox, workspace: str, part: Slice) -> None:
        entities = {
            str(entity)
            for batch in facts_of(store, workspace, part)
            for stored in batch
            for entity in stored.fact.entities
        }
        self._wait(inbox, _WAITING)
        inbox.touch((workspace, entity) for entity in entities)

    def _wait(
        self, inbox: Inbox, most: int, *, noted: int | None = None, bar: Progress | None = None
    ) -> None:
        """Until no more than ``most`` touches wait, or none from before ``noted`` (ns)."""
        behind, since = inbox.behind(), time.monotonic()
        while behind.touches > most and (noted is None or (behind.oldest or noted) < noted):
            time.sleep(0.5)
            last, behind = behind, inbox.behind()
            if behind.touches < last.touches or behind.oldest != last.oldest:
                since = time.monotonic()
                if bar is not None:
                    bar.add(max(last.touches - behind.touches, 0))
            elif time.monotonic() - since > _PATIENCE:
                raise CommandError(
                    f"{behind.touches:,} touched entities wait and none was summarised in {_PATIENCE:.0f} s; "
                    "is the worker running (manage.py run)? Then run this again: it goes on where it was"
                )
