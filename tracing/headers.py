"""One carrier for every shape of message header, which never raises.

Clients hand over headers as a dict, a list or tuple of pairs, or nothing; with names and
values as text, bytes or numbers. ``Headers`` reads them all, looks names up without
regard to case, and replaces where instrumentations commonly append: a republished
message then carries one ``traceparent``, not the old one in front of the new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from tracing.guard import guarded, lost


def text(value: object) -> str:
    """The value as text: bytes as UTF-8 with U+FFFD for what is none; ``None`` as ``""``."""
    if isinstance(value, str):
        return value
    if type(value) is bytes:
        return value.decode("utf-8", "replace")
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).decode("utf-8", "replace")
    if value is None:
        return ""
    with guarded("unreadable header value"):
        return str(value)
    return ""


def octets(value: object) -> bytes | None:
    """The value as a broker carries it; ``None`` stays ``None`` (a null header)."""
    if value is None:
        return None
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value)
    # lone surrogates cannot be encoded: they become "?" rather than an error
    return text(value).encode("utf-8", "replace")


class Headers:
    """Message headers in their order; several of one name are legal.

    ``Headers(carrier)`` takes a mapping, an iterable of pairs, another ``Headers`` or
    ``None``, and copies it; what cannot be read is left out and counted.
    """

    __slots__ = ("_items", "_names", "_ours", "_size")

    def __init__(self, carrier: Mapping[Any, Any] | Iterable[Any] | None = None) -> None:
        # (name in lower case, name, value): names are compared far more often than set
        self._items: list[tuple[str, str, Any]] = []
        self._ours: set[str] = set()
        # asked for several times on the way of one message: kept until something changes
        self._names: frozenset[str] | None = None
        self._size = -1
        if carrier is not None:
            try:
                self._read(carrier)
            except Exception:  # noqa: BLE001  hot: as guarded does
                lost("unreadable headers")

    def _read(self, carrier: Any) -> None:
        if isinstance(carrier, str | bytes | bytearray | memoryview):
            return
        items = self._items
        for item in carrier.items() if hasattr(carrier, "items") else carrier:
            try:
                name, value = item
            except (TypeError, ValueError):
                lost("malformed header")
                continue
            if type(name) is not str:
                name = text(name)
            if isinstance(value, list | tuple):
                items.extend([(name.lower(), name, one) for one in value])
            else:
                items.append((name.lower(), name, value))

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        return ((name, value) for _, name, value in self._items)

    def __len__(self) -> int:
        return len(self._items)

    def names(self) -> frozenset[str]:
        """Every name in lower case."""
        if self._names is None:
            self._names = frozenset([item[0] for item in self._items])
        return self._names

    def all(self, name: str) -> list[str]:
        """Every value of that name as text, in order."""
        wanted = name.lower()
        return [text(value) for key, _, value in self._items if key == wanted]

    def get(self, name: str) -> str | None:
        """The last value of that name (the latest sender's), or ``None``."""
        found = self.all(name)
        return found[-1] if found else None

    def raw(self, name: str) -> bytes | None:
        """The last value of that name as bytes, or ``None``."""
        wanted = name.lower()
        return next((octets(value) for key, _, value in reversed(self._items) if key == wanted), None)

    def set(self, name: str, value: str | bytes) -> None:
        """Give the name this one value; all it had before go, whatever their case."""
        wanted = name.lower()
        if self._items:
            self.remove(name)
        self._ours.add(wanted)
        self._items.append((wanted, name, value))
        self._names, self._size = None, -1

    def remove(self, name: str) -> None:
        """Take every value of that name away."""
        wanted = name.lower()
        for item in self._items:
            if item[0] == wanted:
                self._items = [item for item in self._items if item[0] != wanted]
                self._names, self._size = None, -1
                self._ours.add(wanted)
                return

    def wire(self) -> list[tuple[str, Any]]:
        """What was put in here as bytes; what came in with the carrier exactly as it came."""
        return [
            (
                name,
                value.encode("utf-8", "replace") if key in self._ours and isinstance(value, str) else value,
            )
            for key, name, value in self._items
        ]

    def pairs(self) -> list[tuple[str, bytes | None]]:
        """What a Kafka client takes: a new list of (name, bytes)."""
        return [(name.encode("utf-8", "replace").decode(), octets(value)) for _, name, value in self._items]

    @property
    def changed(self) -> bool:
        """Whether anything was set or removed since it was made."""
        return bool(self._ours)

    def onto(self, table: Mapping[Any, Any] | None) -> dict[Any, Any]:
        """What a client with typed headers takes: a copy of its table with what was set and removed here.

        All else stays the very value it was: a number, a list, a nested table.
        """
        kept = {key: value for key, value in (table or {}).items() if text(key).lower() not in self._ours}
        return kept | {name: value for low, name, value in self._items if low in self._ours}

    @property
    def size(self) -> int:
        """Bytes of all names and values."""
        if self._size < 0:
            size = 0
            for _, name, value in self._items:
                size += len(name) if name.isascii() else _length(name)
                size += len(value) if type(value) is bytes else _length(value)
            self._size = size
        return self._size


def _length(value: object) -> int:
    if isinstance(value, bytes) or (isinstance(value, str) and value.isascii()):
        return len(value)
    return len(octets(value) or b"")
