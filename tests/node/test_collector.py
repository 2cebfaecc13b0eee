"""A Collector writes into Kafka, and ``manage.py consume`` reads: protobuf and JSON give the same facts."""

from __future__ import annotations

from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from tests.clients import drive
from tests.node.harness import RunningNode, until
from tests.node.test_kafka import consuming
from tests.servers.collector import Collector
from tests.servers.elasticsearch import Elasticsearch
from tests.servers.kafka import Kafka

pytestmark = [pytest.mark.server, pytest.mark.soak]
TOPICS = {"traces": "otlp_spans", "logs": "otlp_logs"}


def _tally(node: RunningNode) -> dict[str, int]:
    found: dict[str, int] = node.get("/api/v1/senders")["tally"]
    return found


def test_what_a_collector_writes_into_kafka_in_either_encoding_is_stored_once(tmp_path: Path) -> None:
    with Kafka() as kafka, Elasticsearch(heap="512m") as search:
        admin = AdminClient({"bootstrap.servers": kafka.url})
        for made in admin.create_topics([NewTopic(name, 2, 1) for name in TOPICS.values()]).values():
            made.result(10)
        store = f"elasticsearch://127.0.0.1:{search.port}/collector"
        node = RunningNode(tmp_path / "node", THROUGHLINE_STORE_URL=store)
        try:
            node.start()
            with consuming(node, "--brokers", kafka.url):
                for encoding in ("otlp_proto", "otlp_json"):
                    topics = {
                        signal: {"topic": name, "encoding": encoding} for signal, name in TOPICS.items()
                    }
                    with Collector("kafka", {"brokers": [kafka.url], **topics}) as collector:
                        drive.python_traces(collector.url)
                        drive.python_logs(collector.url)
                until(lambda: _tally(node)["received"] == 8, what="two spans and two log records, twice")
            found = _tally(node)
            assert (4, 4, 0) == (found["new"], found["already"], found["variant"])
        finally:
            node.stop()
