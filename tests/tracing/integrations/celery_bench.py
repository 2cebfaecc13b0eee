"""A Celery worker in a process of its own, and a client to send it tasks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from celery import Celery
from opentelemetry.proto.trace.v1.trace_pb2 import Span

from tests.tracing.sink import Sink, running

ROOT = Path(__file__).resolve().parents[3]


class Bench:
    """``app`` to send with; ``spans`` are what the worker sent so far."""

    def __init__(self, broker: str, backend: str, sink: Sink) -> None:
        self.queue = f"orders-{uuid.uuid4().hex[:8]}"
        self.app = Celery("client", broker=broker, backend=backend)
        self.app.conf.update(task_default_queue=self.queue)
        self.sink = sink
        self.process: subprocess.Popen[bytes] | None = None

    def spans(self, name: str = "") -> list[Span]:
        return [span for _, span in self.sink.spans() if not name or span.name == name]

    def wait(self, counts: dict[str, int], seconds: float = 60) -> dict[str, list[Span]]:
        """The worker's spans by name, once there are this many of each."""

        def enough() -> bool:
            found = Counter(span.name for span in self.spans())
            return all(found[name] >= count for name, count in counts.items())

        self.sink.wait(enough, seconds)
        return {name: self.spans(name) for name in counts}

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the worker; gives its exit code."""
        process, self.process = self.process, None
        if process is None:
            return 0
        process.send_signal(number)
        try:
            return process.wait(60)
        finally:
            process.kill()


def attributes(span: Span) -> dict[str, Any]:
    """Attributes as plain values."""
    return {pair.key: getattr(pair.value, str(pair.value.WhichOneof("value"))) for pair in span.attributes}


@contextmanager
def worker(
    broker: str, backend: str, *options: str, pool: str = "prefork", delay: str = "200", broken: str = ""
) -> Iterator[Bench]:
    """A worker that answers; ended with the block."""
    with running() as sink, tempfile.TemporaryFile() as log:
        bench = Bench(broker, backend, sink)
        environ = {"BROKER": broker, "BACKEND": backend, "QUEUE": bench.queue, "ENDPOINT": sink.endpoint}
        environ["BROKEN"] = broken
        module = "tests.tracing.integrations.celery_worker"
        command = [sys.executable, "-m", "celery", "-A", module, "worker", "-l", "info", "-P", pool]
        bench.process = subprocess.Popen(
            [*command, "-n", f"{bench.queue}@%h", "-c", "2", *options],
            cwd=ROOT,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "", **environ, "OTEL_BSP_SCHEDULE_DELAY": delay},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:
            try:
                bench.app.signature("whoami").apply_async().get(timeout=60)
            except Exception as error:
                log.seek(0)
                raise RuntimeError(log.read()[-3000:].decode(errors="replace")) from error
            yield bench
        finally:
            bench.stop()
