"""Facts as bytes: packed, then compressed with a dictionary learnt from the index's own facts.

Every value starts with the number of its dictionary (0 stands for none), then come the ids,
which nothing makes shorter, then the compressed rest. Dictionaries are files beside the
index, written durably before anything refers to them and never changed.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Final

import msgspec
import zstandard

from timeline.domain import Stored
from timeline.errors import StoreUnavailable
from timeline.store.packing import pack, unpack

LEVEL: Final = 3
DICTIONARY_BYTES: Final = 64 * 1024
# The first dictionary is learnt soon, and better ones from samples ever further apart: the
# first facts come from few services. Distances are primes, since traffic has a rhythm of its
# own: every eighth fact may well be the same step of every fourth story.
STAGES: Final = ((1, 500), (7, 2_000), (61, 2_000))  # distance, number of samples
SAMPLE_BYTES: Final = 4_096  # longer facts teach little
WORSE: Final = 1.25  # learn again where facts take this much more room than right after learning
MAX_DICTIONARIES: Final = 200


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
            number, size = blob[0], blob[1]
            return unpack(blob[2 : 2 + size], self._decompressor(number).decompress(blob[2 + size :]))
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


def _stage(number: int) -> tuple[int, int]:
    """How far apart and how many the samples of the next dictionary are."""
    return STAGES[min(number, len(STAGES) - 1)]


class Packer:
    """Packs the facts of one writer, and learns a dictionary when it pays."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._lock = threading.Lock()
        self._local = threading.local()
        self._number = max(codec.numbers(), default=0)
        self._samples: list[bytes] = []
        self._seen = 0
        self._stride, self._wanted = _stage(self._number)
        self._raw = self._packed = 0
        self._best: float | None = None  # packed share right after learning

    def pack(self, stored: Stored) -> bytes:
        """The fact as bytes; raises ``ValueError`` or ``OverflowError`` for what MessagePack cannot hold."""
        ids, raw = pack(stored)
        number = self._number
        if self._local.__dict__.get("number") != number:
            self._local.number = number
            self._local.compressor = self._codec.compressor(number)
            self._local.head = bytes((number,))
        head: bytes = self._local.head
        packed: bytes = head + bytes((len(ids),)) + ids + self._local.compressor.compress(raw)
        if len(raw) <= SAMPLE_BYTES:
            self._raw += len(raw)
            self._packed += len(packed)
            self._seen += 1
            if self._seen % self._stride == 0:
                self._samples.append(raw)
                if len(self._samples) >= self._wanted:
                    self._review()
        return packed

    def _review(self) -> None:
        """With a full sample: learn where the last dictionary was hasty, or facts have changed."""
        with self._lock:
            samples, self._samples = self._samples, []
            share = self._packed / max(self._raw, 1)
            self._raw = self._packed = 0
            if len(samples) < self._wanted:
                return  # another thread has just done it
            early = self._number < len(STAGES)
            if not early and self._best is None:
                self._best = share
            stale = self._best is not None and share > self._best * WORSE
            if (early or stale) and self._number < MAX_DICTIONARIES:
                try:
                    self._number = self._codec.learn(samples)
                except (zstandard.ZstdError, OSError):
                    return  # too alike to learn from, or no room: facts do without, and the commit will tell
                self._best = None
                self._stride, self._wanted = _stage(self._number)
