"""F03, F04, F05, F07: Elasticsearch answers, and says no to all or some of it."""

from __future__ import annotations

import pytest

from tests.faults import proxy
from tests.faults.conftest import Bench
from tests.faults.watching import watching

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]
BUSY = (429, "es_rejected_execution_exception", "rejected execution of coordinating operation")
BREAKER = (429, "circuit_breaking_exception", "[parent] Data too large, data for [<http_request>]")
FLOOD = "index [faults] blocked by: [{}/12/disk usage exceeded flood-stage watermark, index has read-only-allow-delete block];"


@pytest.mark.parametrize("whole", [True, False], ids=["whole bulks", "some items"])
def test_f04_what_a_busy_elasticsearch_turns_down_is_offered_again(bench: Bench, whole: bool) -> None:
    ledger = bench.ledger(f"f04-{whole}".lower())
    dice = proxy.Dice(4711)
    refused = (
        proxy.sometimes(0.5, 4711, proxy.bulks_refused(*BREAKER))
        if whole
        else proxy.items_refused(lambda action, line: dice.below(0.3), *BUSY)
    )
    with watching(bench.node) as watch:
        with ledger.load():
            bench.proxy.fault(refused)
            bench.storing(1_500)
        bench.proxy.heal()
        bench.quiet()
    bench.settled(ledger, watch)
    assert bench.resent(ledger) > 0, "nothing was offered again: the fault did not bite"
    assert watch.slowest() < 5
