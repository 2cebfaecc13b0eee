"""``manage.py reindex``: every fact of one store into another."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management.base import CommandError, CommandParser

from timeline import wiring
from timeline.errors import ThroughlineError
from timeline.management.command import NodeCommand
from timeline.management.progress import Checkpoint, Progress
from timeline.management.walking import settled, workspaces_of
from timeline.models import Audit
from timeline.reindexing import Copied, Move, Slice, held
from timeline.search.times import format_ns
from timeline.store.port import Store


class Command(NodeCommand):
    """Copies facts as they are, ids and receipts included; the source may go on meanwhile."""

    help = (
        "Copy every fact from one store to another, for example from the embedded index to Elasticsearch. "
        "Repeat it at will: after an interruption it goes on where it was, later it copies what came since."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Where from and where to."""
        parser.add_argument("source", help="as THROUGHLINE_STORE_URL: tantivy, or tantivy:///a/folder")
        parser.add_argument("target", help="as THROUGHLINE_STORE_URL, and another one than the source")
        parser.add_argument(
            "--workspace",
            action="append",
            default=[],
            help="only this one; may be repeated; all where absent",
        )
        parser.add_argument("--anew", action="store_true", help="start from the first fact again")

    def handle(
        self, *args: Any, source: str, target: str, workspace: list[str], anew: bool, **options: Any
    ) -> None:
        """Copy, then count both stores; fails where one fact is missing."""
        if source == target:
            raise CommandError("source and target are the same store")
        try:
            reading = wiring.open_store(source, writable=False)
            try:
                writing = wiring.open_store(target, writable=True)
                try:
                    self._move(reading, writing, (source, target), workspace, anew=anew)
                finally:
                    writing.close()
            finally:
                reading.close()
        except ThroughlineError as error:
            raise CommandError(
                f"{error.message}. {error.remedy}. Nothing is lost: run it again and it goes on where it was."
            ) from error

    def _move(
        self, source: Store, target: Store, names: tuple[str, str], named: list[str], *, anew: bool
    ) -> None:
        until = settled(source)
        copied = Copied()
        for workspace in workspaces_of(source, named):
            move = Move(source, target, workspace)
            checkpoint = Checkpoint(Path(settings.DATA_DIR), "reindex", *names, workspace)
            if anew:
                checkpoint.forget()
            start = checkpoint.read().get("until", 0)
            bar = Progress(workspace, held(source, workspace, start, until))

            def done(part: Slice, bar: Progress = bar, checkpoint: Checkpoint = checkpoint) -> None:
                checkpoint.write(until=part.end)
                bar.add(part.facts)

            move.copy(start, until, done=done)
            checkpoint.write(until=until)
            bar.end()
            missing = list(move.differences(0, until))
            _add(copied, move.copied)
            self._tell(source, target, workspace, until, missing, copied)
        shown = " to ".join(_shown(name) for name in names)
        Audit.objects.create(who="command line", what="reindex", detail=shown[:1000], rows=copied.facts)
        self.stdout.write(
            f"{copied.stored:,} facts copied, {copied.already:,} were there already. The target holds everything "
            f"received before {format_ns(until)}. Run it again to follow; the last time with the worker stopped, "
            "before THROUGHLINE_STORE_URL names the target."
        )

    def _tell(
        self, source: Store, target: Store, workspace: str, until: int, missing: list[Slice], copied: Copied
    ) -> None:
        here, there = (held(store, workspace, 0, until) for store in (source, target))
        self.stdout.write(f"{workspace}: {here:,} facts in the source, {there:,} in the target")
        if missing:
            told = "; ".join(f"{name}: {reason}" for name, reason in copied.reasons.items())
            raise CommandError(
                f"the target lacks facts of {workspace} received from {format_ns(missing[0].start)} to "
                f"{format_ns(missing[-1].end)}; it refused {copied.refused:,}. {told}"
            )


def _add(total: Copied, more: Copied) -> None:
    total.stored += more.stored
    total.already += more.already
    total.refused += more.refused
    total.reasons.update(more.reasons)


def _shown(url: str) -> str:
    """The address without a password."""
    parts = urlsplit(url)
    return url if parts.password is None else url.replace(f":{parts.password}@", ":…@")
