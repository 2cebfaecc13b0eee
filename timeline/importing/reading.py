"""Cuts a file into records: JSON lines or CSV, plain or gzip, in bounded memory."""

from __future__ import annotations

import csv
import gzip
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Final, NamedTuple

from timeline.errors import MalformedPayload, Rejected
from timeline.ingest.values import loads

LINE: Final = 1 << 20  # bytes of a line, and characters of a CSV field
_BLOCK: Final = 1 << 16
_SAMPLE: Final = 4_096  # bytes of a refused row that are kept


class Record(NamedTuple):
    """One row of a file: its line, and its values; or why it has none, with its bytes."""

    line: int
    values: dict[str, Any] | None
    reason: str = ""
    message: str = ""
    sample: bytes = b""


def records(stream: BinaryIO, kind: str, delimiter: str) -> Iterator[Record]:
    """The rows of a file of ``kind`` csv or jsonl, from the first; gzip is seen by its first bytes.

    What is wrong with one row is told of that row. Raises ``MalformedPayload`` where the file as a
    whole cannot be read: broken gzip, a CSV without a header.
    """
    opened = _inflated(stream)
    try:
        yield from _csv(opened, delimiter) if kind == "csv" else _json_lines(opened)
    except (OSError, EOFError, zlib.error) as error:
        raise MalformedPayload(
            f"the file cannot be read on: {error}",
            remedy="what came before is kept; mend the file and import it again under the same name",
        ) from error


def _inflated(stream: BinaryIO) -> BinaryIO:
    head = stream.peek(2)[:2] if hasattr(stream, "peek") else b""
    return gzip.GzipFile(fileobj=stream) if head == b"\x1f\x8b" else stream  # type: ignore[return-value]


def _lines(stream: BinaryIO) -> Iterator[tuple[int, bytes, bool]]:
    """Number, bytes and whether all of it is there, of each line; too long ones are cut."""
    number = 0
    while line := stream.readline(LINE + 1):
        number += 1
        whole = len(line) <= LINE
        if not whole and not line.endswith(b"\n"):
            while (rest := stream.readline(_BLOCK)) and not rest.endswith(b"\n"):
                pass
        yield number, line, whole


def _json_lines(stream: BinaryIO) -> Iterator[Record]:
    for number, line, whole in _lines(stream):
        text = line.removeprefix(b"\xef\xbb\xbf").strip() if number == 1 else line.strip()
        if not whole:
            yield Record(
                number, None, "too_long", f"the line has over {LINE:,} bytes; shorten it", line[:_SAMPLE]
            )
        elif text:
            try:
                values = loads(text)
            except Rejected as error:
                yield Record(number, None, "no_json", error.message, line[:_SAMPLE])
                continue
            if isinstance(values, dict):
                yield Record(number, values)
            else:
                yield Record(number, None, "no_object", "a row is a JSON object", line[:_SAMPLE])


def _csv(stream: BinaryIO, delimiter: str) -> Iterator[Record]:
    csv.field_size_limit(LINE)
    state = _Csv(stream)
    rows = csv.reader(state.texts(), delimiter=delimiter)
    try:
        header = [name.strip() for name in next(rows, [])]
    except csv.Error as error:
        raise MalformedPayload(
            f"the header line cannot be read: {error}", remedy="name the columns in the first line"
        ) from error
    if not any(header):
        raise MalformedPayload("the file has no header line", remedy="name the columns in the first line")
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        raise MalformedPayload(
            f"two columns are called {twice[0]!r}", remedy="give every column a name of its own"
        )
    while True:
        begins = state.line + 1
        try:
            row = next(rows, None)
        except csv.Error as error:
            said = f"lines {begins} to {state.line} are no row: {error}; look at the quotes"
            yield Record(begins, None, "bad_csv", said, state.raw[:_SAMPLE])
            continue
        yield from state.told()
        if row is None:
            return
        if not row:
            continue
        if len(row) != len(header):
            yield Record(
                state.line,
                None,
                "columns",
                f"{len(row)} columns where the header names {len(header)}",
                state.raw[:_SAMPLE],
            )
        elif any("\ud800" <= letter <= "\udfff" for letter in "".join(row)):
            yield Record(
                state.line, None, "bad_utf8", "it is not UTF-8; convert the file", state.raw[:_SAMPLE]
            )
        else:
            yield Record(state.line, dict(zip(header, row, strict=True)))


class _Csv:
    """Lines for the CSV reader, which sees neither those too long nor where it is."""

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._told: list[Record] = []
        self.line = 0
        self.raw = b""

    def texts(self) -> Iterator[str]:
        for number, line, whole in _lines(self._stream):
            self.line, self.raw = number, line
            if whole:
                text = line.decode("utf-8", "surrogateescape")
                yield text.removeprefix("\ufeff") if number == 1 else text
            else:
                said = f"the line has over {LINE:,} bytes; shorten it"
                self._told.append(Record(number, None, "too_long", said, line[:_SAMPLE]))

    def told(self) -> Iterator[Record]:
        """The lines that were left out since it was asked last."""
        yield from self._told
        self._told.clear()
