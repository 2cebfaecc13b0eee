"""F03, F04, F05, F07: Elasticsearch answers, and says no to all or some of it."""

from __future__ import annotations

import time
from typing import Any

import pytest

from tests.faults import troubles
from tests.faults.conftest import Bench
from tests.faults.ledger import DAY, SEED
from tests.faults.watching import ask, watching
from tests.node.harness import until

pytestmark = [pytest.mark.server, pytest.mark.timeout(400)]
BUSY = (429, "es_rejected_execution_exception", "rejected execution of coordinating operation")
BREAKER = (429, "circuit_breaking_exception", "[parent] Data too large, data for [<http_request>]")
FLOOD = (
    403,
    "cluster_block_exception",
    "index blocked by: [FORBIDDEN/12/index read-only / allow delete (api)];",
)
HOPELESS = (400, "document_parsing_exception", "failed to parse field [f07.bad]")


@pytest.mark.parametrize("whole", [True, False], ids=["whole bulks", "some items"])
def test_f04_what_a_busy_elasticsearch_turns_down_is_offered_again(bench: Bench, whole: bool) -> None:
    ledger = bench.ledger(f"f04-{whole}".lower())
    dice = troubles.Dice(SEED)
    refused = (
        troubles.sometimes(0.5, SEED, troubles.bulks_refused(*BREAKER))
        if whole
        else troubles.items_refused(lambda action, line: BUSY if dice.below(0.3) else None)
    )
    with watching(bench.node) as watch:
        with ledger.load():
            bench.proxy.fault(refused)
            bench.storing(1_500)
        bench.proxy.heal()
        bench.quiet()
    bench.settled(ledger, watch)
    assert bench.resent(ledger) > 0, "nothing was offered again: the fault did not bite"
    assert watch.slowest() < 20, "a busy cluster held up a reader"


def _index(bench: Bench, back: int) -> str:
    day = time.strftime("%Y.%m.%d", time.gmtime(time.time() - back * DAY // 10**9))
    return f"{bench.prefix}-facts-{day}"


def _set(bench: Bench, index: str, **settings: Any) -> None:
    bench.cluster.ask(
        "PUT", f"/{index}/_settings", {name.replace("__", "."): v for name, v in settings.items()}
    )


def _found_after(bench: Bench, name: str) -> float:
    """Seconds until a fact that has just been sent is found."""
    began, path = time.monotonic(), f"/api/v1/search?q=ledger.id:{name}&range=1h"
    until(lambda: ask(bench.node, path).body.get("verdict") == "seen", what="today's facts found")
    return time.monotonic() - began


def test_f03_of_a_lost_shard_the_search_says_so_and_other_days_go_on(bench: Bench) -> None:
    ledger, lost = bench.ledger("f03"), _index(bench, 3)
    ledger.send(20, at=time.time_ns() - 3 * DAY)
    bench.quiet()
    with watching(bench.node) as watch:
        with ledger.load(days=(0, 3)):
            bench.storing(200)
            bench.proxy.fault(troubles.shard_lost(lost))
            until(lambda: bench.tally()["inbox"] >= 200, what="facts that wait for the lost shard")
            begun = len(ledger.acknowledged)
            until(lambda: len(ledger.acknowledged) > begun + 100, what="more facts")
            took = [_found_after(bench, ledger.send(1)[0]) for _ in range(5)]
            print("while a day is lost, a fact of today was found after", [round(one, 1) for one in took])
            assert sorted(took)[2] < 15
            said = ask(bench.node, f"/api/v1/search?q=service:{ledger.service}&range=7d")
            nobody = ask(bench.node, "/api/v1/search?q=service:never-sent&range=7d")
            ready = ask(bench.node, "/readyz")
            page = bench.browser.read(f"/search?q=service:{ledger.service}&range=7d")
        bench.proxy.heal()
        bench.quiet()
    assert (200, "seen", True) == (said.status, said.body["verdict"], bool(said.body["partial"])), said
    assert (200, "cannot_say") == (nobody.status, nobody.body["verdict"]), nobody
    assert "failed read" == nobody.body["answer"]["causes"][0]["kind"]
    assert "shards did not answer" in nobody.body["answer"]["sentence"]
    assert 200 == page[0]
    assert "shards did not answer" in page[1]
    assert (503, True) == (ready.status, "red" in ready.body["detail"])
    bench.settled(ledger, watch)


@pytest.mark.parametrize("status", [403, 429])
def test_f05_a_full_disk_is_waited_for_and_writing_resumes_alone(bench: Bench, status: int) -> None:
    ledger, today = bench.ledger(f"f05-{status}"), _index(bench, 0)
    with watching(bench.node) as watch:
        with ledger.load():
            bench.storing(200)
            if status == 429:  # what today's clusters answer: the block itself, as the watermark sets it
                _set(bench, today, index__blocks__read_only_allow_delete=True)
            else:  # what older ones answer
                bench.proxy.fault(troubles.items_refused(lambda action, line: FLOOD))
            until(lambda: bench.tally()["inbox"] >= 500, what="a backlog")
            bench.visible()
            ready = ask(bench.node, "/readyz")
            said = ask(bench.node, f"/api/v1/search?q=service:{ledger.service}&range=1h")
            coverage = bench.backlog_said()
        if status == 429:
            _set(bench, today, index__blocks__read_only_allow_delete=None)
        bench.proxy.heal()
        bench.quiet()
    assert (200, "seen") == (said.status, said.body["verdict"])
    assert coverage["pending_items"] >= 500
    if status == 429:
        assert (503, True) == (ready.status, "free disk" in ready.body["remedy"])
    bench.settled(ledger, watch)


def test_f07_of_a_bulk_only_what_failed_is_sent_again_and_the_hopeless_is_set_aside(bench: Bench) -> None:
    ledger, dice = bench.ledger("f07"), troubles.Dice(SEED)

    def refusing(action: dict[str, Any], line: bytes) -> tuple[int, str, str] | None:
        if b"f07.bad" in line:
            return HOPELESS
        return troubles.AWAY if dice.below(0.1) else None

    with watching(bench.node) as watch:
        with ledger.load():
            bench.proxy.fault(troubles.items_refused(refusing))
            bad = [ledger.send(2, attributes=[{"f07.bad": "yes"}, {}])[0] for _ in range(10)]
            bench.storing(1_000)
        bench.proxy.heal()
        bench.quiet()
    verdict = bench.settled(ledger, watch, set_aside=10)
    assert sorted(bad) == verdict.lost
    assert 0 < bench.resent(ledger) < 1
    senders = bench.node.get("/api/v1/senders")
    (kept,) = [one for one in senders["quarantine"] if "f07.bad" in one["message"]]
    assert kept["items"] >= 10
    nobody = bench.node.get("/api/v1/search?q=service:never-sent&range=1h")
    assert "quarantined" in {cause["kind"] for cause in nobody["answer"]["causes"]}
