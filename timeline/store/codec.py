"""Facts as bytes: packed, then compressed with a dictionary learnt from the store's own facts.

Every value starts with the number of its dictionary (0 stands for none), then come the ids,
which nothing makes shorter, then the compressed rest. Dictionaries stand on a shelf of the
store's own, durable before anything refers to them and never changed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

import msgspec
import zstandard

from timeline.domain import Stored
from timeline.errors import StoreUnavailable, Unavailable
from timeline.store.packing import unpack

LEVEL: Final = 1  # a third less work than 3, for 3 bytes more of a fact
_FORMAT: Final = zstandard.FORMAT_ZSTD1_MAGICLESS  # four bytes less of each fact
_PARAMETERS: Final = zstandard.ZstdCompressionParameters.from_level(
    LEVEL, format=_FORMAT, write_content_size=1, write_checksum=0, write_dict_id=0
)
DICTIONARY_BYTES: Final = 64 * 1024
# The first dictionary is learnt soon, and better ones from samples ever further apart: the
# first facts come from few services. Distances are primes, since traffic has a rhythm of its
# own: every eighth fact may well be the same step of every fourth story.
STAGES: Final = ((1, 500), (7, 4_000), (61, 4_000))  # distance, number of samples
# Facts compressed in one call: other threads run meanwhile, and to wait for one's turn again after
# each fact costs more than to compress it.
TOGETHER: Final = 250
SAMPLE_BYTES: Final = 4_096  # longer facts teach little
WORSE: Final = 1.25  # learn again where facts take this much more room than right after learning
MAX_DICTIONARIES: Final = 200


Packed = tuple[bytes, bytes]  # the ids of a fact, and the rest


class Shelf(Protocol):
    """Where a store keeps its dictionaries."""

    @property
    def remedy(self) -> str:
        """What to do where a dictionary is lost or a fact damaged."""

    def numbers(self) -> list[int]:
        """The dictionaries there are."""

    def load(self, number: int) -> bytes | None:
        """A dictionary; ``None`` where there is none of that number."""

    def keep(self, number: int, data: bytes) -> bool:
        """Keep a new dictionary durably; false where another writer took the number."""


class Heads(Protocol):
    """Facts whose lines the native decoder has begun."""

    def rests(self) -> tuple[bytes, bytes]:
        """What is to be compressed, and offset and length of each."""

    def rest(self, place: int) -> bytes:
        """One of them."""

    def lines(self, number: int, packed: Any) -> tuple[list[Any], list[tuple[int, int]]]:
        """The lines with what was compressed with this dictionary; bytes of each before and after."""


class Codec:
    """Unpacks facts and hands out compressors; safe for use by several threads."""

    def __init__(self, shelf: Shelf) -> None:
        self.shelf = shelf
        self._local = threading.local()
        self._lock = threading.Lock()
        self._compressing: dict[int, zstandard.ZstdCompressionDict] = {}
        self._dictionaries: dict[int, zstandard.ZstdCompressionDict] = {}

    def _dictionary(self, number: int) -> zstandard.ZstdCompressionDict:
        known = self._dictionaries.get(number)
        if known is None:
            data = self.shelf.load(number)
            if data is None:
                raise StoreUnavailable(
                    f"facts refer to dictionary {number}, which cannot be read", remedy=self.shelf.remedy
                )
            known = self._dictionaries[number] = zstandard.ZstdCompressionDict(data)
        return known

    def _decompressor(self, number: int) -> zstandard.ZstdDecompressor:
        known: dict[int, zstandard.ZstdDecompressor] = self._local.__dict__.setdefault("decompressors", {})
        if number not in known:
            dictionary = self._dictionary(number) if number else None
            known[number] = zstandard.ZstdDecompressor(dict_data=dictionary, format=_FORMAT)
        return known[number]

    def unpack(self, blob: bytes) -> Stored:
        """The fact that ``Packer.pack`` made these bytes of."""
        try:
            number, size = blob[0], blob[1]
            return unpack(blob[2 : 2 + size], self._decompressor(number).decompress(blob[2 + size :]))
        except (zstandard.ZstdError, msgspec.DecodeError, IndexError) as error:
            raise StoreUnavailable(
                "a stored fact cannot be read: it is damaged", remedy=self.shelf.remedy
            ) from error

    def learn(self, samples: list[bytes]) -> int:
        """Make a dictionary of these packed facts, durably; returns its number."""
        data = zstandard.train_dictionary(DICTIONARY_BYTES, [*samples], level=LEVEL).as_bytes()
        while (number := max(self.shelf.numbers(), default=0) + 1) <= MAX_DICTIONARIES:
            if self.shelf.keep(number, data):
                break
        return min(number, MAX_DICTIONARIES)

    def keep_again(self) -> bool:
        """Put every dictionary in use back on a shelf that lost it; false where another one has its number."""
        for number, known in list(self._dictionaries.items()):
            data = known.as_bytes()
            if not self.shelf.keep(number, data) and self.shelf.load(number) != data:
                return False
        return True

    def forget(self) -> None:
        """Read every dictionary anew: these are no longer those of the shelf."""
        self._dictionaries, self._compressing, self._local = {}, {}, threading.local()

    def compressor(self, number: int) -> zstandard.ZstdCompressor:
        """A compressor for one thread."""
        return zstandard.ZstdCompressor(
            dict_data=self._prepared(number) if number else None, compression_params=_PARAMETERS
        )

    def _prepared(self, number: int) -> zstandard.ZstdCompressionDict:
        """A dictionary worked out for compressing, once: it takes as long as thousands of facts."""
        with self._lock:
            if number not in self._compressing:
                made = zstandard.ZstdCompressionDict(self._dictionary(number).as_bytes())
                made.precompute_compress(compression_params=_PARAMETERS)
                self._compressing[number] = made
            return self._compressing[number]


class Packer:
    """Packs the facts of one writer, and learns a dictionary when it pays."""

    def __init__(self, codec: Codec) -> None:
        self._codec = codec
        self._lock = threading.Lock()
        self._local = threading.local()
        self._number = -1
        self._samples: list[bytes] = []
        self._seen = self._raw = self._packed = 0
        self._stride, self._wanted = STAGES[0]
        self._best: float | None = None  # packed share right after learning

    def _use(self, number: int) -> None:
        self._best, self._number = None, number
        self._stride, self._wanted = STAGES[min(number, len(STAGES) - 1)]

    def start(self) -> None:
        """Take up the newest dictionary on the shelf; does nothing the second time."""
        with self._lock:
            if self._number < 0:
                self._use(max(self._codec.shelf.numbers(), default=0))

    def restart(self) -> None:
        """Take up the newest dictionary of a shelf that was replaced."""
        with self._lock:
            self._local = threading.local()
            self._use(max(self._codec.shelf.numbers(), default=0))

    def pack(self, facts: Sequence[Packed]) -> list[bytes]:
        """What ``packing.pack`` made of facts, as the bytes to keep, in order."""
        blobs: list[bytes] = []
        for start in range(0, len(facts), TOGETHER):
            blobs += self._pack(facts[start : start + TOGETHER])
        return blobs

    def _pack(self, facts: Sequence[Packed]) -> list[bytes]:
        number, compress = self._compressor()
        head = bytes((number,))
        rests = compress([rest for _, rest in facts])
        blobs = [
            b"%b%c%b%b" % (head, len(ids), ids, packed.tobytes())
            for (ids, _), packed in zip(facts, rests, strict=True)
        ]
        sizes = [(len(rest), len(blob)) for (_, rest), blob in zip(facts, blobs, strict=True)]
        self._learn_from(sizes, lambda place: facts[place][1])
        return blobs

    def finish(self, heads: Heads) -> list[Any]:
        """The lines of facts whose starts were made natively; ``None`` for each that was not."""
        number, compress = self._compressor()
        rests = zstandard.BufferWithSegments(*heads.rests())
        lines, sizes = heads.lines(number, compress(rests))
        self._learn_from(sizes, heads.rest)
        return lines

    def _compressor(self) -> tuple[int, Callable[[Any], Any]]:
        """The newest dictionary's number, and what compresses many facts with it; of this thread."""
        number, local = self._number, self._local.__dict__
        if local.get("number") != number:
            local["compress"] = self._codec.compressor(number).multi_compress_to_buffer
            local["number"] = number
        return number, local["compress"]

    def _learn_from(self, sizes: Sequence[tuple[int, int]], rest: Callable[[int], bytes]) -> None:
        """Note how much room facts take, before and after, and keep samples of them."""
        short = [place for place, (size, _) in enumerate(sizes) if size <= SAMPLE_BYTES]
        self._raw += sum([sizes[place][0] for place in short])
        self._packed += sum([sizes[place][1] for place in short])
        first = -(self._seen + 1) % self._stride
        self._seen += len(short)
        self._samples += [rest(place) for place in short[first :: self._stride]]
        if len(self._samples) >= self._wanted:
            self._review()

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
                    self._use(self._codec.learn(samples))
                except (zstandard.ZstdError, OSError, Unavailable):
                    return  # too alike to learn from, or no room for one: facts do without
