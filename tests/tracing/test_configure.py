from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from tests.tracing.sink import running
from tracing import configure, entity
from tracing.testing import Capture

SCRIPT = """
import sys
from opentelemetry import trace
from tracing import configure, entity
from tracing.testing import Capture
configure("wallet", version="2.14.0", instance="wallet-1", environment="prod", endpoint=sys.argv[1])
with entity("bet", "8812"), trace.get_tracer("t").start_as_current_span("work"):
    pass
"""


def test_one_call_sends_what_ended_just_before_the_process_did() -> None:
    with running() as sink:
        subprocess.run([sys.executable, "-c", SCRIPT, sink.endpoint], check=True, timeout=60)
        ((resource, span),) = sink.spans()
    expected = {
        "service.name": "wallet",
        "service.version": "2.14.0",
        "service.instance.id": "wallet-1",
        "deployment.environment.name": "prod",
    }
    assert expected == {key: resource[key] for key in expected}
    assert "work" == span.name
    assert {"throughline.entity.bet": "8812"} == {
        pair.key: pair.value.string_value for pair in span.attributes
    }


def test_the_standard_variables_fill_what_is_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    with running() as sink:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", sink.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20k")
        monkeypatch.setenv("OTEL_SERVICE_NAME", "orders")
        monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=orders-7")
        provider = configure(set_global=False)
        provider.get_tracer("t").start_span("work").end()
        provider.shutdown()
        ((resource, _),) = sink.spans()
        ((_, headers, _),) = sink.requests
    assert ("orders", "orders-7") == (resource["service.name"], resource["service.instance.id"])
    assert "Bearer k" == headers["authorization"]


def test_an_instance_is_named_even_where_nobody_named_it() -> None:
    provider = configure("orders", set_global=False)
    assert str(os.getpid()) in str(provider.resource.attributes["service.instance.id"])
    provider.shutdown()


def test_a_receiver_that_is_away_costs_spans_and_never_an_exception(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    with running() as sink:
        nobody = sink.endpoint
    provider = configure("orders", endpoint=nobody, set_global=False)
    with entity("bet", "1"):
        provider.get_tracer("t").start_span("work").end()
    provider.shutdown()
    assert 1 == caplog.text.count("could not be sent")


def test_beside_a_setup_that_is_there_it_adds_entities_and_an_exporter_and_changes_nothing_else() -> None:
    theirs = Capture()
    with running() as sink:
        given = configure("ignored", endpoint=sink.endpoint, provider=theirs.provider, on_sigterm=False)
        assert given is theirs.provider
        assert given is configure(endpoint=sink.endpoint, provider=theirs.provider, on_sigterm=False)
        with entity("bet", "1"):
            given.get_tracer("t").start_span("work").end()
        given.force_flush()
        ((resource, _),) = sink.spans()
        given.shutdown()
    assert resource["service.name"] != "ignored"
    assert {"throughline.entity.bet": "1"} == theirs.attributes("work")


def test_beside_a_setup_that_exports_already_no_exporter_is_added() -> None:
    theirs = Capture()
    configure(provider=theirs.provider, on_sigterm=False)
    with entity("bet", "1"):
        theirs.provider.get_tracer("t").start_span("work").end()
    assert {"throughline.entity.bet": "1"} == theirs.attributes("work")


def test_a_handler_of_sigterm_that_is_there_is_left_alone() -> None:
    mine = signal.signal(signal.SIGTERM, signal.SIG_IGN)
    try:
        configure("orders", set_global=False).shutdown()
        assert signal.SIG_IGN is signal.getsignal(signal.SIGTERM)
    finally:
        signal.signal(signal.SIGTERM, mine)
