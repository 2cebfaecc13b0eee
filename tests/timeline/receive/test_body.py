"""Bodies: whole or refused, bounded in bytes, in time and in memory."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.receiving import Connection, Driven
from tests.timeline.receive import otlp
from tests.timeline.receive.otlp import PROTOBUF
from timeline.receive.answers import Refused
from timeline.receive.body import Bodies

BIG = otlp.traces_protobuf(8, name="x" * 60_000)


@pytest.mark.parametrize("body", [otlp.traces_protobuf(), BIG])
def test_a_body_cut_before_its_content_length_is_never_stored(driven: Driven, body: bytes) -> None:
    status, _, _ = driven.ask("POST", "/v1/traces", PROTOBUF, body, length=len(body) + 1)
    assert 400 == status
    assert driven.accepted() == []


@pytest.mark.parametrize("body", [otlp.traces_protobuf(), BIG])
@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_whose_connection_breaks_is_never_stored(driven: Driven, body: bytes, chunked: bool) -> None:
    status, _, _ = driven.ask("POST", "/v1/traces", PROTOBUF, body, chunked=chunked, broken=True)
    assert 400 == status
    assert driven.accepted() == []


@pytest.mark.django_db
def test_what_never_arrived_is_not_counted_as_refused(driven: Driven) -> None:
    driven.ask("POST", "/v1/traces", PROTOBUF, otlp.traces_protobuf(), chunked=True, broken=True)
    assert {} == driven.tally()


def test_announced_trailers_are_no_broken_connection(driven: Driven) -> None:
    headers = PROTOBUF | {"trailer": "checksum"}
    status, _, _ = driven.ask(
        "POST", "/v1/traces", headers, otlp.traces_protobuf(), chunked=True, broken=True
    )
    assert 200 == status


@pytest.mark.parametrize("chunked", [True, False])
def test_a_body_that_stalls_is_asked_for_again(driven: Driven, chunked: bool) -> None:
    status, headers, _ = driven.ask(
        "POST", "/v1/traces", PROTOBUF, b"abc", chunked=chunked, length=None if chunked else 500, stalls=True
    )
    assert (503, "1") == (status, headers["retry-after"])
    assert driven.accepted() == []


def test_a_body_that_drips_is_ended_by_the_clock_of_the_whole() -> None:
    class Dripping(Connection):
        async def __aiter__(self):  # type: ignore[no-untyped-def]
            while True:
                await asyncio.sleep(0.02)
                yield b"x"

    bodies = Bodies(limit=1 << 20, stall=0.1, whole=0.3)
    with pytest.raises(Refused) as caught:
        asyncio.run(bodies.read(Dripping([]), {"transfer-encoding": "chunked"}))
    assert 503 == caught.value.status


def test_a_length_that_is_no_number_is_refused(driven: Driven) -> None:
    for text in ("-1", "1e3", "\u0661", "9" * 30):
        status, _, _ = driven.ask("POST", "/v1/traces", [*PROTOBUF.items(), ("content-length", text)])
        assert 400 == status


def test_too_much_at_once_is_put_off_and_memory_is_given_back() -> None:
    async def scenario() -> tuple[int, bytes]:
        bodies = Bodies(limit=100_000, stall=5, whole=5)
        chunked = {"transfer-encoding": "chunked"}
        first = await bodies.read(Connection([b"a" * 100_000]), chunked)
        second = await bodies.read(Connection([b"b" * 60_000]), chunked)
        with pytest.raises(Refused) as caught:
            await bodies.read(Connection([b"c" * 60_000]), chunked)
        bodies.free(len(first) + len(second))
        return caught.value.status, await bodies.read(Connection([b"d" * 100_000]), chunked)

    assert (503, b"d" * 100_000) == asyncio.run(scenario())


@pytest.mark.parametrize("length", [(1 << 20) + 1, 3 << 20, 1 << 60])
def test_a_declared_length_beyond_the_limit_is_refused_whatever_comes(driven: Driven, length: int) -> None:
    status, _, _ = driven.ask("POST", "/v1/traces", PROTOBUF, b"x", length=length)
    assert 413 == status


def test_a_sender_that_asks_first_is_told_without_sending(tmp_path: Path) -> None:
    headers = PROTOBUF | {"expect": "100-continue"}
    driven = Driven(tmp_path, stall=30)
    status, _, _ = driven.ask("POST", "/v1/traces", headers, b"", length=2 << 20, stalls=True)
    assert 413 == status
