"""F08, F09: no attribute, whatever its name or type, is refused, and none becomes a field of the index."""

from __future__ import annotations

import random
import time
from typing import Any
from urllib.parse import quote

import pytest

from tests.faults.conftest import Bench
from tests.faults.ledger import SEED
from tests.faults.watching import watching

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]
MOST_FIELDS = 300


def _fields(bench: Bench) -> dict[str, int]:
    """How many fields each index has."""
    found = bench.cluster.ask("GET", f"/{bench.prefix}-facts-*/_mapping")
    return {index: len(one["mappings"]["properties"]) for index, one in found.items()}


def _value(dice: random.Random, depth: int = 0) -> Any:
    kind = dice.randrange(8 if depth < 3 else 6)
    if kind == 0:
        return dice.randrange(-(1 << 63), 1 << 63)
    if kind == 1:
        return dice.random() * 10.0 ** dice.randrange(-300, 300)
    if kind == 2:
        return dice.random() < 0.5
    if kind == 3:
        return dice.choice(["", "2026-11-24", "42", "true", "10.0.0.1", "a.b.c", "ü\0`\x01", "x" * 300])
    if kind == 4:
        return dice.randbytes(dice.randrange(9))
    if kind == 5:
        return f"{dice.getrandbits(64):x}"
    if kind == 6:
        return [_value(dice, depth + 1) for _ in range(dice.randrange(4))]
    return {key: _value(dice, depth + 1) for key in dice.sample(["a", "b.c", "", "key", "f08"], 2)}


def test_f08_one_key_with_every_type_is_stored_as_it_was_sent(bench: Bench) -> None:
    ledger, dice = bench.ledger("f08"), random.Random(SEED)
    with watching(bench.node) as watch:
        first = ledger.send(1, attributes=[{"f08": 42, "f08.deep": 1}])[0]
        second = ledger.send(1, attributes=[{"f08": {"deep": {"er": "x7"}}, "f08.deep": {"er": [1, {}]}}])[0]
        for _ in range(40):
            some = [{"f08": _value(dice), "f08.deep": _value(dice), "": _value(dice)} for _ in range(25)]
            ledger.send(25, attributes=some)
        bench.quiet()
        before = _fields(bench)
    bench.settled(ledger, watch)
    assert max(before.values()) < MOST_FIELDS
    for name, asked in ((first, "f08:42"), (second, "f08.deep.er:x7")):
        bench.visible()
        path = f"/api/v1/search?q={quote(f'ledger.id:{name} {asked}')}&range=1h"
        assert [name] == [fact["span_id"] for fact in bench.node.get(path)["facts"]]


def _explode(bench: Bench, documents: int, keys: int, name: str) -> None:
    ledger, dice = bench.ledger(name), random.Random(SEED)
    fields = _fields(bench)
    asked: list[tuple[str, str]] = []
    began = time.monotonic()
    with watching(bench.node, every=1.0) as watch:
        for start in range(0, documents, 50):
            some = [
                {f"{ledger.service}.{start + n}.key{k}": f"v{dice.getrandbits(32)}" for k in range(keys)}
                for n in range(min(50, documents - start))
            ]
            names = ledger.send(len(some), attributes=some)
            at = dice.randrange(len(some))
            asked.append((names[at], "{}:{}".format(*dice.choice(list(some[at].items())))))
        bench.quiet(seconds=300)
    print(f"{documents * keys:,} distinct keys in {time.monotonic() - began:.0f} s")
    bench.settled(ledger, watch)
    now = _fields(bench)
    assert {index: now[index] for index in fields} == fields
    assert max(now.values()) < MOST_FIELDS
    bench.visible()
    for span_id, question in dice.sample(asked, min(20, len(asked))):
        answer = bench.node.get(f"/api/v1/search?q={quote(question)}&range=1h")
        assert [span_id] == [fact["span_id"] for fact in answer["facts"]], question
        known = bench.node.get(f"/api/v1/search?q={quote('has:' + question.partition(':')[0])}&range=1h")
        assert [span_id] == [fact["span_id"] for fact in known["facts"]], question


def test_f09_twenty_thousand_distinct_keys_add_no_field_and_are_all_found(bench: Bench) -> None:
    _explode(bench, 200, 100, "f09-few")


@pytest.mark.slow
def test_f09_a_million_distinct_keys_add_no_field_and_are_all_found(bench: Bench) -> None:
    _explode(bench, 10_000, 100, "f09-many")
