"""Facts as bytes: MessagePack, compressed with a dictionary learnt from the index's own facts.

Every value starts with the number of its dictionary; 0 stands for none. Dictionaries are
files beside the index, written durably before anything refers to them and never changed.
Hexadecimal ids leave the fact before that and go as bytes, half as long.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import msgspec
import zstandard
from msgspec.structs import replace

from timeline.domain import Span, SpanRef, Stored
from timeline.errors import StoreUnavailable

LEVEL: Final = 3
DICTIONARY_BYTES: Final = 64 * 1024
SAMPLES: Final = 2_000  # facts a dictionary is learnt from
# The first dictionary is learnt soon, and better ones from samples ever further apart: the
# first facts come from few services.
STRIDES: Final = (1, 8, 64)
SAMPLE_BYTES: Final = 4_096  # longer facts teach little
WORSE: Final = 1.25  # learn again where facts take this much more room than right after learning
MAX_DICTIONARIES: Final = 200

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode
_TRACE, _PARENT, _CONTENT = 1, 2, 4  # which ids went as bytes
_NO_REF = SpanRef(trace_id="", span_id="")


def write_durably(path: Path, data: bytes) -> None:
    """Put ``data`` at ``path`` so that a crash leaves all of it or nothing."""
    draft = path.with_suffix(path.suffix + ".new")
    with draft.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _bytes_of(text: str, size: int) -> bytes | None:
    """The bytes that lower-case hexadecimal text stands for; ``None`` for any other text."""
    if len(text) != 2 * size:
        return None
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    return raw if raw.hex() == text else None


def encode(stored: Stored) -> bytes:
    """The fact as bytes, not yet compressed."""
    fact, receipt, which, ids = stored.fact, stored.receipt, 0, b""
    content = _bytes_of(receipt.content, 16)
    if content is not None:
        which, ids = _CONTENT, content
        receipt = replace(receipt, content="")
    emptied: dict[str, object] = {}
    if fact.ref is not None:
        trace_id, span_id = _bytes_of(fact.ref.trace_id, 16), _bytes_of(fact.ref.span_id, 8)
        if trace_id is not None and span_id is not None:
            which, ids = which | _TRACE, ids + trace_id + span_id
            emptied["ref"] = _NO_REF
    if isinstance(fact, Span) and fact.parent:
        parent = _bytes_of(fact.parent, 8)
        if parent is not None:
            which, ids = which | _PARENT, ids + parent
            emptied["parent"] = None
    light = Stored(fact=replace(fact, **emptied) if emptied else fact, receipt=receipt)
    return bytes((which,)) + ids + _encode(light)


def decode(raw: bytes) -> Stored:
    """The fact that ``encode`` made these bytes of."""
    which, at = raw[0], 1
    content = trace_id = span_id = parent = ""
    if which & _CONTENT:
        content, at = raw[at : at + 16].hex(), at + 16
    if which & _TRACE:
        trace_id, span_id, at = raw[at : at + 16].hex(), raw[at + 16 : at + 24].hex(), at + 24
    if which & _PARENT:
        parent, at = raw[at : at + 8].hex(), at + 8
    light = _decode(raw[at:])
    fact, receipt = light.fact, light.receipt
    filled: dict[str, object] = {}
    if trace_id:
        filled["ref"] = SpanRef(trace_id=trace_id, span_id=span_id)
    if parent:
        filled["parent"] = parent
    return Stored(
        fact=replace(fact, **filled) if filled else fact,
        receipt=replace(receipt, content=content) if content else receipt,
    )


class Codec:
    """Packs and unpacks facts of one index folder; safe for use by several threads."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._local = threading.local()
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}

    def _path(self, number: int) -> Path:
        return self._folder / f"facts-{number}.dictionary"

    def _dictionary(self, number: int) -> zstandard.ZstdCompressionDict:
        known = self._dictionaries.get(number)
        if known is None:
            try:
                data = self._path(number).read_bytes()
            except OSError as error:
                raise StoreUnavailable(
                    f"the index refers to {self._path(number).name}, which cannot be read",
                    remedy="restore the index folder from its backup as a whole; its files belong together",
                ) from error
            known = self._dictionaries[number] = zstandard.ZstdCompressionDict(data)
        return known

    def _decompressor(self, number: int) -> zstandard.ZstdDecompressor:
        known: dict[int, zstandard.ZstdDecompressor] = self._local.__dict__.setdefault("decompressors", {})
        if number not in known:
            known[number] = (
                zstandard.ZstdDecompressor(dict_data=self._dictionary(number))
                if number
                else zstandard.ZstdDecompressor()
            )
        return known[number]

    def unpack(self, blob: bytes) -> Stored:
        """The fact that ``Packer.pack`` made these bytes of."""
        try:
            return decode(self._decompressor(blob[0]).decompress(blob[1:]))
        except (zstandard.ZstdError, msgspec.DecodeError, IndexError) as error:
            raise StoreUnavailable(
                "a stored fact cannot be read: the index is damaged",
                remedy="stop the worker, move the index folder away and restore it from its backup",
            ) from error

    def numbers(self) -> list[int]:
        """The dictionaries in the folder."""
        return sorted(int(path.stem.split("-")[1]) for path in self._folder.glob("facts-*.dictionary"))

    def learn(self, samples: list[bytes]) -> int:
        """Make a dictionary of these encoded facts, durably; returns its number."""
        number = max(self.numbers(), default=0) + 1
        trained = zstandard.train_dictionary(DICTIONARY_BYTES, [*samples], level=LEVEL)
        write_durably(self._path(number), trained.as_bytes())
        self._dictionary(number)
        return number

    def compressor(self, number: int) -> zstandard.ZstdCompressor:
        """A compressor for one thread."""
        dictionary = self._dictionary(number) if number else None
        return zstandard.ZstdCompressor(
            level=LEVEL, dict_data=dictionary, write_checksum=False, write_dict_id=False
        )


class Packer:
    """Packs the facts of one writer, and learns a dictionary when it pays."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._lock = threading.Lock()
        self._local = threading.local()
        self._number = max(codec.numbers(), default=0)
        self._samples: list[bytes] = []
        self._seen = 0
        self._stride = STRIDES[min(self._number, len(STRIDES) - 1)]  # a sample is every so many facts
        self._raw = self._packed = 0
        self._best: float | None = None  # packed share right after learning

    def pack(self, stored: Stored) -> bytes:
        """The fact as bytes; raises ``ValueError`` or ``OverflowError`` for what MessagePack cannot hold."""
        raw = encode(stored)
        number = self._number
        if self._local.__dict__.get("number") != number:
            self._local.number = number
            self._local.compressor = self._codec.compressor(number)
            self._local.head = bytes((number,))
        packed: bytes = self._local.head + self._local.compressor.compress(raw)
        if len(raw) <= SAMPLE_BYTES:
            self._raw += len(raw)
            self._packed += len(packed)
            self._seen += 1
            if self._seen % self._stride == 0:
                self._samples.append(raw)
                if len(self._samples) >= SAMPLES:
                    self._review()
        return packed

    def _review(self) -> None:
        """With a full sample: learn where the last dictionary was hasty, or facts have changed."""
        with self._lock:
            samples, self._samples = self._samples, []
            share = self._packed / max(self._raw, 1)
            self._raw = self._packed = 0
            if len(samples) < SAMPLES:
                return  # another thread has just done it
            early = self._number < len(STRIDES)
            if not early and self._best is None:
                self._best = share
            stale = self._best is not None and share > self._best * WORSE
            if (early or stale) and self._number < MAX_DICTIONARIES:
                try:
                    self._number = self._codec.learn(samples)
                except (zstandard.ZstdError, OSError):
                    return  # too alike to learn from, or no room: facts do without, and the commit will tell
                self._best = None
                self._stride = STRIDES[min(self._number, len(STRIDES) - 1)]
