"""The peers of ``benchmarks.peers``: Jaeger v2 and Zipkin, each before an Elasticsearch.

Both as their guides advise for one small node: one shard, no replica, bulk requests of a few megabytes,
several at once.
"""

from __future__ import annotations

import json
import socket
import socketserver
import subprocess
import threading
import time
import urllib.request
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlencode

from tests.ports import free_port
from tests.servers.elasticsearch import OLDER, download
from tests.servers.process import Server, program

JAEGER: Final = "v1.76.0"  # the module's number of Jaeger v2.13
ZIPKIN: Final = "3.5.1"
LOOKBACK: Final = 14 * 86_400  # s, as ours keeps facts
PROGRAM: Final = Path(__file__).resolve().parents[1] / ".cache" / "bin" / f"jaeger-{JAEGER}"
_SNAPPY: Final = b"accept-encoding: br,gzip,deflate,x-snappy-framed"  # which Zipkin asks for and cannot read
_PLAIN: Final = b"accept-encoding: identity".ljust(len(_SNAPPY))
_SAYS: Final = json.dumps({"version": {"number": OLDER}}).encode()


class Jaeger(Server):
    """Jaeger v2: OTLP over HTTP in at ``port``, its HTTP API out at another."""

    name = "jaeger"

    def __init__(self, elasticsearch: str, prefix: str) -> None:
        super().__init__()
        self._api = free_port()
        self.index = f"{prefix}-jaeger-span-*"
        daily = {"date_layout": "2006-01-02", "rollover_frequency": "day", "shards": 1, "replicas": 0}
        kinds = ("spans", "services", "dependencies", "sampling")
        store = {
            "server_urls": [elasticsearch],
            "disable_health_check": True,
            "version": 8,
            "bulk_processing": {
                "max_bytes": 5_000_000,
                "max_actions": 5_000,
                "workers": 4,
                "flush_interval": "200ms",
            },
            "indices": {"index_prefix": prefix, **dict.fromkeys(kinds, daily)},
        }
        self._config: dict[str, Any] = {
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query"],
                "pipelines": {
                    "traces": {
                        "receivers": ["otlp"],
                        "processors": ["batch"],
                        "exporters": ["jaeger_storage_exporter"],
                    }
                },
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "warn"}},
            },
            "extensions": {
                "jaeger_query": {
                    "storage": {"traces": "one"},
                    "http": {"endpoint": f"127.0.0.1:{self._api}"},
                    "grpc": {"endpoint": f"127.0.0.1:{free_port()}"},
                },
                "jaeger_storage": {"backends": {"one": {"elasticsearch": store}}},
            },
            "receivers": {"otlp": {"protocols": {"http": {"endpoint": f"127.0.0.1:{self.port}"}}}},
            "processors": {"batch": {}},
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "one"}},
        }

    def prepare(self, folder: Path) -> None:
        """Its configuration: JSON is YAML."""
        (folder / "config.yaml").write_text(json.dumps(self._config))

    def command(self, folder: Path) -> Sequence[str]:
        """Built once, from the Go module."""
        if not PROGRAM.exists():
            _build()
        return [str(PROGRAM), "--config", str(folder / "config.yaml")]

    def environ(self, folder: Path) -> Mapping[str, str]:
        """It would trace itself."""
        return {"OTEL_TRACES_SAMPLER": "always_off"}

    def found(self, service: str, key: str, value: str) -> str:
        """The address of the 20 newest traces of a service with this attribute."""
        now = time.time_ns() // 1000
        asked = {
            "service": service,
            "tags": json.dumps({key: value}),
            "start": now - LOOKBACK * 10**6,
            "end": now,
            "limit": 20,
        }
        return f"http://127.0.0.1:{self._api}/api/traces?{urlencode(asked)}"

    def ids(self, found: Any) -> list[str]:
        """The trace ids in such an answer."""
        return [one["traceID"] for one in found["data"]]

    def trace(self, trace_id: str) -> str:
        """The address of one trace."""
        return f"http://127.0.0.1:{self._api}/api/traces/{trace_id}"


def _build() -> None:
    """Compile Jaeger from its Go module: ten minutes, once."""
    go = program("go", "golang")
    made = PROGRAM.parent / "jaeger-source"
    made.mkdir(parents=True, exist_ok=True)
    (made / "go.mod").write_text("module peers\n\ngo 1.25\n")
    package = "github.com/jaegertracing/jaeger/cmd/jaeger"
    subprocess.run([go, "get", "-tool", f"{package}@{JAEGER}"], cwd=made, check=True)
    subprocess.run([go, "build", "-mod=mod", "-o", str(PROGRAM), package], cwd=made, check=True)


class Zipkin(Server):
    """Zipkin: its own JSON in, and its HTTP API out, both at ``port``."""

    name = "zipkin"

    def __init__(self, elasticsearch: str, prefix: str) -> None:
        super().__init__()
        self._front = Front(elasticsearch)
        self._prefix = prefix
        self.index = f"{prefix}-span-*"

    def command(self, folder: Path) -> Sequence[str]:
        """The executable jar, from Maven's own store."""
        jar = Path.home() / f".m2/repository/io/zipkin/zipkin-server/{ZIPKIN}/zipkin-server-{ZIPKIN}-exec.jar"
        if not jar.exists():
            download(f"io.zipkin:zipkin-server:{ZIPKIN}:jar:exec")
        return [program("java", "default-jre-headless"), "-Xms1g", "-Xmx1g", "-jar", str(jar)]

    def environ(self, folder: Path) -> Mapping[str, str]:
        """One shard, no copies."""
        return {
            "STORAGE_TYPE": "elasticsearch",
            "ES_HOSTS": self._front.url,
            "ES_INDEX": self._prefix,
            "ES_INDEX_SHARDS": "1",
            "ES_INDEX_REPLICAS": "0",
            "ES_TIMEOUT": "60000",
            "QUERY_PORT": str(self.port),
            "QUERY_LOOKBACK": str(LOOKBACK * 1000),
            "COLLECTOR_SAMPLE_RATE": "1.0",
            "SELF_TRACING_ENABLED": "false",
        }

    def answers(self) -> bool:
        """Whether its store is ready, too: it makes its templates when first asked."""
        if not super().answers():
            return False
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/health", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def found(self, service: str, key: str, value: str) -> str:
        """The address of the 20 newest traces of a service with this tag."""
        asked = {
            "serviceName": service,
            "annotationQuery": f"{key}={value}",
            "lookback": LOOKBACK * 1000,
            "limit": 20,
        }
        return f"http://127.0.0.1:{self.port}/api/v2/traces?{urlencode(asked)}"

    def ids(self, found: Any) -> list[str]:
        """The trace ids in such an answer."""
        return [one[0]["traceId"] for one in found]

    def trace(self, trace_id: str) -> str:
        """The address of one trace."""
        return f"http://127.0.0.1:{self.port}/api/v2/trace/{trace_id}"

    def stop(self) -> None:
        """It and what stands before Elasticsearch for it."""
        super().stop()
        self._front.close()


class Front:
    """Passes everything to Elasticsearch and back but ``GET /``.

    The bare distribution does not answer that, and Zipkin takes from it which templates to make.
    Answers come uncompressed, which costs both sides least.
    """

    def __init__(self, elasticsearch: str) -> None:
        target = ("127.0.0.1", int(elasticsearch.rsplit(":", 1)[1]))

        class Passed(socketserver.BaseRequestHandler):
            def handle(self) -> None:
                with socket.create_connection(target) as behind:
                    # or a request in two pieces waits 40 ms for its second
                    for one in (self.request, behind):
                        one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    back = threading.Thread(target=_pass, args=(behind, self.request), daemon=True)
                    back.start()
                    _pass(self.request, behind)
                    back.join()

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Passed)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self) -> None:
        """Take no more connections."""
        self._server.shutdown()
        self._server.server_close()


def _pass(source: socket.socket, target: socket.socket) -> None:
    """Everything from one to the other until it ends; ``GET /`` is answered to its sender."""
    version = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
    try:
        while data := source.recv(1 << 20):
            if data.startswith(b"GET / HTTP/1.1\r\n"):
                source.sendall(version % (len(_SAYS), _SAYS))
            else:
                target.sendall(data.replace(_SNAPPY, _PLAIN))
    except OSError:
        pass
    finally:
        for one in (source, target):
            try:
                one.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue
