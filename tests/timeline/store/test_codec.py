"""Facts come back from their bytes as they were, whatever their ids and times are."""

import itertools

import pytest

from tests import builders as b
from tests.timeline.store.memory import Memory
from timeline.domain import SpanRef, Stored
from timeline.errors import StoreUnavailable
from timeline.store.codec import MAX_DICTIONARIES, Codec, Packer
from timeline.store.packing import pack, unpack

TIMES = [None, 0, 1, -1, b.NOW, b.NOW + 1, (1 << 62), (1 << 63) - 1, -(1 << 63), (1 << 64) - 1]


def again(stored: Stored) -> Stored:
    """Through bytes and back."""
    return unpack(*pack(stored))


@pytest.mark.parametrize(("start", "end"), itertools.product(TIMES, TIMES))
def test_times_of_any_size_come_back(start: int | None, end: int | None) -> None:
    own = b.stored(b.span(start=start, end=end), received=b.NOW)
    assert own == again(own)


@pytest.mark.parametrize("received", [0, -5, b.NOW, (1 << 63) - 1, -(1 << 63)])
def test_received_times_and_ties_of_any_size_come_back(received: int) -> None:
    for fact in (b.span(), b.span(start=None), b.event(at=None)):
        own = b.stored(fact, received=received, tie=-(1 << 63))
        assert own == again(own)


@pytest.mark.parametrize(
    "text", ["", "0" * 16, "0" * 32, "A" * 32, "g" * 32, "0" * 31 + " ", "é" * 16, "0x" * 16]
)
def test_ids_that_are_no_lower_case_hexadecimal_come_back_too(text: str) -> None:
    own = b.stored(
        b.span(ref=SpanRef(trace_id=text, span_id=text), parent=text), identity="short", content=text
    )
    assert own == again(own)


def test_a_variant_keeps_the_identity_that_its_id_does_not_tell() -> None:
    own = b.stored(b.span(), identity="A" * 16, variant=True, id="B" * 20)
    assert own == again(own)


def test_a_whole_corpus_comes_back_through_dictionaries_and_takes_less_room() -> None:
    shelf = Memory()
    packer = Packer(Codec(shelf))
    packer.start()
    facts = list(b.facts(6_000))
    packed = []
    for start in range(0, len(facts), 100):
        packed += packer.pack([pack(stored) for stored in facts[start : start + 100]])
    assert [1] == shelf.numbers()
    other = Codec(shelf)
    for stored, blob in zip(facts, packed, strict=True):
        assert stored == other.unpack(blob)
    before, after = (sum(map(len, part)) for part in (packed[:1_000], packed[-1_000:]))
    assert after < before * 0.6


def test_a_dictionary_learnt_by_another_node_meanwhile_keeps_its_number() -> None:
    shelf = Memory()

    class Late(Memory):
        """A shelf on which another node is always a moment faster, once."""

        def keep(self, number: int, data: bytes) -> bool:
            """As a shelf, but number 1 is taken."""
            self.data.setdefault(1, b"of another node")
            return super().keep(number, data)

    late = Late()
    samples = [pack(stored)[1] for stored in b.facts(2_000)]
    assert 1 == Codec(shelf).learn(samples)
    assert 2 == Codec(late).learn(samples)
    assert b"of another node" == late.data[1]


def test_no_more_dictionaries_are_learnt_than_a_byte_can_name() -> None:
    shelf = Memory()
    shelf.data = {MAX_DICTIONARIES: b""}
    assert MAX_DICTIONARIES == Codec(shelf).learn([pack(stored)[1] for stored in b.facts(2_000)])
    assert {MAX_DICTIONARIES: b""} == shelf.data


def test_a_lost_dictionary_and_a_damaged_fact_are_errors_with_a_remedy() -> None:
    codec = Codec(Memory())
    for blob in (b"\x07\x01anything", b"\x00\x01no zstd", b"", b"\x00"):
        with pytest.raises(StoreUnavailable) as raised:
            codec.unpack(blob)
        assert raised.value.remedy
