"""A bounded load on a running receiver, from a process of its own.

``python -m benchmarks.load PORT REQUESTS CONNECTIONS [RATE [FIRST]]`` sends pre-made requests, ``RATE`` a second or
as fast as they are taken, and prints one JSON line: when it began, seconds, acknowledged spans, and the
acknowledgement times in ms. ``FIRST`` is the number of the first request, for loads that must not be the same.
"""

from __future__ import annotations

import http.client
import json
import queue
import sys
import threading
import time

from benchmarks.corpus import PER_REQUEST, requests


def main(port: int, count: int, connections: int, rate: int = 0, first: int = 0) -> None:
    """Make the corpus first, then start the clock."""
    start = time.time_ns() - count * PER_REQUEST * 2_000_000 - 60 * 10**9
    waiting: queue.SimpleQueue[tuple[int, bytes]] = queue.SimpleQueue()
    for numbered in enumerate(requests(count, start=start, first=first)):
        waiting.put(numbered)
    taken: list[float] = []
    refused: list[int] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        while True:
            try:
                number, body = waiting.get_nowait()
            except queue.Empty:
                return
            if rate:
                time.sleep(max(0.0, began + number / rate - time.perf_counter()))
            asked = time.perf_counter()
            connection.request("POST", "/v1/traces", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                taken.append((time.perf_counter() - asked) * 1000)
            else:
                refused.append(answer.status)
                waiting.put((number, body))
                time.sleep(1)

    began_at, began = time.time(), time.perf_counter()
    threads = [threading.Thread(target=send) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    seconds = time.perf_counter() - began
    print(
        json.dumps(
            {
                "began": began_at,
                "seconds": seconds,
                "spans": len(taken) * PER_REQUEST,
                "refused": len(refused),
                "ms": sorted(taken),
            }
        )
    )


if __name__ == "__main__":
    main(*(int(word) for word in sys.argv[1:6]))
