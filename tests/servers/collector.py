"""A real OpenTelemetry Collector for tests: OTLP in on loopback, and out as a test says."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.ports import free_port
from tests.servers.process import Server

VERSION = "v0.165.0"
PROGRAM = Path(__file__).resolve().parents[2] / ".cache" / "bin" / f"collector-{VERSION}"


class Collector(Server):
    """One Collector whose only exporter is ``exporter``, with these ``settings``; it batches for 50 ms."""

    name = "collector"

    def __init__(self, exporter: str, settings: dict[str, Any]) -> None:
        super().__init__()
        self.grpc_port = free_port()
        listens = {"http": self.port, "grpc": self.grpc_port}
        pipeline = {"receivers": ["otlp"], "processors": ["batch"], "exporters": [exporter]}
        self._config = {
            "receivers": {
                "otlp": {
                    "protocols": {name: {"endpoint": f"127.0.0.1:{port}"} for name, port in listens.items()}
                }
            },
            "processors": {"batch": {"timeout": "50ms"}},
            "exporters": {exporter: settings},
            "service": {
                "pipelines": {"traces": pipeline, "logs": pipeline},
                "telemetry": {"metrics": {"level": "none"}},
            },
        }

    @property
    def url(self) -> str:
        """Where it takes OTLP/HTTP."""
        return f"http://127.0.0.1:{self.port}"

    def command(self, folder: Path) -> Sequence[str]:
        """Its configuration is handed over as a word: JSON is YAML."""
        if not PROGRAM.exists():
            raise RuntimeError(f"{PROGRAM} is missing: run `bash tests/clients/collector.sh`")
        return [str(PROGRAM), f"--config=yaml:{json.dumps(self._config)}"]
