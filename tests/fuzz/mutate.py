"""Bytes made strange: what a coverage-blind fuzzer does, the same for the same seed."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Final

_WORDS: Final = (
    b"\0", b"\xff" * 9, b"\x80" * 10, b"\xc3\x28", b"\xed\xa0\x80", b"\xef\xbb\xbf", b'"', b"\\u0000", b"\\ud800", b"NaN",
    b"Infinity", b"1e999", b"-0", b"9223372036854775808", b"18446744073709551616", b"0" * 40, b"null", b"true", b"[]", b"{}",
    b"{{", b"[[", b"]]", b'{"a":', b"traceId", b"spans", b"data_base64", b"4111111111111111", b"a@b.example", b"Bearer abcdefgh",
    b"://u:p@h", b"password=x", b"%", b"%00", b"%zz", b"\r\n", b":", b",", b"=", b"*", b"(", b")", b'"', b"..", b"NOT ", b" OR ",
    b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", b"\x1f\x8b\x08\x00", b"\x28\xb5\x2f\xfd",
)  # fmt: skip
_NUMBER: Final = re.compile(rb"\d+")
Step = Callable[[random.Random, bytearray], None]


def _flip(rand: random.Random, data: bytearray) -> None:
    place = rand.randrange(len(data))
    data[place] ^= 1 << rand.randrange(8)


def _set(rand: random.Random, data: bytearray) -> None:
    data[rand.randrange(len(data))] = rand.choice((0, 1, 127, 128, 255, rand.randrange(256)))


def _drop(rand: random.Random, data: bytearray) -> None:
    place = rand.randrange(len(data))
    del data[place : place + rand.choice((1, 2, 4, 8, 64))]


def _cut(rand: random.Random, data: bytearray) -> None:
    del data[rand.randrange(len(data)) :]


def _repeat(rand: random.Random, data: bytearray) -> None:
    place = rand.randrange(len(data))
    piece = bytes(data[place : place + rand.choice((1, 3, 9, 40))])
    data[place:place] = piece * rand.choice((1, 2, 5, 60))


def _word(rand: random.Random, data: bytearray) -> None:
    place = rand.randrange(len(data) + 1)
    word = rand.choice(_WORDS)
    data[place : place + rand.choice((0, len(word)))] = word


def _move(rand: random.Random, data: bytearray) -> None:
    first, second = rand.randrange(len(data)), rand.randrange(len(data))
    size = rand.choice((1, 4, 16))
    piece = bytes(data[first : first + size])
    data[second : second + size] = piece


def _number(rand: random.Random, data: bytearray) -> None:
    found = list(_NUMBER.finditer(data))
    if found:
        start, end = rand.choice(found).span()
        data[start:end] = str(
            rand.choice((0, -1, 2**31, 2**63, 2**64, 10**30, rand.randrange(10**6)))
        ).encode()


_STEPS: Final[tuple[Step, ...]] = (_flip, _set, _drop, _cut, _repeat, _word, _word, _move, _number)


def mutants(seeds: Sequence[bytes], count: int, seed: int) -> Iterator[bytes]:
    """``count`` inputs near the seeds, the seeds themselves first."""
    rand = random.Random(seed)
    yield from seeds[:count]
    for _ in range(count - min(len(seeds), count)):
        data = bytearray(rand.choice(seeds))
        if rand.random() < 0.2:
            other = rand.choice(seeds)
            data[rand.randrange(len(data) + 1) :] = other[rand.randrange(len(other) + 1) :]
        for _ in range(rand.choice((1, 1, 2, 3, 6))):
            if data:
                rand.choice(_STEPS)(rand, data)
        yield bytes(data[: 64 << 10])
