"""However a process ends, and however many it becomes: nothing that has ended is lost, nothing is sent twice."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections import Counter

import pytest

from tests.tracing.sink import Sink, running

BEGIN = """
import multiprocessing, os, signal, sys, threading, time
from opentelemetry import trace
from tracing import configure, flush
provider = configure("orders", endpoint=sys.argv[1])
tracer = trace.get_tracer("t")
tracer.start_span("first").end()
"""
ENDINGS = {
    "it returns": "",
    "sys.exit": "sys.exit(3)",
    "an exception": "raise SystemError('over')",
    "SIGTERM": "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
    "SIGTERM in a lock": "threading.Timer(0.2, os.kill, (os.getpid(), signal.SIGTERM)).start(); threading.Lock().acquire() and threading.Event().wait(60)",
    "a handler of its own": "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.kill(os.getpid(), signal.SIGTERM)",
    "a recycled worker": "flush(); os._exit(0)",
}


def run(script: str, sink: Sink) -> int:
    return subprocess.run(
        [sys.executable, "-c", BEGIN + script, sink.endpoint], timeout=120, stderr=subprocess.DEVNULL
    ).returncode


@pytest.mark.parametrize("ending", ENDINGS)
def test_what_has_ended_is_sent_before_the_process_is_gone(ending: str) -> None:
    with running() as sink:
        code = run(ENDINGS[ending], sink)
        assert ["first"] == [span.name for _, span in sink.spans()]
    if ending.startswith("SIGTERM"):
        assert -signal.SIGTERM == code


FORKS = {
    "os.fork": """
child = os.fork()
tracer.start_span("child" if not child else "parent").end()
if child:
    os.waitpid(child, 0)
""",
    "multiprocessing by fork": """
def work():
    tracer.start_span("child").end()
process = multiprocessing.get_context("fork").Process(target=work)
process.start()
tracer.start_span("parent").end()
process.join()
""",
    "while a thread counts": """
from tracing import guard
held = threading.Event()
def count():
    with guard._lock:
        held.set()
        threading.Event().wait()
threading.Thread(target=count, daemon=True).start()
held.wait(30)
if not (child := os.fork()):
    signal.alarm(20)
    guard.lost("something")
    tracer.start_span("child").end()
    sys.exit()
os.waitpid(child, 0)
tracer.start_span("parent").end()
""",
    "a pool that is recycled": """
def work(_):
    tracer.start_span("child").end()
with multiprocessing.get_context("fork").Pool(1, maxtasksperchild=1) as pool:
    pool.map(work, [1])
    pool.close()
    pool.join()
tracer.start_span("parent").end()
""",
}

HANDLING = """
from tracing.delivery import Delivery
from tracing.handover import Handover
from tracing.integrations._loop import Loop
from tracing.spans import Messaging
spans, message = Messaging("kafka"), Delivery(destination="orders")
"""
HANDED = "held = Handover(spans, automatic=True); held.handed(message)"
LOOPED = "held = Loop(); held.begin(spans.process(message))"
for begun in (HANDED, LOOPED):
    for end in ("flush(); os._exit(0)", "held.finish()", ""):
        FORKS[f"in a handling, {begun.split('.')[-1]}, then {end}"] = f"""{HANDLING}{begun}
trace.get_current_span().update_name("parent")
if not (child := os.fork()):
    tracer.start_span("child").end()
    {end}
    sys.exit()
os.waitpid(child, 0)
"""


@pytest.mark.parametrize("fork", FORKS)
def test_a_forked_child_sends_what_is_its_own_and_nothing_twice(fork: str) -> None:
    with running() as sink:
        assert 0 == run(FORKS[fork], sink)
        assert Counter(["first", "parent", "child"]) == Counter(span.name for _, span in sink.spans())


def test_a_receiver_that_is_away_delays_the_end_by_some_seconds_at_most() -> None:
    with running() as sink:
        nobody = sink.endpoint
    script = "began = time.monotonic(); flush(); print(time.monotonic() - began)"
    done = subprocess.run(
        [sys.executable, "-c", BEGIN + script, nobody],
        timeout=60,
        capture_output=True,
        text=True,
        env=os.environ | {"OTEL_EXPORTER_OTLP_TIMEOUT": "2"},
    )
    assert 0 == done.returncode
    assert float(done.stdout) < 15


def test_a_receiver_that_never_answers_delays_the_end_of_a_child_by_some_seconds_at_most() -> None:
    script = """
process = multiprocessing.get_context("fork").Process(target=lambda: tracer.start_span("child").end())
process.start()
process.join(20)
os._exit(process.exitcode is None)
"""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        done = subprocess.run(
            [sys.executable, "-c", BEGIN + script, f"http://127.0.0.1:{silent.getsockname()[1]}"],
            timeout=60,
            env=os.environ | {"OTEL_EXPORTER_OTLP_TIMEOUT": "60"},
        )
    assert 0 == done.returncode
