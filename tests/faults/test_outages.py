"""F01, F02, F06: Elasticsearch is away, slow, silent, or breaks off while it answers."""

from __future__ import annotations

import pytest

from tests.faults import troubles
from tests.faults.conftest import Bench
from tests.faults.watching import ask, watching
from tests.node.harness import until

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]


def test_f01_while_elasticsearch_is_dead_all_is_taken_and_kept_and_it_drains_alone(bench: Bench) -> None:
    ledger = bench.ledger("f01")
    with watching(bench.node) as watch:
        with ledger.load():
            bench.storing(200)
            bench.cluster.kill()
            until(lambda: bench.tally()["inbox"] >= 500, what="a backlog")
            said = ask(bench.node, f"/api/v1/search?q=service:{ledger.service}&range=1h")
            coverage = bench.backlog_said()
            status, page = bench.browser.read(f"/search?q=service:{ledger.service}")
            senders = bench.browser.read("/senders")
        bench.cluster.start()
        bench.quiet()
    assert 503 == said.status
    assert "cannot be reached" in said.body["detail"]
    assert "Elasticsearch" in said.body["remedy"]
    assert "Stored, not yet searchable: " in said.body["detail"]
    assert said.body["pending_items"] >= 500
    assert said.body["pending_requests"] > 0
    assert coverage["pending_items"] >= 500
    assert (503, True, True) == (status, "cannot be reached" in page, "Stored, not yet searchable: " in page)
    assert (200, True) == (senders[0], "stored, not yet searchable" in senders[1])
    assert (
        "stored, not yet searchable"
        in {line["topic"]: line["sentence"] for line in coverage["lines"]}["Inbox"]
    )
    bench.settled(ledger, watch)
    answer = bench.node.get(f"/api/v1/search?q=service:{ledger.service}&range=1h")
    assert ("seen", len(ledger.sent)) == (answer["verdict"], answer["total"]["value"])


def test_f02_a_slow_elasticsearch_gets_no_storm_of_the_same_facts(bench: Bench) -> None:
    ledger = bench.ledger("f02")
    with watching(bench.node) as watch:
        with ledger.load():
            bench.storing(200)
            bench.proxy.fault(troubles.slow(4.0))
            begun = bench.proxy.seen.bulks
            until(lambda: bench.tally()["inbox"] >= 500, what="a backlog")
            until(lambda: bench.proxy.seen.bulks > begun + 1, what="two slow bulks")
        bench.proxy.heal()
        bench.quiet()
    bench.settled(ledger, watch)
    assert bench.resent(ledger) < 0.2


def test_f02_of_a_slow_elasticsearch_an_answer_of_many_requests_is_waited_for(bench: Bench) -> None:
    ledger = bench.ledger("f02-steady")
    ledger.send(3)
    bench.node.searchable()
    fact = bench.node.get(f"/api/v1/search?q=service:{ledger.service}&range=1h")["facts"][0]["id"]
    ask(bench.node, f"/api/v1/facts/{fact}")  # whatever is remembered for a while
    bench.proxy.fault(troubles.slow(2.4))
    said = ask(bench.node, f"/api/v1/facts/{fact}")
    bench.proxy.heal()
    assert (200, True) == (said.status, 5 < said.took < 20), said


def test_f02_a_silent_elasticsearch_holds_a_reader_for_five_seconds_in_all(bench: Bench) -> None:
    ledger = bench.ledger("f02-silent")
    with watching(bench.node) as watch:
        with ledger.load():
            bench.storing(200)
            bench.proxy.fault(troubles.black_hole)
            until(lambda: bench.tally()["inbox"] >= 500, what="a backlog")
            said = ask(bench.node, f"/api/v1/search?q=service:{ledger.service}&range=1h")
            trace = ask(bench.node, "/api/v1/traces/00000000000000000000000000000001")
            coverage = ask(bench.node, "/api/v1/coverage?range=1h")
        bench.proxy.heal()
        bench.proxy.drop()
        bench.quiet()
    print("a silent store was given up after", said.took, said.status)
    assert (503, True) == (said.status, 4 < said.took < 10), said
    assert "did not answer in time" in said.body["detail"]
    assert (503, True) == (trace.status, trace.took < 10), trace
    assert (200, True) == (coverage.status, coverage.took < 3), coverage
    bench.settled(ledger, watch)


def test_f06_answers_cut_at_every_kilobyte_double_nothing(bench: Bench) -> None:
    ledger = bench.ledger("f06")
    with watching(bench.node) as watch:
        cut = bench.proxy.seen.cuts
        with ledger.load():
            bench.storing(200)
            bench.proxy.fault(troubles.cut_bulks(1024))
            until(lambda: bench.proxy.seen.cuts >= cut + 12, what="a dozen cut answers")
        bench.proxy.heal()
        bench.quiet()
    bench.settled(ledger, watch)
    assert bench.resent(ledger) > 0, "nothing was sent twice: the fault did not bite"
