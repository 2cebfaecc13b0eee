"""What the proxy may do to a request: be slow, cut, refuse, or answer as a node in trouble does."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import orjson

from tests.faults.proxy import Cut, Exchange, Fault, answer, failure

AWAY = (503, "unavailable_shards_exception", "primary shard is not active")


def passing(exchange: Exchange) -> bytes:
    """No fault: the real answer."""
    return b"\r\n\r\n".join(exchange.forward())


def slow(seconds: float) -> Fault:
    """Everything is answered late."""

    def fault(exchange: Exchange) -> bytes:
        reply = passing(exchange)
        exchange.wait(seconds)
        return reply

    return fault


def black_hole(exchange: Exchange) -> None:
    """Nothing is answered, and nothing is closed, until it is healed."""
    exchange.proxy.healed.wait(300)


def cut_bulks(step: int) -> Fault:
    """Bulks are stored and their answers cut: before the first byte, then each ``step`` bytes later.

    When an answer has come through whole, it begins anew.
    """
    lock, size = threading.Lock(), 0

    def fault(exchange: Exchange) -> bytes:
        nonlocal size
        reply = passing(exchange)
        if not exchange.request.bulk:
            return reply
        with lock:
            at, size = size, 0 if size >= len(reply) else size + step
        return reply if at >= len(reply) else Cut(reply[:at])

    return fault


def bulks_refused(status: int, kind: str, reason: str) -> Fault:
    """Bulks are refused as a whole."""

    def fault(exchange: Exchange) -> bytes:
        if exchange.request.bulk:
            return answer(status, failure(status, kind, reason))
        return passing(exchange)

    return fault


Refusing = Callable[[dict[str, Any], bytes], "tuple[int, str, str] | None"]


def items_refused(refusing: Refusing) -> Fault:
    """Items are refused, unseen by the node, where ``refusing`` gives (status, type, reason)."""

    def fault(exchange: Exchange) -> bytes:
        if not exchange.request.bulk:
            return passing(exchange)
        lines = exchange.request.lines()
        refused = [refusing(action, line) for action, line in lines]
        kept = b"".join(line for (_, line), no in zip(lines, refused, strict=True) if no is None)
        stored = iter(exchange.json(kept)["items"] if kept else [])
        return answer(200, {"items": [_refusal(*no) if no else next(stored) for no in refused]})

    return fault


def _refusal(status: int, kind: str, reason: str) -> dict[str, Any]:
    return {"create": {"status": status, "error": {"type": kind, "reason": reason}}}


def shard_lost(index: str) -> Fault:  # noqa: C901 - one small function per kind of request
    """The only shard of an index is nowhere: its items wait, searches lack it, and the cluster is red."""
    into = index.replace("-facts-", "-into-")  # facts are written through an alias
    refusing = items_refused(lambda action, line: AWAY if action["_index"] == into else None)
    gone = {"type": "no_shard_available_action_exception", "reason": f"[{index}][0] is not available"}

    def lacking(found: dict[str, Any]) -> dict[str, Any]:
        found["_shards"]["total"] += 1
        found["_shards"]["failed"] += 1
        found["_shards"]["failures"] = [{"shard": 0, "index": index, "node": None, "reason": gone}]
        return found

    def without(names: str) -> str:
        """The other indices of those asked; only in the pattern it need not be named."""
        rest = [name for name in names.split(",") if name != index]
        return ",".join([*rest, f"-{index}"]) if any("*" in name for name in rest) else ",".join(rest)

    def asked(names: str) -> bool:
        return index in names.split(",") or "*" in names

    def one(exchange: Exchange) -> bytes:
        request = exchange.request
        names = request.path.strip("/").removesuffix("/_search")
        if not asked(names):
            return passing(exchange)
        if b"allow_partial_search_results=false" in request.query.encode():
            return answer(503, failure(503, "search_phase_execution_exception", "all shards failed"))
        head = request.head.replace(names.encode(), without(names).encode(), 1)
        other = Exchange(exchange.proxy, replace(request, head=head), exchange.node)
        return answer(200, lacking(other.json()))

    def many(exchange: Exchange) -> bytes:
        rows = exchange.request.body.splitlines()
        heads = [orjson.loads(row) for row in rows[::2]]
        hit = [asked(head["index"]) for head in heads]
        for head in heads:
            head["index"] = without(head["index"])
        body = b"".join(
            orjson.dumps(head) + b"\n" + row + b"\n" for head, row in zip(heads, rows[1::2], strict=True)
        )
        found = exchange.json(body)
        for yes, reply in zip(hit, found["responses"], strict=True):
            if yes and "_shards" in reply:
                lacking(reply)
        return answer(200, found)

    def fault(exchange: Exchange) -> bytes | None:
        request = exchange.request
        if request.bulk:
            return refusing(exchange)
        if request.path.endswith("/_msearch"):
            return many(exchange)
        if request.path.endswith("/_search"):
            return one(exchange)
        if request.path.startswith("/_cluster/health"):
            return answer(200, {**exchange.json(), "status": "red", "unassigned_shards": 1})
        return passing(exchange)

    return fault


class Dice:
    """A seeded die for several threads."""

    def __init__(self, seed: int) -> None:
        self._dice, self._lock = random.Random(seed), threading.Lock()

    def below(self, share: float) -> bool:
        """True for this share of the throws."""
        with self._lock:
            return self._dice.random() < share


def sometimes(share: float, seed: int, fault: Fault) -> Fault:
    """``fault`` for a share of the requests; the others pass."""
    dice = Dice(seed)

    def chance(exchange: Exchange) -> bytes | None:
        return fault(exchange) if dice.below(share) else passing(exchange)

    return chance
