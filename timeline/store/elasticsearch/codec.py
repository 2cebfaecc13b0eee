"""Facts as bytes: MessagePack, compressed with dictionaries that all nodes share.

What is known where a fact is read (its id, its ``tie``) is left out, and times are kept as
distances; ids in hexadecimal go as bytes. Every value starts with the number of its
dictionary; 0 stands for none. A dictionary is a document of an index of its own, durable
before anything refers to it and never changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final, Protocol

import msgspec
import zstandard
from msgspec.structs import replace

from timeline.domain import Fact, Receipt, Span, SpanRef, Stored
from timeline.errors import StoreUnavailable, Unavailable
from timeline.store.elasticsearch.names import MS, moment_of

LEVEL: Final = 3
DICTIONARY_BYTES: Final = 64 * 1024
SAMPLES: Final = 2_000  # facts a dictionary is learnt from
# The first dictionary is learnt soon, and better ones from samples ever further apart: the
# first facts come from few services.
STRIDES: Final = (1, 8, 64)
SAMPLE_BYTES: Final = 4_096  # longer facts teach little
WORSE: Final = 1.25  # learn again where facts take this much more room than right after learning
MAX_DICTIONARIES: Final = 200
_FAR: Final = 1 << 62  # distances up to here fit MessagePack

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Stored).decode
_TRACE, _PARENT, _CONTENT, _IDENTITY = 1, 2, 4, 8  # which ids went as bytes
_START, _END, _RECEIVED = 16, 32, 64  # which times went as distances
_NO_REF = SpanRef(trace_id="", span_id="")


def _bytes_of(text: str, size: int) -> bytes | None:
    """The bytes that lower-case hexadecimal text stands for; ``None`` for any other text."""
    if len(text) != 2 * size:
        return None
    try:
        raw = bytes.fromhex(text)
    except ValueError:
        return None
    return raw if raw.hex() == text else None


def _ids(stored: Stored) -> tuple[int, bytes]:
    """Which of content, trace and parent are lower-case hexadecimal, and their bytes one after the other."""
    fact, content = stored.fact, stored.receipt.content
    parent = fact.parent if isinstance(fact, Span) else None
    if fact.ref is not None and len(content) == 32:
        text = f"{content}{fact.ref.trace_id}{fact.ref.span_id}{parent or ''}"
        if (
            len(text) == (96 if parent else 80)
            and len(fact.ref.trace_id) == 32
            and len(fact.ref.span_id) == 16
        ):
            try:  # what nearly all spans are, told at once
                raw = bytes.fromhex(text)
            except ValueError:
                raw = b""
            if raw.hex() == text:
                return _CONTENT | _TRACE | (_PARENT if parent else 0), raw
    which, head = 0, b""
    if (raw_content := _bytes_of(content, 16)) is not None:
        which, head = _CONTENT, raw_content
    if fact.ref is not None:
        trace_id, span_id = _bytes_of(fact.ref.trace_id, 16), _bytes_of(fact.ref.span_id, 8)
        if trace_id is not None and span_id is not None:
            which, head = which | _TRACE, head + trace_id + span_id
    if parent and (raw_parent := _bytes_of(parent, 8)) is not None:
        which, head = which | _PARENT, head + raw_parent
    return which, head


def encode(stored: Stored) -> bytes:
    """The fact as bytes, not yet compressed; raises what MessagePack raises for no value of ours."""
    fact, receipt = stored.fact, stored.receipt
    which, head = _ids(stored)
    base = moment_of(receipt.id) * MS
    identity, received = receipt.identity, receipt.received
    if identity[:12] == receipt.id[8:]:
        which |= _IDENTITY
        identity = identity[12:]
    if -_FAR < received - base < _FAR:
        which |= _RECEIVED
        received -= base
    ref = _NO_REF if which & _TRACE else fact.ref
    if isinstance(fact, Span):
        start, end = fact.start, fact.end
        if start is not None and base and 0 <= start - base < MS:
            which |= _START
            if end is not None and -_FAR < end - start < _FAR:
                which |= _END
                end -= start
            start -= base
        slim: Fact = replace(
            fact, ref=ref, parent=None if which & _PARENT else fact.parent, start=start, end=end
        )
    else:
        slim = replace(fact, ref=ref) if which & _TRACE else fact
    content = "" if which & _CONTENT else receipt.content
    light = replace(receipt, id="", tie=0, content=content, identity=identity, received=received)
    return bytes((which,)) + head + _encode(Stored(fact=slim, receipt=light))


def decode(raw: bytes, fact_id: str, tie: int) -> Stored:
    """The fact that ``encode`` made these bytes of."""
    which, at = raw[0], 1
    receipt: dict[str, object] = {"id": fact_id, "tie": tie}
    fact: dict[str, object] = {}
    if which & _CONTENT:
        receipt["content"], at = raw[at : at + 16].hex(), at + 16
    if which & _TRACE:
        fact["ref"] = SpanRef(trace_id=raw[at : at + 16].hex(), span_id=raw[at + 16 : at + 24].hex())
        at += 24
    if which & _PARENT:
        fact["parent"], at = raw[at : at + 8].hex(), at + 8
    slim = _decode(raw[at:])
    base = moment_of(fact_id) * MS
    if which & _IDENTITY:
        receipt["identity"] = fact_id[8:] + slim.receipt.identity
    if which & _RECEIVED:
        receipt["received"] = slim.receipt.received + base
    if which & (_START | _END) and isinstance(slim.fact, Span):
        start = (slim.fact.start or 0) + base
        fact["start"] = start
        if which & _END:
            fact["end"] = (slim.fact.end or 0) + start
    whole: Fact = replace(slim.fact, **fact) if fact else slim.fact
    full: Receipt = replace(slim.receipt, **receipt)
    return Stored(fact=whole, receipt=full)


class Shelf(Protocol):
    """Where dictionaries are kept for all nodes."""

    def numbers(self) -> list[int]:
        """The dictionaries there are."""

    def load(self, number: int) -> bytes | None:
        """A dictionary, if there is one of that number."""

    def keep(self, number: int, data: bytes) -> bool:
        """Keep a new dictionary durably; false where another node took the number."""


class Codec:
    """Unpacks facts and hands out compressors; safe for use by several threads."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._local = threading.local()
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}

    def dictionary(self, number: int) -> zstandard.ZstdCompressionDict:
        """A dictionary by number; raises ``StoreUnavailable`` where it is lost."""
        known = self._dictionaries.get(number)
        if known is None:
            data = self.shelf.load(number)
            if data is None:
                raise StoreUnavailable(
                    f"facts refer to dictionary {number}, which the cluster does not hold",
                    remedy="restore the index of dictionaries from a snapshot: facts cannot be read without",
                )
            known = self._dictionaries[number] = zstandard.ZstdCompressionDict(data)
        return known

    def unpack(self, blob: bytes, fact_id: str, tie: int) -> Stored:
        """The fact that ``Packer.pack`` made these bytes of."""
        number = blob[0]
        known: dict[int, zstandard.ZstdDecompressor] = self._local.__dict__.setdefault("known", {})
        if number not in known:
            dictionary = self.dictionary(number) if number else None
            known[number] = zstandard.ZstdDecompressor(dict_data=dictionary)
        try:
            return decode(known[number].decompress(blob[1:]), fact_id, tie)
        except (zstandard.ZstdError, msgspec.DecodeError, IndexError) as error:
            raise StoreUnavailable(
                f"fact {fact_id} cannot be read: its index is damaged",
                remedy="restore that index and the one of dictionaries from one snapshot",
            ) from error

    def compressor(self, number: int) -> zstandard.ZstdCompressor:
        """A compressor for one thread."""
        return zstandard.ZstdCompressor(
            level=LEVEL,
            dict_data=self.dictionary(number) if number else None,
            write_checksum=False,
            write_dict_id=False,
        )

    def learn(self, samples: list[bytes]) -> int:
        """Make a dictionary of these encoded facts and keep it for all; returns its number."""
        data = zstandard.train_dictionary(DICTIONARY_BYTES, [*samples], level=LEVEL).as_bytes()
        while (number := max(self.shelf.numbers(), default=0) + 1) <= MAX_DICTIONARIES:
            if self.shelf.keep(number, data):
                break
        return min(number, MAX_DICTIONARIES)


class Packer:
    """Packs facts on the way in, and learns a dictionary when it pays."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._lock = threading.Lock()
        self._local = threading.local()
        self._number = -1
        self._samples: list[bytes] = []
        self._seen = self._raw = self._packed = 0
        self._stride = 1  # a sample is every so many facts
        self._best: float | None = None  # packed share right after learning

    def _use(self, number: int) -> None:
        self._best, self._number = None, number
        self._stride = STRIDES[min(number, len(STRIDES) - 1)]

    def start(self) -> None:
        """Take up the newest dictionary of the cluster; does nothing the second time."""
        with self._lock:
            if self._number < 0:
                self._use(max(self._codec.shelf.numbers(), default=0))

    def pack(self, stored: Stored) -> bytes:
        """The fact as bytes; raises ``ValueError`` or ``OverflowError`` for what MessagePack cannot hold."""
        raw = encode(stored)
        number = self._number
        local = self._local.__dict__
        if local.get("number") != number:
            local["compress"] = self._codec.compressor(number).compress
            local["head"] = bytes((number,))
            local["number"] = number
        compress: Callable[[bytes], bytes] = local["compress"]
        packed: bytes = local["head"] + compress(raw)
        size = len(raw)
        if size <= SAMPLE_BYTES:
            self._raw += size
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
                    self._use(self._codec.learn(samples))
                except (zstandard.ZstdError, Unavailable):
                    return  # too alike to learn from, or the cluster is away: facts do without
