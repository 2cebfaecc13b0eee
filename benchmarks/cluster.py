"""``make bench-elasticsearch``: the way in and the questions on a real Elasticsearch, beside its floor.

Everything runs on one machine and in one run: first the same documents, made beforehand,
straight into ``_bulk``; then the corpus through receiver, inbox and worker.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import psutil
from elasticsearch import Elasticsearch as Client

from benchmarks import cohorts, steps
from benchmarks.questions import batches, median
from benchmarks.run import RESULTS, machine, shown
from benchmarks.way_in import pass_through, warm
from tests.node.harness import RunningNode, until
from tests.servers.elasticsearch import Elasticsearch
from timeline.domain import Stored
from timeline.search.query import AttributeIs, FieldIs, Or, Query, Window
from timeline.store.codec import Codec, Packer
from timeline.store.elasticsearch.address import read_address
from timeline.store.elasticsearch.client import Cluster
from timeline.store.elasticsearch.days import Days
from timeline.store.elasticsearch.document import Line, prepare
from timeline.store.elasticsearch.shelf import Shelf
from timeline.store.elasticsearch.store import ElasticsearchStore

BULK: Final = 5_000_000  # bytes
UNDER_WAY: Final = 2
WARM: Final = 150_000  # spans
COMMON: Final = AttributeIs("customer.tier", "gold")  # 1 fact in 6


class Server:
    """The cluster under test, and what it has used."""

    def __init__(self, node: Elasticsearch) -> None:
        self.node = node
        assert node.process is not None
        self._process = psutil.Process(node.process.pid)

    def cpu(self) -> float:
        """CPU seconds of all its processes so far."""
        everyone = [self._process, *self._process.children(recursive=True)]
        return sum(sum(process.cpu_times()[:2]) for process in everyone)

    def call(self, method: str, path: str) -> Any:
        """A request behind the product's back."""
        request = urllib.request.Request(self.node.url + path, method=method)
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def bytes_of(self, pattern: str) -> int:
        """Bytes of all segments as they are now: the store's own statistics are up to 10 s old."""
        indices = self.call("GET", f"/{pattern}/_segments")["indices"].values()
        copies = [copy for index in indices for shard in index["shards"].values() for copy in shard]
        return sum(
            segment["size_in_bytes"]
            for copy in copies
            if copy["routing"]["primary"]
            for segment in copy["segments"].values()
        )

    def _retained(self, pattern: str) -> int:
        """Documents kept as they were sent, for copies that might lack them."""
        indices = self.call("GET", f"/{pattern}/_stats?level=shards")["indices"].values()
        copies = [copy for index in indices for shard in index["shards"].values() for copy in shard]
        return sum(
            copy["seq_no"]["max_seq_no"] + 1 - lease["retaining_seq_no"]
            for copy in copies
            for lease in copy["retention_leases"]["leases"]
        )

    def settle(self, pattern: str) -> tuple[int, int]:
        """Bytes as written, and after merging to one segment.

        A merge lets go of a sent document only once it is on disk and no copy of the index could
        still ask for it, which the node notes twice a minute.
        """
        self.call("POST", f"/{pattern}/_refresh")
        hot = self.bytes_of(pattern)
        until(lambda: not self._retained(pattern), seconds=120, what="nothing retained for other copies")
        self.call("POST", f"/{pattern}/_flush?force=true")
        self.call("POST", f"/{pattern}/_forcemerge?max_num_segments=1")
        self.call("POST", f"/{pattern}/_flush")
        return hot, self.bytes_of(pattern)


def main() -> None:
    """Measure, print, and write one result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=300_000, help="spans sent through the front door")
    parser.add_argument("--facts", type=int, default=3_000_000, help="facts to grow to; 0 leaves that out")
    parser.add_argument("--entities", type=int, default=1_000_000, help="summaries asked; 0 leaves that out")
    parser.add_argument("--passes", type=int, default=3, help="floor and way in, one after the other")
    parser.add_argument("--heap", default="2g", help="heap of Elasticsearch")
    options = parser.parse_args()
    figures: dict[str, Any] = {"machine": machine()}
    with Elasticsearch(heap=options.heap, java_options="") as node:
        server = Server(node)
        address = f"elasticsearch://127.0.0.1:{node.port}"
        floor(server, f"{address}/warm", min(options.spans, WARM))  # the engine compiles itself on the way
        passes = [one_pass(server, address, options.spans, number) for number in range(options.passes)]
        figures["passes"] = passes
        figures["floor"] = shown(
            "floor: the same documents, straight to _bulk; medians",
            medians_of([one["floor"] for one in passes]),
        )
        figures["way_in"] = shown("way in; medians", medians_of([one["way_in"] for one in passes]))
        figures["steps_us_per_span"] = shown("our CPU by step, us per span", steps.measure())
        if options.facts:
            small = figures["way_in"]["api_newest_20_ms"]
            figures["grown"] = shown("grown", grown(server, address, options.facts, small))
        if options.entities:
            with ElasticsearchStore(f"{address}/cohorts") as store:
                figures["cohorts"] = shown("cohorts, p50 / p95", cohorts.asked(store, options.entities))
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{datetime.now(UTC):%Y-%m-%d}-elasticsearch.json"
    file.write_text(json.dumps(figures, indent=1) + "\n")
    print(f"\nwritten to benchmarks/results/{file.name}")


def one_pass(server: Server, address: str, spans: int, number: int, *, before: int = 0) -> dict[str, Any]:
    """The floor and, right after it, the way in: a machine's pace changes from minute to minute."""
    under = floor(server, f"{address}/floor{number}", spans)
    ours = way_in(server, f"{address}/bench{number}", spans, under, before)
    print(
        f"pass {number + 1}: floor {under['per_second']:,} /s, ours {ours['spans_per_second']:,} /s,"
        f" ratio {ours['ratio_to_floor']}, our CPU {ours['our_cpu_us_per_span']} us a span",
        flush=True,
    )
    return {"floor": under, "way_in": ours}


def medians_of(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """The median of each figure."""
    return {
        name: medians_of([one[name] for one in figures])
        if isinstance(value, dict)
        else round(statistics.median(one[name] for one in figures), 2)
        for name, value in figures[0].items()
    }


def floor(server: Server, address: str, spans: int) -> dict[str, Any]:
    """Documents per second that the engine takes with nothing of ours around it."""
    store = ElasticsearchStore(address)
    store.prepare()
    prefix = address.rpartition("/")[2]
    bodies = list(_bodies(address, spans))
    client = Client(server.node.url)
    used, began = server.cpu(), time.perf_counter()
    with ThreadPoolExecutor(UNDER_WAY) as threads:
        answers = threads.map(lambda body: client.bulk(body=body, filter_path="errors")["errors"], bodies)
        assert not any(answers), "the floor's documents were refused"
    server.call("POST", f"/{prefix}-facts-*/_refresh")
    seconds, used = time.perf_counter() - began, server.cpu() - used
    hot, closed = server.settle(f"{prefix}-facts-*")
    client.close()
    store.close()
    return {
        "documents": spans,
        "per_second": round(spans / seconds),
        "elasticsearch_us_per_span": round(used * 1e6 / spans, 1),
        "bytes_per_span_hot": round(hot / spans),
        "bytes_per_span_closed": round(closed / spans),
    }


def _bodies(address: str, spans: int) -> Iterator[bytes]:
    """Bulk bodies of about ``BULK`` bytes."""
    cluster = Cluster(read_address(address))
    packer = Packer(Codec(Shelf(cluster)))
    packer.start()
    days = Days(cluster, 14)
    waiting: list[bytes] = []
    size = 0
    for batch in batches(spans, time.time_ns() - spans * 2_000_000):
        for line in prepare(batch, cluster.prefix, packer):
            assert isinstance(line, Line), line
            days.open(line.day)
            waiting.append(line.data)
            size += len(line.data)
            if size >= BULK:
                yield b"".join(waiting)
                waiting, size = [], 0
    if waiting:
        yield b"".join(waiting)


def way_in(server: Server, address: str, spans: int, under: dict[str, Any], before: int) -> dict[str, Any]:
    """Through receiver, inbox and worker, which have taken some spans ``before``; then the same questions as
    people ask them."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        node = RunningNode(
            Path(folder) / "node",
            THROUGHLINE_LOG_LEVEL="WARNING",
            THROUGHLINE_STORE_URL=address,
        ).start()
        try:
            if before:
                warm(node, before, spans)
            used = server.cpu()
            figures = pass_through(node, spans, held=before)
            used = server.cpu() - used
            hot, closed = server.settle(f"{address.rpartition('/')[2]}-facts-*")
            answers = _through_the_api(node) | _of_the_store(address)
        finally:
            node.stop()
    own = round(sum(figures["cpu_us_per_span"].values()), 1)
    cpu = round(used * 1e6 / spans, 1)
    return figures | {
        "ratio_to_floor": round(figures["spans_per_second"] / under["per_second"], 2),
        "our_cpu_us_per_span": own,
        "elasticsearch_us_per_span": cpu,
        "elasticsearch_ratio_to_floor": round(cpu / under["elasticsearch_us_per_span"], 2),
        "bytes_per_span_hot": round(hot / (before + spans)),
        "bytes_per_span_closed": round(closed / (before + spans)),
        **answers,
    }


def _through_the_api(node: RunningNode) -> dict[str, float]:
    """Medians in ms over HTTP, as a script or the dashboard asks.

    Of the last of three rounds: an engine compiles what it runs while it is asked, as it does for the floor.
    """
    return [_asked_of_the_api(node) for _ in range(3)][-1]


def _asked_of_the_api(node: RunningNode) -> dict[str, float]:
    found = node.get("/api/v1/search?q=customer.tier:gold&limit=20")
    traces = iter([fact["trace_id"] for fact in found["facts"]] * 10)
    return {
        "api_newest_20_ms": median(
            lambda: node.get("/api/v1/search?q=customer.tier:gold&limit=20&drawn=false")
        ),
        "api_newest_20_with_facets_and_histogram_ms": median(
            lambda: node.get("/api/v1/search?q=customer.tier:gold&limit=20")
        ),
        "api_trace_ms": median(lambda: node.get(f"/api/v1/traces/{next(traces)}")),
    }


def _of_the_store(address: str) -> dict[str, float]:
    """Medians in ms of the store's own answers."""
    store = ElasticsearchStore(address)
    store.prepare()
    try:
        return {name: median(question) for name, question in _questions(store).items()}
    finally:
        store.close()


def _questions(store: ElasticsearchStore) -> dict[str, Callable[[], object]]:
    now = time.time_ns()
    window = Window(start=now - 14 * 86_400 * 10**9, end=now)
    common = Query(where=COMMON, window=window)

    def traces() -> list[Stored]:
        rows = store.search(common, limit=100).rows
        ids = list(dict.fromkeys(row.trace_id for row in rows if row.trace_id))[:20]
        where = Or(tuple(FieldIs("trace_id", one) for one in ids))
        return list(store.facts_of(Query(where=where, window=window)))

    row = store.search(common, limit=1).rows[0]
    one = Query(where=FieldIs("trace_id", row.trace_id or ""))
    return {
        "store_newest_20_ms": lambda: store.search(common, limit=20),
        "store_20_whole_traces_ms": traces,
        "store_trace_ms": lambda: list(store.facts_of(one)),
        "store_count_ms": lambda: store.count(common),
    }


def grown(server: Server, address: str, facts: int, small: float) -> dict[str, Any]:
    """The same questions where there is ten times as much; ``small`` is the list's time before (ms)."""
    name = f"{address}/grown"
    store = ElasticsearchStore(name)
    store.prepare()
    began = time.perf_counter()
    for batch in batches(facts, time.time_ns() - facts * 2_000_000):
        store.write(batch)
    seconds = time.perf_counter() - began
    store.close()
    server.settle("grown-facts-*")
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        node = RunningNode(
            Path(folder) / "node", THROUGHLINE_LOG_LEVEL="WARNING", THROUGHLINE_STORE_URL=name
        ).start()
        try:
            answers = _through_the_api(node)
        finally:
            node.stop()
    return {
        "facts": facts,
        "written_per_second": round(facts / seconds),
        **answers,
        "api_newest_20_against_fewer": round(answers["api_newest_20_ms"] / small, 2),
        **_of_the_store(name),
    }


if __name__ == "__main__":
    main()
