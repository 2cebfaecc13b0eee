"""How often and how long: counters and histograms of receiver, drain, tasks and pages.

Every figure has labels, so that a process that never uses one leaves no file for it. Label values come from
fixed sets: nothing that a sender writes makes a new series.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Final

from prometheus_client import Counter, Histogram

_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

RECEIVED: Final = Counter(
    "throughline_receiver_requests", "Requests by signal, door and status.", ("signal", "door", "status")
)
RECEIVED_BYTES: Final = Counter(
    "throughline_receiver_bytes", "Bytes of bodies as they were sent.", ("signal",)
)
RECEIVING: Final = Histogram(
    "throughline_receiver_seconds", "From the head of a request to its answer.", ("signal",), buckets=_BUCKETS
)
DRAINED: Final = Counter("throughline_drain_requests", "Requests released by the drain.", ("outcome",))
DRAINING: Final = Histogram(
    "throughline_drain_seconds", "Time of a batch, by step.", ("step",), buckets=_BUCKETS
)
WORKED: Final = Histogram(
    "throughline_task_seconds", "Time of a task of the worker.", ("task", "outcome"), buckets=_BUCKETS
)
ANSWERED: Final = Histogram(
    "throughline_web_seconds", "Time of a page or an API answer.", ("view", "status"), buckets=_BUCKETS
)


@contextmanager
def step(name: str) -> Iterator[None]:
    """Time one step of the drain, also where it fails."""
    began = perf_counter()
    try:
        yield
    finally:
        DRAINING.labels(name).observe(perf_counter() - began)
