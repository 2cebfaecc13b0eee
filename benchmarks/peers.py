"""``make bench-peers``: the way in and the questions beside Jaeger and Zipkin, on Elasticsearch, in one run.

All on 9.5.3 but Zipkin, whose searches 9 refuses: it has 8.19.21, on the same machine. By turns: the floor, ours,
Jaeger, Zipkin, then again. Jaeger and ours get the same requests from the same loader. Zipkin gets the same spans
in its own JSON, uncompressed and four requests in one, and only as fast as it stores: it drops what is too much
without a word. All three have taken some spans before the clock starts: processes compile or fill themselves.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import cycle, islice
from typing import Any, Final, TypeAlias

import psutil
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from benchmarks import cluster
from benchmarks.corpus import PER_REQUEST, requests
from benchmarks.peer_servers import Jaeger, Zipkin
from benchmarks.questions import median
from benchmarks.run import RESULTS, machine
from benchmarks.way_in import load, searchable
from tests.node.harness import until
from tests.servers.elasticsearch import OLDER, Elasticsearch

TOGETHER: Final = 4  # requests of the corpus in one of Zipkin's, which is one bulk
BEFORE: Final = 60_000  # spans that each has taken before it is measured
UNDER_WAY: Final = 24_000  # spans that Zipkin has taken and not stored; above 64 requests it drops
Peer: TypeAlias = Jaeger | Zipkin
_KINDS: Final = {
    Span.SPAN_KIND_SERVER: "SERVER",
    Span.SPAN_KIND_CLIENT: "CLIENT",
    Span.SPAN_KIND_PRODUCER: "PRODUCER",
    Span.SPAN_KIND_CONSUMER: "CONSUMER",
}
_OURS: Final = {
    "own_cpu_us_per_span": "our_cpu_us_per_span",
    "newest_20_ms": "api_newest_20_ms",
    "20_whole_traces_ms": "store_20_whole_traces_ms",
    "trace_ms": "api_trace_ms",
}
_SHOWN: Final = (
    "spans_per_second",
    "own_cpu_us_per_span",
    "elasticsearch_us_per_span",
    "bytes_per_span_hot",
    "bytes_per_span_closed",
    "newest_20_ms",
    "20_whole_traces_ms",
    "trace_ms",
)


def main() -> None:
    """Measure, print one table, and write one result file."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--spans", type=int, default=300_000, help="spans sent to each in a pass")
    parser.add_argument("--passes", type=int, default=3, help="each after the other, so many times")
    options = parser.parse_args()
    with (
        Elasticsearch(heap="2g", java_options="") as newest,
        Elasticsearch(OLDER, heap="2g", java_options="") as older,
    ):
        servers = cluster.Server(newest), cluster.Server(older)
        # both engines compile themselves on the way
        cluster.floor(servers[0], f"elasticsearch://127.0.0.1:{newest.port}/warm", cluster.WARM)
        _through(Jaeger(newest.url, "warm"), servers[0], BEFORE)
        _through(Zipkin(older.url, "warm"), servers[1], BEFORE)
        passes = [one_pass(*servers, options.spans, number) for number in range(options.passes)]
    medians = {who: cluster.medians_of([one[who] for one in passes]) for who in passes[0]}
    _table(medians)
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"peers-{datetime.now(UTC):%Y-%m-%d}.json"
    file.write_text(json.dumps({"machine": machine(), "passes": passes, "medians": medians}, indent=1) + "\n")
    print(f"\nwritten to benchmarks/results/{file.name}")


def one_pass(
    server: cluster.Server, older: cluster.Server, spans: int, number: int
) -> dict[str, dict[str, Any]]:
    """Each once, one after the other."""
    address = f"elasticsearch://127.0.0.1:{server.node.port}"
    both = cluster.one_pass(server, address, spans, number, before=BEFORE)
    ours = both["way_in"] | {name: both["way_in"][there] for name, there in _OURS.items()}
    return {
        "floor": both["floor"] | {"spans_per_second": both["floor"]["per_second"]},
        "ours": ours,
        "jaeger": _through(Jaeger(server.node.url, f"jaeger{number}"), server, spans),
        "zipkin": _through(Zipkin(older.node.url, f"zipkin{number}"), older, spans),
    }


def _through(peer: Peer, server: cluster.Server, spans: int) -> dict[str, Any]:
    """The corpus through a peer until all of it is searchable, and the questions."""
    peer.start(seconds=120)
    send = _from_the_loader if isinstance(peer, Jaeger) else _as_it_stores
    try:
        assert peer.process is not None
        process = psutil.Process(peer.process.pid)
        send(peer, server, BEFORE, BEFORE, spans)
        own, there = _used(process), server.cpu()
        seconds = send(peer, server, spans, BEFORE + spans, 0)
        own, there = _used(process) - own, server.cpu() - there
        hot, closed = server.settle(peer.index)
        answers = [_asked(peer) for _ in range(3)][-1]
    finally:
        peer.stop()
    figures = {
        "spans_per_second": round(spans / seconds),
        "own_cpu_us_per_span": round(own * 1e6 / spans, 1),
        "elasticsearch_us_per_span": round(there * 1e6 / spans, 1),
        "bytes_per_span_hot": round(hot / (BEFORE + spans)),
        "bytes_per_span_closed": round(closed / (BEFORE + spans)),
        **answers,
    }
    print(f"  {peer.name}: {figures}", flush=True)
    return figures


def _used(process: psutil.Process) -> float:
    return float(sum(process.cpu_times()[:2]))


def _from_the_loader(peer: Peer, server: cluster.Server, spans: int, in_all: int, first: int) -> float:
    """Seconds from the first request until ``in_all`` spans are searchable."""
    seconds, sent = load(peer.port, spans, lambda: in_all - _count(peer, server), first=first)
    assert not sent["refused"], f"{peer.name} refused {sent['refused']} requests"
    return seconds


def _as_it_stores(peer: Peer, server: cluster.Server, spans: int, in_all: int, first: int) -> float:
    """The same in Zipkin's JSON, at most ``UNDER_WAY`` spans ahead of what is stored."""
    bodies = list(_bodies(spans, first))
    connection = http.client.HTTPConnection("127.0.0.1", peer.port, timeout=60)
    began = time.perf_counter()
    for number, body in enumerate(bodies, 1):
        connection.request("POST", "/api/v2/spans", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert answer.status == 202, answer.status
        ahead = in_all - spans + number * TOGETHER * PER_REQUEST - UNDER_WAY
        if ahead > 0:
            until(lambda least=ahead: _stored(peer, server) >= least, what="what was taken stored")  # type: ignore[misc]
    searchable(spans, lambda: in_all - _count(peer, server))
    connection.close()
    return time.perf_counter() - began


def _stored(peer: Peer, server: cluster.Server) -> int:
    """Documents written so far, searchable or not."""
    indices = server.call("GET", f"/{peer.index}/_stats/indexing")["_all"]["primaries"]
    return int(indices["indexing"]["index_total"]) if indices else 0


def _count(peer: Peer, server: cluster.Server) -> int:
    """Spans that a search would find."""
    try:
        return int(server.call("GET", f"/{peer.index}/_count")["count"])
    except urllib.error.HTTPError as error:
        if error.code != 503:
            raise
        return 0  # its index is being made just now


def _asked(peer: Peer) -> dict[str, float]:
    """Medians in ms over HTTP. Peers have no list of facts: their list is whole traces."""
    found = peer.found("orders", "customer.tier", "gold")
    ids = cycle(peer.ids(_get(found)))
    assert len(list(islice(ids, 5))) == 5, f"{peer.name} finds nothing"
    return {
        "20_whole_traces_ms": median(lambda: _get(found)),
        "trace_ms": median(lambda: _get(peer.trace(next(ids)))),
    }


def _get(address: str) -> Any:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return json.load(answer)


def _bodies(spans: int, first: int) -> Iterator[bytes]:
    """The corpus as Zipkin's reporters send it: times in us, values as text, the service by its name."""
    start = time.time_ns() - spans * 2_000_000 - 60 * 10**9
    waiting: list[dict[str, Any]] = []
    for body in requests(spans // PER_REQUEST, start=start, first=first // PER_REQUEST):
        waiting.extend(_zipkin(body))
        if len(waiting) >= TOGETHER * PER_REQUEST:
            yield json.dumps(waiting, separators=(",", ":")).encode()
            waiting = []
    if waiting:
        yield json.dumps(waiting, separators=(",", ":")).encode()


def _zipkin(body: bytes) -> Iterator[dict[str, Any]]:
    for block in ExportTraceServiceRequest.FromString(gzip.decompress(body)).resource_spans:
        shared = {pair.key: _text(pair.value) for pair in block.resource.attributes}
        service = shared.pop("service.name")
        for span in block.scope_spans[0].spans:
            yield {
                "traceId": span.trace_id.hex(),
                "id": span.span_id.hex(),
                **({"parentId": span.parent_span_id.hex()} if span.parent_span_id else {}),
                "kind": _KINDS[span.kind],
                "name": span.name,
                "timestamp": span.start_time_unix_nano // 1000,
                "duration": (span.end_time_unix_nano - span.start_time_unix_nano) // 1000,
                "localEndpoint": {"serviceName": service},
                "tags": shared | {pair.key: _text(pair.value) for pair in span.attributes},
            }


def _text(value: AnyValue) -> str:
    held = getattr(value, value.WhichOneof("value") or "string_value")
    return str(held).lower() if isinstance(held, bool) else str(held)


def _table(medians: dict[str, dict[str, Any]]) -> None:
    """One line a figure; last, how ours stands to the better of the peers."""
    print(f"\n{'medians':<28}" + "".join(f"{who:>10}" for who in medians) + f"{'to best peer':>15}")
    for name in _SHOWN:
        peers = [medians[who][name] for who in ("jaeger", "zipkin") if name in medians[who]]
        best = max(peers) if name == "spans_per_second" else min(peers, default=0)
        ratio = f"{medians['ours'][name] / best:.2f}" if best else "-"
        values = "".join(f"{medians[who].get(name, '-')!s:>10}" for who in medians)
        print(f"{name:<28}{values}{ratio:>15}")


if __name__ == "__main__":
    main()
