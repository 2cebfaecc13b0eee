"""Content encodings: whole bodies only, never past the limit."""

from __future__ import annotations

import gzip
import random
import time
import tracemalloc
import zlib

import pytest
import zstandard

from timeline.errors import MalformedPayload, TooLarge, UnsupportedPayload
from timeline.ingest.compress import decompress

PLAIN = b"every event is kept " * 2_000


def _raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return packer.compress(body) + packer.flush()


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("", PLAIN),
        ("Identity", PLAIN),
        ("gzip", gzip.compress(PLAIN, mtime=0)),
        (" X-GZIP", gzip.compress(PLAIN, mtime=0)),
        ("gzip", gzip.compress(PLAIN[:100], mtime=0) + gzip.compress(PLAIN[100:], mtime=0)),
        ("gzip", gzip.compress(PLAIN, mtime=0) + b"\0" * 20),
        ("deflate", zlib.compress(PLAIN)),
        ("deflate", _raw_deflate(PLAIN)),
        ("zstd", zstandard.compress(PLAIN)),
        ("zstd", zstandard.compress(PLAIN[:100]) + zstandard.compress(PLAIN[100:])),
        ("zstd", zstandard.ZstdCompressor(write_checksum=True).compress(PLAIN)),
    ],
)
def test_every_offered_encoding_gives_the_plain_body(encoding: str, body: bytes) -> None:
    assert decompress(body, encoding) == PLAIN


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_an_empty_body_survives_every_encoding(encoding: str) -> None:
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[encoding](b"")
    assert decompress(packed, encoding) == b""


@pytest.mark.parametrize(
    ("encoding", "body"),
    [
        ("gzip", b""),
        ("gzip", PLAIN),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:-1]),
        ("gzip", gzip.compress(PLAIN, mtime=0)[:40]),
        ("gzip", gzip.compress(PLAIN, mtime=0) + b"trailing"),
        ("gzip", gzip.compress(PLAIN, mtime=0) + gzip.compress(PLAIN, mtime=0)[:30]),
        ("deflate", b""),
        ("deflate", PLAIN),
        ("deflate", zlib.compress(PLAIN)[:-1]),
        ("deflate", zlib.compress(PLAIN) + b"trailing"),
        ("deflate", zlib.compress(PLAIN) + zlib.compress(PLAIN)),
        ("zstd", b""),
        ("zstd", PLAIN),
        ("zstd", zstandard.compress(PLAIN)[:-1]),
        ("zstd", zstandard.compress(PLAIN) + b"trailing"),
    ],
)
def test_a_body_that_is_not_what_its_encoding_says_is_malformed(encoding: str, body: bytes) -> None:
    with pytest.raises(MalformedPayload) as caught:
        decompress(body, encoding)
    assert caught.value.remedy


@pytest.mark.parametrize("encoding", ["br", "gzip, gzip", "x" * 500])
def test_other_encodings_are_unsupported(encoding: str) -> None:
    with pytest.raises(UnsupportedPayload):
        decompress(PLAIN, encoding)


@pytest.mark.parametrize("encoding", ["", "gzip", "deflate", "zstd"])
def test_the_limit_is_met_exactly(encoding: str) -> None:
    packed = {
        "": bytes,
        "gzip": gzip.compress,
        "deflate": zlib.compress,
        "zstd": zstandard.compress,
    }[encoding](PLAIN)
    assert decompress(packed, encoding, limit=len(PLAIN)) == PLAIN
    with pytest.raises(TooLarge):
        decompress(packed, encoding, limit=len(PLAIN) - 1)


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_a_bomb_takes_little_more_memory_than_the_limit(encoding: str) -> None:
    zeros = bytes(64 * 1024 * 1024)
    bomb = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[encoding](zeros)
    del zeros
    tracemalloc.start()
    try:
        with pytest.raises(TooLarge):
            decompress(bomb, encoding, limit=1024 * 1024)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 24 * 1024 * 1024


@pytest.mark.parametrize(
    ("encoding", "member"), [("gzip", gzip.compress(b"", mtime=0)), ("zstd", zstandard.compress(b""))]
)
def test_endless_empty_members_are_refused_early(encoding: str, member: bytes) -> None:
    started = time.process_time()
    with pytest.raises(TooLarge):
        decompress(member * 2_000_000, encoding)
    assert time.process_time() - started < 5


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "zstd"])
def test_bodies_of_many_pieces_come_out_whole(encoding: str) -> None:
    noise = random.Random(7).randbytes(700_000) + bytes(1_500_000)
    packed = {"gzip": gzip.compress, "deflate": zlib.compress, "zstd": zstandard.compress}[encoding](noise)
    assert decompress(packed, encoding) == noise
