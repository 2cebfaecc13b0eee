"""``manage.py import``: rows of a file as facts."""  # noqa: N999 - what people type

from __future__ import annotations

import hashlib
import os
import sys
from argparse import ArgumentParser
from pathlib import Path
from typing import Any, BinaryIO

import msgspec
from django.conf import settings
from django.core.management.base import CommandError

from timeline import wiring
from timeline.importing.mapping import Mapping, read, suggested
from timeline.importing.reading import records
from timeline.importing.work import Import, Refused, Sum, preview
from timeline.management.command import NodeCommand
from timeline.management.progress import Progress
from timeline.models import Audit, Declaration
from timeline.redactions import Redactions

_SHOWN = 20  # refused rows that are told one by one
_PREVIEW = 5


class Command(NodeCommand):
    """JSON lines or CSV, plain or gzip, by a mapping; it may be killed and begun again."""

    help = "Import the rows of a CSV or JSON lines file as facts, by a mapping file."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """The file, what its columns mean, and what to do."""
        parser.add_argument("file", help="the file (.csv, .jsonl, also .gz)")
        parser.add_argument("--mapping", help="a TOML file that says what the columns mean")
        parser.add_argument("--format", choices=("csv", "jsonl"), help="where the file's name does not tell")
        parser.add_argument("--suggest", action="store_true", help="print a mapping for this file, and stop")
        parser.add_argument("--dry-run", action="store_true", help="print the first rows as facts, and stop")
        parser.add_argument(
            "--complete",
            action="store_true",
            help="state that the file holds everything of its time: not seen can then be said of it",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        """Suggest, preview, or import."""
        path = Path(options["file"])
        kind = options["format"] or _kind(path)
        try:
            with path.open("rb") as stream:
                if options["suggest"]:
                    self._suggest(stream, kind, path)
                    return
                if not options["mapping"]:
                    raise CommandError("--mapping is missing; --suggest prints one to begin with")
                text = Path(options["mapping"]).read_text()
                mapping = read(text)
                if options["dry_run"]:
                    self._preview(stream, kind, mapping)
                    return
                total = self._import(stream, kind, mapping, text)
        except (OSError, UnicodeDecodeError) as error:
            raise CommandError(f"{error}") from error
        self._said(mapping, total, complete=options["complete"])

    def _suggest(self, stream: BinaryIO, kind: str, path: Path) -> None:
        first = next((one for one in records(stream, kind, ",") if one.values is not None), None)
        if first is None or first.values is None:
            raise CommandError("the file has no row that can be read; look at --format")
        self.stdout.write(suggested(path.name.partition(".")[0], list(first.values)))

    def _preview(self, stream: BinaryIO, kind: str, mapping: Mapping) -> None:
        for one in preview(records(stream, kind, mapping.delimiter), mapping, _PREVIEW):
            self._refused(one) if isinstance(one, Refused) else self.stdout.write(
                msgspec.json.format(msgspec.json.encode(one)).decode()
            )

    def _import(self, stream: BinaryIO, kind: str, mapping: Mapping, text: str) -> Sum:
        size = os.fstat(stream.fileno()).st_size
        begins = hashlib.sha256(text.encode() + stream.read(1 << 16)).hexdigest()
        stream.seek(0)
        redactions = Redactions()
        work = Import(
            wiring.inbox(),
            Path(settings.DATA_DIR),
            mapping,
            f"{size} {begins}",
            redaction=lambda: redactions.of("main"),
        )
        shown = 0

        def told(refused: Refused) -> None:
            nonlocal shown
            shown += 1
            if shown <= _SHOWN:
                self._refused(refused)

        progress = Progress("bytes read", size)
        at = 0

        def stepped(rows: int) -> None:
            nonlocal at
            now = stream.tell()
            progress.add(now - at)
            at = now

        try:
            return work.run(records(stream, kind, mapping.delimiter), told=told, stepped=stepped)
        finally:
            progress.end()
            work.close()
            redactions.write()

    def _refused(self, refused: Refused) -> None:
        self.stderr.write(f"line {refused.line}: {refused.reason}: {refused.message}")

    def _said(self, mapping: Mapping, total: Sum, *, complete: bool) -> None:
        bad = sum(total.refused.values())
        before = f", {total.before:,} done before" if total.before else ""
        self.stdout.write(f"{total.accepted:,} rows accepted{before}, {bad:,} refused")
        for reason, count in sorted(total.refused.items()):
            self.stdout.write(f"  {count:,} {reason}")
        Audit.objects.create(
            who="command line", what="import", detail=f"{mapping.name}, {bad} refused", rows=total.accepted
        )
        if complete and total.ever_refused:
            raise CommandError("some rows were refused, so it is not declared complete")
        if complete and total.first is not None and total.last is not None:
            Declaration.objects.create(
                start=total.first, end=total.last + 1, by="command line", note=f"import {mapping.name}"
            )
            self.stdout.write("its time is declared complete")


def _kind(path: Path) -> str:
    name = path.name.removesuffix(".gz")
    for ending, kind in ((".csv", "csv"), (".tsv", "csv"), (".jsonl", "jsonl"), (".ndjson", "jsonl")):
        if name.endswith(ending):
            return kind
    sys.stderr.write("the name tells no format; taken for JSON lines\n")
    return "jsonl"
