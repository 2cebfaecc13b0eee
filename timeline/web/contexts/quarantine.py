"""The quarantine pages: why something could not be stored, what it holds, what can be done."""

from __future__ import annotations

import json
from base64 import b64decode
from collections.abc import Sequence
from typing import Any, Final

import msgspec
from google.protobuf.json_format import MessageToDict
from google.protobuf.message import DecodeError

from timeline import quarantine
from timeline.errors import Rejected
from timeline.ingest import otlp, rows, tapped
from timeline.ingest.compress import decompress
from timeline.models import Quarantined
from timeline.web import words

_REMEDIES: Final = {
    "kept_killing_workers": "It ended the worker that stored it, again and again. Keep its bytes for a report; replay it with a newer version.",
    "decoder_failed": "This is a fault of Throughline: keep the bytes, report them, replay with a version that is mended.",
    "store_refused": "The store said why. Where a limit was raised or the store mended, replay it.",
    "undecodable": "Its sender has to be corrected; nothing can be made of these bytes.",
}
_USUAL: Final = "Correct the sender and send it again, or replay it with a version that takes it."
_READABLE: Final = 256 << 10  # bytes that are shown
_PARSED: Final = 1 << 20  # bytes; of more, as they came
_DUMPED: Final = 2 << 10  # bytes of a dump


def remedy(reason: str) -> str:
    """What helps, in a sentence."""
    return _REMEDIES.get(reason, _USUAL)


def shown(
    groups: Sequence[dict[str, Any]], kept: Sequence[Quarantined], decided: Sequence[Quarantined]
) -> dict[str, Any]:
    """What the list shows."""
    items = sum(group["n"] for group in groups)
    return {
        "sentence": _sentence(items, len(groups)),
        "groups": [
            {**group, "remedy": remedy(group["reason"]), "title": _title(group["reason"])} for group in groups
        ],
        "kept": kept,
        "decided": decided,
        "at_once": quarantine.AT_ONCE,
    }


def item_page(row: Quarantined) -> dict[str, Any]:
    """What the page of one row shows."""
    text, kind = _readable(row)
    return {
        "row": row,
        "title": _title(row.reason),
        "remedy": remedy(row.reason),
        "size": len(row.data),
        "text": text,
        "kind": kind,
        "replayable": quarantine.replayable(row),
        "open": row.state == Quarantined.State.KEPT,
    }


def _sentence(items: int, reasons: int) -> str:
    if not items:
        return "Nothing is in quarantine: everything accepted could be stored."
    verb = "is" if items == 1 else "are"
    return f"{words.plural(items, 'item')} {verb} in quarantine, for {words.plural(reasons, 'reason')}."


def _title(reason: str) -> str:
    return reason.replace("_", " ").capitalize()


def _readable(row: Quarantined) -> tuple[str, str]:
    """The bytes as a person can read them, and what they are taken for."""
    data = bytes(row.data)
    try:
        data = decompress(data, row.encoding, limit=16 << 20)
    except Rejected:
        return _dump(data), "bytes"
    if len(data) > _PARSED:  # it may be what ended a worker
        return _plain(data)
    try:
        if row.headers and row.signal == "rows":
            return _pretty(msgspec.to_builtins(rows.decode(data))), "rows"
        if row.headers and row.signal == "records":
            return _pretty(msgspec.to_builtins(tapped.decode(data))), "records"
        if (
            row.headers
            and row.signal in ("traces", "logs")
            and "protobuf" in row.headers.get("content-type", "")
        ):
            found = otlp.request_class(row.signal).FromString(data)
            return _pretty(_hex(MessageToDict(found))), "OTLP"
        return _pretty(json.loads(data)), "JSON"
    except (ValueError, DecodeError, msgspec.DecodeError, RecursionError):
        return _plain(data)


def _plain(data: bytes) -> tuple[str, str]:
    try:
        return data[:_READABLE].decode(), "text"
    except UnicodeDecodeError:
        return _dump(data), "bytes"


def _pretty(value: Any) -> str:
    """Indented, and only as far as it is shown: what is nested deeply grows to many times its size."""
    pieces, size = [], 0
    for piece in json.JSONEncoder(indent=2, ensure_ascii=False).iterencode(value):
        pieces.append(piece)
        size += len(piece)
        if size >= _READABLE:
            break
    return "".join(pieces)[:_READABLE]


def _hex(found: Any) -> Any:
    """Ids as OTLP JSON writes them, and not in base64."""
    if isinstance(found, dict):
        ids = ("traceId", "spanId", "parentSpanId")
        return {key: b64decode(one).hex() if key in ids else _hex(one) for key, one in found.items()}
    return [_hex(one) for one in found] if isinstance(found, list) else found


def _dump(data: bytes) -> str:
    """Offset, bytes and characters, sixteen a line."""
    lines = []
    for at in range(0, min(len(data), _DUMPED), 16):
        piece = data[at : at + 16]
        text = "".join(chr(one) if 32 <= one < 127 else "." for one in piece)
        lines.append(f"{at:06x}  {piece.hex(' '):<47}  {text}")
    more = len(data) - _DUMPED
    return "\n".join([*lines, f"and {more:,} bytes more"] if more > 0 else lines)
