"""``python -m examples.matchday``: seed the history, then run the five services until stopped."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import threading
import time
from datetime import datetime

from examples.matchday.company import Company
from examples.matchday.history import record
from examples.matchday.record import rfc3339
from examples.matchday.send import Door, NotTakenError, send_all
from examples.matchday.story import DAY, Clock

_BEFORE = 7 * DAY  # nothing else happened in the company's week


def main(argv: list[str] | None = None) -> int:
    """Exit code: 0 when done or stopped, 1 when the receiver did not take the history."""
    options = _options(argv)
    now = _moment(options.now) if options.now else time.time_ns()
    try:
        if not options.live_only:
            facts = send_all(record(Clock.ending(now), options.seed), Door(options.endpoint))
            seeded = {"start": rfc3339(now - _BEFORE), "end": rfc3339(now), "facts": facts}
            print(json.dumps({"seeded": seeded}), flush=True)
        if not options.history_only:
            _live(options.endpoint, options.live_rate, options.live_for)
    except NotTakenError as problem:
        print(f"matchday: {problem}", file=sys.stderr)
        return 1
    return 0


def _live(endpoint: str, rate: float, seconds: float | None) -> None:
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    company = Company(endpoint, rate)
    company.start()
    print(f"five services are running at {rate:g} bets a second; stop them with Ctrl+C", file=sys.stderr)
    stop.wait(seconds)
    company.stop()


def _moment(text: str) -> int:
    return int(datetime.fromisoformat(text).timestamp() * 1_000_000) * 1000


def _options(argv: list[str] | None) -> argparse.Namespace:
    port = os.environ.get("THROUGHLINE_RECEIVER_PORT", "4318")
    parser = argparse.ArgumentParser(prog="examples.matchday", description=__doc__)
    parser.add_argument("--endpoint", default=f"http://127.0.0.1:{port}", help="base address of the receiver")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--history-only", action="store_true", help="seed the history and end")
    which.add_argument("--live-only", action="store_true", help="run the services without seeding")
    parser.add_argument("--live-rate", type=float, default=2.0, metavar="N", help="bets per second")
    parser.add_argument("--live-for", type=float, metavar="SECONDS", help="stop by itself after so long")
    parser.add_argument("--seed", type=int, default=4711, help="another number makes another match")
    parser.add_argument(
        "--now", metavar="TIME", help="ISO 8601: end the history then (the same time repeats it exactly)"
    )
    options = parser.parse_args(argv)
    if options.live_rate <= 0:
        parser.error("--live-rate must be above 0, for example 2")
    return options


if __name__ == "__main__":
    sys.exit(main())
