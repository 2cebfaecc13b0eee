"""Where partitions end now, asked of the cluster."""

from __future__ import annotations

from collections.abc import Iterable

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec  # type: ignore[attr-defined]

from timeline.errors import QueueUnavailable

Place = tuple[str, int]  # topic, partition
_ASK = 3  # s


def ends(admin: AdminClient, places: Iterable[Place]) -> dict[Place, int]:
    """The next offset of each partition; with none to ask, whether the cluster answers. Raises
    ``QueueUnavailable``."""
    latest = OffsetSpec.latest()  # type: ignore[no-untyped-call]
    asked = {TopicPartition(*place): latest for place in places}
    found: dict[Place, int] = {}
    try:
        futures = admin.list_offsets(asked, request_timeout=_ASK) if asked else {}
        for partition, future in futures.items():
            found[partition.topic, partition.partition] = future.result(_ASK + 1).offset
        if not asked:
            admin.list_topics(timeout=_ASK)
    except (KafkaException, TimeoutError) as error:
        raise QueueUnavailable(f"Kafka did not answer: {error}", remedy="it is asked again") from error
    return found
