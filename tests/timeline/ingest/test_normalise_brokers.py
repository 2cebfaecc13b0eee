"""Each broker and library is read by the names its instrumentations use."""

from __future__ import annotations

from typing import Any

import pytest

from tests.timeline.ingest.promotion import message, promoted
from timeline.domain import Message


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (
            {
                "messaging.system": "rabbitmq",
                "messaging.operation.type": "send",
                "messaging.rabbitmq.routing_key": "orders.placed",
            },
            Message(system="rabbitmq", operation="send", destination="orders.placed"),
        ),
        (
            {
                "messaging.system": "rabbitmq",
                "messaging.operation.type": "send",
                "messaging.destination.name": "shop:orders.placed",
                "messaging.rabbitmq.destination.routing_key": "orders.placed",
            },
            Message(system="rabbitmq", operation="send", destination="shop:orders.placed"),
        ),
        (
            {
                "celery.action": "run",
                "celery.id": "t-1",
                "celery.retries": 2,
                "messaging.destination": "mail",
            },
            Message(system="celery", operation="process", destination="mail", id="t-1", attempt=3),
        ),
        (
            {"celery.action": "run", "messaging.message_id": "t-1", "messaging.conversation_id": "c"},
            Message(system="celery", operation="process", id="t-1", conversation_id="c", attempt=1),
        ),
        (
            {"celery.action": "apply_async", "messaging.message_id": "t-1"},
            Message(system="celery", operation="send", id="t-1"),
        ),
        (
            {
                "messaging.system": "redis_streams",
                "messaging.operation.type": "process",
                "messaging.destination.name": "bets",
                "messaging.message.id": "1790000000000-0",
                "messaging.consumer.group.name": "wallet",
                "messaging.redis.message.delivery_count": 2,
            },
            Message(
                system="redis_streams",
                operation="process",
                destination="bets",
                id="1790000000000-0",
                group="wallet",
                attempt=2,
            ),
        ),
        (
            {
                "messaging.system": "AmazonSQS",
                "messaging.operation": "receive",
                "messaging.url": "https://sqs.eu-west-1.amazonaws.com/1234/orders/",
                "aws.sqs.approximate_receive_count": "2",
            },
            Message(system="aws_sqs", operation="receive", destination="orders", attempt=2),
        ),
        (
            {"messaging.system": "aws_sqs", "aws.sqs.queue.url": "https://sqs/1234/orders"},
            Message(system="aws_sqs", destination="orders"),
        ),
        (
            {"messaging.system": "kafka", "messaging.url": "kafka://broker/x"},
            Message(system="kafka"),
        ),
        (
            {
                "messaging.system": "gcp_pubsub",
                "messaging.operation.type": "process",
                "messaging.destination.name": "orders",
                "messaging.destination.subscription.name": "wallet",
                "messaging.gcp_pubsub.message.ordering_key": "o-1",
                "messaging.gcp_pubsub.message.delivery_attempt": 4,
                "messaging.message.envelope.size": 700,
                "messaging.message.body.size": 500,
            },
            Message(
                system="gcp_pubsub",
                operation="process",
                destination="orders",
                group="wallet",
                key="o-1",
                attempt=4,
                body_size=500,
                header_bytes=200,
            ),
        ),
        (
            {
                "messaging.system": "servicebus",
                "messaging.operation.name": "complete",
                "messaging.destination.name": "orders",
                "messaging.servicebus.destination.subscription_name": "wallet",
                "messaging.servicebus.message.delivery_count": 2,
            },
            Message(system="servicebus", operation="settle", destination="orders", group="wallet", attempt=2),
        ),
        (
            {
                "messaging.system": "eventhubs",
                "messaging.eventhubs.consumer.group": "$Default",
                "messaging.destination.partition.id": "1",
            },
            Message(system="eventhubs", group="$Default", partition="1"),
        ),
        (
            {
                "messaging.system": "rocketmq",
                "messaging.rocketmq.client_group": "g",
                "messaging.rocketmq.message.keys": ["k1", "k2"],
                "messaging.rocketmq.message.reconsume_times": 0,
            },
            Message(system="rocketmq", group="g", key="k1", attempt=1),
        ),
        (
            {"messaging.header.x-delivery-count": ["3"], "messaging.system": "rabbitmq"},
            Message(system="rabbitmq", attempt=4),
        ),
        (
            {
                "throughline.message.key": "bet-1",
                "throughline.message.attempt": 2,
                "throughline.message.header_bytes": 90,
                "throughline.message.schema": "v2",
                "messaging.system": "redis_streams",
            },
            Message(system="redis_streams", key="bet-1", attempt=2, header_bytes=90, schema="v2"),
        ),
        (
            {"messaging.system": "kafka", "messaging.message.schema.id": 17},
            Message(system="kafka", schema="17"),
        ),
    ],
)
def test_each_broker_is_read_by_its_own_names(attributes: dict[str, Any], expected: Message) -> None:
    assert expected == message(attributes)


@pytest.mark.parametrize(
    "attributes",
    [
        {"messaging.kafka.offset": -1001},
        {"messaging.kafka.offset": "12x"},
        {"messaging.kafka.offset": 1.5},
        {"messaging.kafka.offset": 2**63},
        {"messaging.message.id": ""},
        {"messaging.message.id": []},
        {"messaging.message.id": [[]]},
        {"messaging.message.id": {"a": 1}},
        {"messaging.message.id": None},
        {"messaging.message.id": b""},
        {"messaging.destination.name": True},
        {"messaging.url": ""},
        {"messaging.message.attempt": 0},
        {"messaging.message.retry_count": -1},
        {"schema.version": "2"},
        {"messaging.message.envelope.size": 3},
        {"http.route": "/"},
        {},
    ],
)
def test_what_says_nothing_makes_no_message(attributes: dict[str, Any]) -> None:
    assert promoted(attributes) == (None, None)


def test_an_envelope_smaller_than_its_body_tells_no_header_size() -> None:
    sizes = {"messaging.message.envelope.size": 3, "messaging.message.body.size": 5}
    assert Message(body_size=5) == message(sizes)
