"""What the inbox costs: accepting, and claiming from few and from many waiting requests."""

from __future__ import annotations

import argparse
import sqlite3
import tempfile
import time
from pathlib import Path
from typing import Any

from timeline.inbox.inbox import Entry, Inbox
from timeline.ingest.request import Accepted

GROUP = 64  # requests of one commit, as the committer gathers them under load
ITEMS, BODY = 200, 6000  # of a request of the way-in benchmark, compressed
CLAIMS = 50


def measure(waiting: int = 100_000, senders: int = 1) -> dict[str, Any]:
    """Figures in µs by name: per accepted request, and per claim (with release) of 20 requests."""
    with tempfile.TemporaryDirectory(prefix="throughline-bench-") as folder:
        inbox = Inbox(Path(folder) / "inbox.sqlite3")
        _unsynced(inbox)
        few = _fill(inbox, 0, CLAIMS * 20 + 500, senders)
        small, released = _claims(inbox)
        many = _fill(inbox, CLAIMS * 20 + 500, waiting, senders)
        large, released_large = _claims(inbox)
        return {
            "senders": senders,
            "waiting": waiting,
            "accept_us": round((few + many) / 2, 1),
            "claim_us_few_waiting": round(small),
            "claim_us_many_waiting": round(large),
            "claim_many_to_few": round(large / small, 2),
            "release_us": round((released + released_large) / 2),
            "backlog_us": round(_timed(inbox.backlog)),
        }


def _unsynced(inbox: Inbox) -> None:
    """Leave the disk out: it is the same for every version of the code, and noisy."""
    connection: sqlite3.Connection = inbox._connection
    connection.execute("PRAGMA synchronous = OFF")


def _fill(inbox: Inbox, first: int, count: int, senders: int) -> float:
    body = bytes(BODY)
    groups = [
        [_request(number, body, senders) for number in range(start, min(start + GROUP, first + count))]
        for start in range(first, first + count, GROUP)
    ]
    began = time.perf_counter()
    for group in groups:
        inbox.accept(group, [Entry(sender=one.sender, what="received", items=one.items) for one in group])
    return (time.perf_counter() - began) * 1e6 / count


def _request(number: int, body: bytes, senders: int) -> Accepted:
    return Accepted(
        id=f"{number:016x}",
        signal="traces",
        content_encoding="gzip",
        headers={"content-type": "application/x-protobuf"},
        body=body,
        received=0,
        sender=f"sender-{number % senders}",
        digest=number.to_bytes(32, "big"),
        items=ITEMS,
    )


def _claims(inbox: Inbox) -> tuple[float, float]:
    claiming = releasing = 0.0
    for _ in range(CLAIMS):
        began = time.perf_counter()
        lease, batch = inbox.claim()
        between = time.perf_counter()
        inbox.release(
            lease,
            {one.request.id: [Entry(sender=one.request.sender, what="new", items=ITEMS)] for one in batch},
        )
        claiming += between - began
        releasing += time.perf_counter() - between
    return claiming * 1e6 / CLAIMS, releasing * 1e6 / CLAIMS


def _timed(work: Any) -> float:
    began = time.perf_counter()
    for _ in range(20):
        work()
    return (time.perf_counter() - began) * 1e6 / 20


def main() -> None:
    """Print the figures for one and for fifty senders."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--waiting", type=int, default=100_000)
    options = parser.parse_args()
    for senders in (1, 50):
        print(measure(options.waiting, senders), flush=True)


if __name__ == "__main__":
    main()
