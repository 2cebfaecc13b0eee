"""Our own CPU, step by step, for one fact on its way in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from benchmarks.corpus import PER_REQUEST, accepted, requests
from tests.timeline.store.memory import Memory
from timeline.ingest.decode import decode, inspect
from timeline.ingest.entities import Rules
from timeline.search.fact_tokens import fact_tokens
from timeline.store.codec import Codec, Packer
from timeline.store.elasticsearch.document import prepare
from timeline.store.packing import pack
from timeline.store.ready import make, plain

REQUESTS = 40
_Made = TypeVar("_Made")


def measure() -> dict[str, float]:
    """CPU in us a span of each step, the best of three passes."""
    taken = [
        accepted(number, body, received=time.time_ns())
        for number, body in enumerate(requests(REQUESTS, start=time.time_ns() - 10**12))
    ]
    rules = Rules.default()
    figures: dict[str, float] = {}

    def step(name: str, work: Callable[[], _Made]) -> _Made:
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            made = work()
            best = min(best, time.process_time() - began)
        figures[name] = round(best * 1e6 / REQUESTS / PER_REQUEST, 1)
        return made

    if plain is not None:
        step("judge at the door, natively", lambda: [inspect(one, plain=plain) for one in taken])
    step("judge at the door", lambda: [inspect(one) for one in taken])
    if make is not None:
        ready = step(
            "decode and normalise, natively", lambda: [decode(one, rules, make=make) for one in taken]
        )
        packer = _packer()
        step("lines for Elasticsearch, natively", lambda: [prepare(one.facts, "x", packer) for one in ready])
    decoded = step("decode and normalise", lambda: [decode(one, rules) for one in taken])
    facts = [stored for one in decoded for stored in one.facts]
    step("tokens", lambda: [fact_tokens(stored) for stored in facts])
    step("pack", lambda: [pack(stored) for stored in facts])
    packer = _packer()
    step("lines for Elasticsearch, tokens and packing included", lambda: prepare(facts, "x", packer))
    return figures


def _packer() -> Packer:
    packer = Packer(Codec(Memory()))
    packer.start()
    return packer
