"""What a principal may do on a cluster, by trying it: nothing is written, joined or committed."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, Literal

import msgspec
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AclOperation, AdminClient  # type: ignore[attr-defined]

from timeline.broker.tap.following import OURS
from timeline.errors import QueueUnavailable

_ASK: Final = 10.0  # s
_READ: Final = 5.0  # s for the first answer to a fetch
Result = Literal["allowed", "refused", "unknown"]
_REFUSED: Final = frozenset(
    (
        KafkaError.TOPIC_AUTHORIZATION_FAILED,
        KafkaError.GROUP_AUTHORIZATION_FAILED,
        KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    )
)


class Line(msgspec.Struct, frozen=True):
    """One operation on one resource."""

    resource: Literal["topic", "group"]
    name: str
    operation: Literal["Describe", "Read"]
    result: Result
    detail: str = ""


class Access(msgspec.Struct, frozen=True, kw_only=True):
    """A check: whose, where, what came of it, and the commands that would help."""

    brokers: str
    principal: str
    lines: tuple[Line, ...]
    commands: tuple[str, ...] = ()


def check(config: Mapping[str, Any], topics: Sequence[str], *, group: str = "") -> Access:
    """Try what the tap needs of ``topics``, and what ``manage.py consume`` needs of ``group`` where one is
    given. Raises ``QueueUnavailable`` where the cluster does not answer at all."""
    admin = AdminClient({**config})
    try:
        admin.list_topics(timeout=_ASK)
    except KafkaException as error:
        raise QueueUnavailable(
            f"Kafka did not answer: {error.args[0].str()}",
            remedy="check the brokers, and the security settings of --config",
        ) from error
    lines: list[Line] = []
    consumer = Consumer({**config, **OURS})
    try:
        for topic in topics:
            lines += _topic(consumer, topic)
    finally:
        consumer.close()
    if group:
        lines += _group(admin, group)
    return Access(
        brokers=str(config.get("bootstrap.servers", "")),
        principal=principal_of(config),
        lines=tuple(lines),
        commands=tuple(commands(config, lines)),
    )


def principal_of(config: Mapping[str, Any]) -> str:
    """The principal that the settings log in as, as ``kafka-acls`` writes it; a certificate's is not known here."""
    name = config.get("sasl.username")
    if name:
        return f"User:{name}"
    secure = str(config.get("security.protocol", "")).lower().endswith("ssl")
    return "User:NAME-OF-THE-CERTIFICATE" if secure else "User:ANONYMOUS"


def commands(config: Mapping[str, Any], lines: Iterable[Line]) -> list[str]:
    """The fewest ``kafka-acls`` commands that allow what was refused: reading implies describing."""
    topics = sorted({line.name for line in lines if line.resource == "topic" and line.result == "refused"})
    groups = sorted({line.name for line in lines if line.resource == "group" and line.result == "refused"})
    start = f"kafka-acls --bootstrap-server {shlex.quote(str(config.get('bootstrap.servers', '')))} --add"
    start += f" --allow-principal {shlex.quote(principal_of(config))} --operation Read"
    named = [f"--topic {shlex.quote(name)}" for name in topics] + [
        f"--group {shlex.quote(name)}" for name in groups
    ]
    return [f"{start} {' '.join(named)}"] if named else []


def _topic(consumer: Consumer, topic: str) -> list[Line]:
    """Describing comes first: without it nobody can tell where to read."""
    try:
        found = consumer.list_topics(topic, timeout=_ASK).topics[topic]
    except KafkaException as error:
        return _both("topic", topic, _verdict(error.args[0]), error.args[0].str())
    if found.error is not None:
        # a topic that may not be described is told like one that does not exist, as the broker is set
        return _both("topic", topic, _verdict(found.error), found.error.str())
    described = Line("topic", topic, "Describe", "allowed")
    if not found.partitions:
        return [described, Line("topic", topic, "Read", "unknown", "it has no partition")]
    return [described, _read(consumer, topic, min(found.partitions))]


def _read(consumer: Consumer, topic: str, partition: int) -> Line:
    """One fetch at the end of one partition: it answers with its end, a record, or a refusal."""
    place = TopicPartition(topic, partition)
    try:
        _, high = consumer.get_watermark_offsets(place, timeout=_ASK)
        consumer.assign([TopicPartition(topic, partition, high)])
        until = time.monotonic() + _READ
        while (left := until - time.monotonic()) > 0:
            for message in consumer.consume(1, timeout=left):
                error = message.error()
                if error is None or error.code() == KafkaError._PARTITION_EOF:
                    return Line("topic", topic, "Read", "allowed")
                # the client looks for a group by itself, and may be refused
                if error.code() != KafkaError.GROUP_AUTHORIZATION_FAILED:
                    return Line("topic", topic, "Read", _verdict(error), error.str())
    except KafkaException as error:
        return Line("topic", topic, "Read", _verdict(error.args[0]), error.args[0].str())
    finally:
        consumer.unassign()
    return Line("topic", topic, "Read", "unknown", f"no answer within {_READ:.0f} s")


def _group(admin: AdminClient, group: str) -> list[Line]:
    """By what the coordinator says may be done: joining would change the group."""
    try:
        found = admin.describe_consumer_groups(
            [group], include_authorized_operations=True, request_timeout=_ASK
        )[group].result(_ASK)
    except KafkaException as error:
        return _both("group", group, _verdict(error.args[0]), error.args[0].str())
    except TimeoutError:
        return _both("group", group, "unknown", "no answer")
    operations = found.authorized_operations or []
    may: Result = "allowed" if {AclOperation.READ, AclOperation.ALL} & set(operations) else "refused"
    return [Line("group", group, "Describe", "allowed"), Line("group", group, "Read", may)]


def _both(resource: Literal["topic", "group"], name: str, result: Result, detail: str) -> list[Line]:
    return [
        Line(resource, name, "Describe", result, detail),
        Line(
            resource, name, "Read", "refused" if result == "refused" else "unknown", "it could not be tried"
        ),
    ]


def _verdict(error: KafkaError) -> Result:
    return "refused" if error.code() in _REFUSED else "unknown"
