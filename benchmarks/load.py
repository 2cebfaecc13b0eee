"""A bounded load on a running receiver, from a process of its own.

``python -m benchmarks.load PORT REQUESTS CONNECTIONS`` sends pre-made requests as fast as they are taken and
prints one JSON line: when it began, seconds, acknowledged spans, and the acknowledgement times in ms.
"""

from __future__ import annotations

import http.client
import json
import queue
import sys
import threading
import time

from benchmarks.corpus import PER_REQUEST, requests


def main(port: int, count: int, connections: int) -> None:
    """Make the corpus first, then start the clock."""
    start = time.time_ns() - count * PER_REQUEST * 2_000_000 - 60 * 10**9
    waiting: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    for body in requests(count, start=start):
        waiting.put(body)
    taken: list[float] = []
    refused: list[int] = []

    def send() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        headers = {"Content-Type": "application/x-protobuf", "Content-Encoding": "gzip"}
        while True:
            try:
                body = waiting.get_nowait()
            except queue.Empty:
                return
            began = time.perf_counter()
            connection.request("POST", "/v1/traces", body, headers)
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                taken.append((time.perf_counter() - began) * 1000)
            else:
                refused.append(answer.status)
                waiting.put(body)
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
    main(*(int(word) for word in sys.argv[1:4]))
