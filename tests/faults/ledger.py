"""The ledger: what was sent and what was acknowledged, held against every document of the cluster."""

from __future__ import annotations

import os
import random
import threading
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from tests.node.harness import RunningNode
from tests.node.otlp import PROTOBUF, attribute, request, span
from timeline.domain import Stored
from timeline.store.codec import Codec
from timeline.store.elasticsearch.address import read_address
from timeline.store.elasticsearch.client import Cluster
from timeline.store.elasticsearch.names import id_of
from timeline.store.elasticsearch.shelf import Shelf

Attributes = Mapping[str, Any]  # of any type that OTLP has
PAGE = 5_000  # documents read at a time
DAY = 86400 * 10**9


@dataclass(frozen=True)
class Copy:
    """One document of the cluster: where it lies, and the fact in it."""

    index: str
    id: str
    stored: Stored


def documents(address: str) -> Iterator[Copy]:
    """Every document of every index of facts, read from Elasticsearch itself; the store must be quiet.

    ``address`` is the node's store URL, without a proxy in between.
    """
    cluster = Cluster(read_address(address))
    try:
        codec = Codec(Shelf(cluster))
        path = f"/{cluster.prefix}-facts-*"
        cluster.ask("POST", f"{path}/_refresh", doing="the ledger")
        order = [{"high": "asc"}, {"low": "asc"}]
        body: dict[str, Any] = {"size": PAGE, "docvalue_fields": ["whole"], "track_total_hits": True}
        opened = cluster.ask("POST", f"{path}/_pit", params={"keep_alive": "1m"}, doing="the ledger")
        body |= {"pit": {"id": opened["id"], "keep_alive": "1m"}, "sort": order}
        read = 0
        while True:
            answer = cluster.ask("POST", "/_search", body, doing="the ledger")
            assert 0 == answer["_shards"]["failed"], answer["_shards"]
            hits = answer["hits"]["hits"]
            for hit in hits:
                high, low = hit["sort"][:2]
                assert hit["_id"] == id_of(high, low), "a document lies under an id that is not its own"
                yield Copy(hit["_index"], hit["_id"], _fact(codec, hit))
            read += len(hits)
            if not hits:
                assert answer["hits"]["total"]["value"] == read, "not every document was read"
                return
            body["search_after"] = hits[-1]["sort"]
    finally:
        cluster.close()


def _fact(codec: Codec, hit: dict[str, Any]) -> Stored:
    return codec.unpack(b64decode(hit["fields"]["whole"][0]))


class Verdict(msgspec.Struct, kw_only=True):
    """What became of what was sent, as span ids."""

    sent: int
    acknowledged: int
    stored: int
    lost: list[str]
    doubled: list[str]
    phantom: list[str]  # never sent
    wrong: list[str]  # other content than was sent

    @property
    def clean(self) -> bool:
        """Whether nothing is wrong."""
        return not (self.lost or self.doubled or self.phantom or self.wrong)

    def __str__(self) -> str:
        """The figures, and the first of each that is wrong."""
        bad = {name: getattr(self, name) for name in ("lost", "doubled", "phantom", "wrong")}
        return (
            f"sent {self.sent:,}, acknowledged {self.acknowledged:,}, stored {self.stored:,}; "
            + ", ".join(f"{name} {len(ids)}" for name, ids in bad.items())
            + "".join(f"; {name}: {ids[:3]}" for name, ids in bad.items() if ids)
        )


def any_value(value: Any) -> AnyValue:
    """The value as OTLP carries it, typed by its Python type."""
    if isinstance(value, dict):
        pairs = [KeyValue(key=key, value=any_value(one)) for key, one in value.items()]
        return AnyValue(kvlist_value=KeyValueList(values=pairs))
    if isinstance(value, list):
        return AnyValue(array_value=ArrayValue(values=[any_value(one) for one in value]))
    if isinstance(value, bytes):
        return AnyValue(bytes_value=value)
    return attribute("", value).value


def typed(value: Any) -> Any:
    """The value with its types, so that 1, 1.0 and true differ."""
    if isinstance(value, dict):
        return "map", {key: typed(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return "list", [typed(one) for one in value]
    return type(value).__name__, value


def judge(
    sent: Mapping[str, Attributes], acknowledged: set[str], found: Sequence[tuple[str, Attributes]]
) -> Verdict:
    """Hold every span that was sent against every one that was found."""
    counts = Counter(name for name, _ in found)
    return Verdict(
        sent=len(sent),
        acknowledged=len(acknowledged),
        stored=len(found),
        lost=sorted(acknowledged - set(counts)),
        doubled=sorted(name for name, count in counts.items() if count > 1),
        phantom=sorted(set(counts) - set(sent)),
        wrong=sorted({name for name, has in found if name in sent and typed(has) != typed(sent[name])}),
    )


SEED: Final = int(os.environ.get("FAULT_SEED", "4711"))  # of every schedule; the long form takes twenty


@dataclass
class Ledger:
    """What one service sends to a node, written down before and after each request."""

    node: RunningNode
    service: str
    number: int  # of this ledger among all that use the node
    seed: int = SEED
    sent: dict[str, Attributes] = field(default_factory=dict)
    acknowledged: set[str] = field(default_factory=set)
    statuses: Counter[int] = field(default_factory=Counter)
    items: int = 0  # acknowledged, repeats included
    _next: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def send(self, count: int, *, attributes: Sequence[Attributes] = (), at: int | None = None) -> list[str]:
        """Send so many new spans in one request, in doubt again until it is answered; their ids."""
        with self._lock:
            first = (self.number << 40) + self._next + 1
            self._next += count
        names = [f"{first + n:016x}" for n in range(count)]
        dice = random.Random(f"{self.seed} {first}")
        own = [
            {"ledger.id": name, "ledger.word": f"{dice.getrandbits(64):x}"}
            | dict(attributes[n] if attributes else {})
            for n, name in enumerate(names)
        ]
        began = time.time_ns() if at is None else at
        spans = [span(self.number, first + n, at=began + n) for n in range(count)]
        for one, has in zip(spans, own, strict=True):
            one.attributes.extend(KeyValue(key=key, value=any_value(value)) for key, value in has.items())
        body = request(self.service, spans)
        with self._lock:
            self.sent.update(zip(names, own, strict=True))
        self._post(body, names)
        if dice.random() < 0.1:  # a sender that did not hear the answer
            self._post(body, names)
        return names

    def _post(self, body: bytes, names: list[str]) -> None:
        status = self.node.send("/v1/traces", body, PROTOBUF)
        with self._lock:
            self.statuses[status] += 1
            if status == 200:
                self.acknowledged.update(names)
                self.items += len(names)

    @contextmanager
    def load(
        self, *, threads: int = 2, size: int = 20, pause: float = 0.05, days: Sequence[int] = (0,)
    ) -> Iterator[None]:
        """Send from several threads while the block runs; each request goes to one of the ``days`` back."""
        stop = threading.Event()
        failed: list[BaseException] = []

        def run(number: int) -> None:
            dice = random.Random(f"{self.seed} load {number}")
            try:
                while not stop.wait(pause):
                    back = dice.choice(days)
                    self.send(size, at=time.time_ns() - back * DAY)
            except BaseException as error:  # noqa: BLE001 - raised where the block ends
                failed.append(error)

        runners = [threading.Thread(target=run, args=(n,), daemon=True) for n in range(threads)]
        for runner in runners:
            runner.start()
        try:
            yield
        finally:
            stop.set()
            for runner in runners:
                runner.join(60)
        if failed:
            raise failed[0]

    def check(self, address: str) -> Verdict:
        """Hold this ledger against every document under the store URL ``address``."""
        found: list[tuple[str, Attributes]] = []
        for copy in documents(address):
            fact = copy.stored.fact
            if fact.service == self.service:
                assert fact.ref is not None
                found.append((fact.ref.span_id, fact.attributes))
        verdict = judge(self.sent, self.acknowledged, found)
        print(f"{self.service}: {verdict}; answers {dict(self.statuses)}")
        return verdict


def unaccounted(tally: Mapping[str, int]) -> int:
    """Items that were received and are nowhere: 0 at every instant."""
    kinds = ("refused", "inbox", "new", "already", "variant", "quarantined")
    return tally.get("received", 0) - sum(tally.get(kind, 0) for kind in kinds)
