"""The tap and the access check on a real Kafka with ACLs: it reads what it may, and leaves no trace."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Iterator
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, ConsumerGroupTopicPartitions, Producer, TopicPartition
from confluent_kafka.admin import (  # type: ignore[attr-defined]
    AclBinding,
    AclBindingFilter,
    AclOperation,
    AclPermissionType,
    AdminClient,
    NewPartitions,
    NewTopic,
    ResourcePatternType,
    ResourceType,
)
from django.core.management import CommandError, call_command

from tests.node.harness import ROOT, until
from tests.servers.kafka import GuardedKafka
from timeline.broker.tap.access import Access, check
from timeline.broker.tap.following import Tap
from timeline.broker.tap.rules import read
from timeline.inbox.inbox import Inbox
from timeline.indexing import Drain
from timeline.ingest.entities import Rules
from timeline.ingest.tapped import Record, decode
from timeline.models import AccessCheck, Refusal
from timeline.search.query import All, Query
from timeline.store.tantivy import TantivyStore

pytestmark = [pytest.mark.server, pytest.mark.django_db]
ORDERS, SECRET = "orders", "payroll"
PARTITIONS = 3


@pytest.fixture(scope="module")
def kafka() -> Iterator[GuardedKafka]:
    with GuardedKafka() as running:
        yield running


@pytest.fixture
def admin(kafka: GuardedKafka) -> Iterator[AdminClient]:
    """Both topics, made anew; every ACL and topic gone in the end."""
    client = AdminClient(kafka.login("admin"))
    until(
        lambda: not {ORDERS, SECRET} & set(client.list_topics(timeout=5).topics), what="the old topics gone"
    )
    for future in client.create_topics([NewTopic(name, PARTITIONS, 1) for name in (ORDERS, SECRET)]).values():
        future.result(10)
    yield client
    every = AclBindingFilter(
        ResourceType.ANY, None, ResourcePatternType.ANY, None, None, AclOperation.ANY, AclPermissionType.ANY
    )
    for future in client.delete_acls([every]).values():
        future.result(10)
    for future in client.delete_topics([ORDERS, SECRET]).values():
        future.result(10)


def allow(
    admin: AdminClient, kind: Any, name: str, operation: Any = AclOperation.READ, who: str = "User:tap"
) -> None:
    acl = AclBinding(kind, name, ResourcePatternType.LITERAL, who, "*", operation, AclPermissionType.ALLOW)
    for future in admin.create_acls([acl]).values():
        future.result(10)


def write(kafka: GuardedKafka, count: int, first: int = 0, topic: str = ORDERS) -> None:
    producer = Producer({**kafka.login("admin"), "linger.ms": 5})
    for number in range(first, first + count):
        value = json.dumps({"id": f"o-{number}", "n": number}).encode()
        producer.produce(topic, value, key=f"k{number % 7}", partition=number % PARTITIONS)
    assert 0 == producer.flush(30)


RULES = read(
    '[[topics]]\ntopic = "orders"\ntype = "=OrderPlaced"\nid = "/id"\nentities = { order = "/id" }\n'
)


def tap(kafka: GuardedKafka, folder: Path, *topics: str, **options: Any) -> Tap:
    inbox = Inbox(folder / "inbox.sqlite3")
    return Tap(
        kafka.login("tap"), topics or (ORDERS,), RULES, inbox, folder, **{"start": "earliest", **options}
    )


def taken(folder: Path) -> list[Record]:
    """What lies in the inbox, in the order in which it came."""
    inbox = Inbox(folder / "inbox.sqlite3")
    lease, claimed = inbox.claim(items=1 << 30, size=1 << 30)
    inbox.give_back(lease)
    return [record for one in claimed for record in decode(one.request.body).records]


def groups(admin: AdminClient) -> dict[str, Any]:
    """Every consumer group with its state, members and offsets."""
    listed = admin.list_consumer_groups().result(10).valid
    found = {}
    for group in listed:
        offsets = admin.list_consumer_group_offsets([ConsumerGroupTopicPartitions(group.group_id)])
        ends = offsets[group.group_id].result(10).topic_partitions or []
        told = admin.describe_consumer_groups([group.group_id])[group.group_id].result(10)
        found[group.group_id] = (
            str(told.state),
            len(told.members),
            sorted((one.topic, one.partition, one.offset) for one in ends),
        )
    return found


def test_groups_and_offsets_are_the_same_before_and_after(
    kafka: GuardedKafka, admin: AdminClient, tmp_path: Path
) -> None:
    write(kafka, 60)
    app = Consumer({**kafka.login("admin"), "group.id": "app", "auto.offset.reset": "earliest"})
    app.subscribe([ORDERS])
    seen = 0
    while seen < 20:
        seen += len(app.consume(20 - seen, timeout=1))
    app.commit(asynchronous=False)
    app.close()
    allow(admin, ResourceType.TOPIC, ORDERS)
    before = groups(admin)
    assert {"app"} == set(before)

    check(kafka.login("tap"), [ORDERS, SECRET], group="app")
    tap(kafka, tmp_path).run(until_caught_up=True)

    assert before == groups(admin)
    assert {f"o-{n}" for n in range(60)} == {record.id for record in taken(tmp_path)}


def _results(found: Access) -> dict[tuple[str, str], str]:
    return {(line.name, line.operation): line.result for line in found.lines}


def _apply(admin: AdminClient, command: str) -> None:
    """What ``kafka-acls`` would do with this command line."""
    words = shlex.split(command)
    assert ["kafka-acls", "--bootstrap-server"] == words[:2]
    assert "--add" in words
    who = words[words.index("--allow-principal") + 1]
    operation = AclOperation[words[words.index("--operation") + 1].upper()]
    for flag, kind in (("--topic", ResourceType.TOPIC), ("--group", ResourceType.GROUP)):
        for place, word in enumerate(words):
            if word == flag:
                allow(admin, kind, words[place + 1], operation, who)


def test_the_check_tells_what_is_refused_and_its_commands_help(
    kafka: GuardedKafka, admin: AdminClient
) -> None:
    write(kafka, 3)
    first = check(kafka.login("tap"), [ORDERS, SECRET, "no-such-topic"], group="g")
    assert {"refused"} == {
        result for (name, _), result in _results(first).items() if name in (ORDERS, SECRET, "g")
    }
    allow(admin, ResourceType.TOPIC, SECRET, AclOperation.DESCRIBE)
    until(
        lambda: (
            ("allowed", "refused")
            == tuple(
                _results(check(kafka.login("tap"), [SECRET]))[SECRET, one] for one in ("Describe", "Read")
            )
        ),
        what="describing allowed, reading not",
    )
    assert 1 == len(first.commands)
    assert 1 == first.commands[0].count("--operation")
    _apply(admin, first.commands[0])
    until(
        lambda: {"allowed"} == set(_results(check(kafka.login("tap"), [ORDERS, SECRET], group="g")).values()),
        what="everything allowed",
    )
    assert () == check(kafka.login("tap"), [ORDERS, SECRET], group="g").commands


def test_the_command_prints_keeps_and_fails(kafka: GuardedKafka, admin: AdminClient, tmp_path: Path) -> None:
    settings = tmp_path / "kafka.conf"
    settings.write_text("".join(f"{name}={value}\n" for name, value in kafka.login("tap").items()))
    out = StringIO()
    with pytest.raises(CommandError, match="not everything"):
        call_command("check_access", "--config", str(settings), "--topics", ORDERS, stdout=out)
    assert "refused  Read      topic orders" in out.getvalue()
    assert "kafka-acls --bootstrap-server" in out.getvalue()
    assert "tap-secret" not in out.getvalue()
    kept = AccessCheck.objects.get()
    assert ("User:tap", 2) == (kept.principal, len(kept.lines))
    allow(admin, ResourceType.TOPIC, ORDERS)

    def green() -> bool:
        try:
            call_command("check_access", "--config", str(settings), "--topics", ORDERS, stdout=StringIO())
        except CommandError:
            return False
        return True

    until(green, what="a check that passes")
    kept.refresh_from_db()
    assert [] == kept.commands


def test_it_goes_on_where_it_was_and_finds_new_partitions(
    kafka: GuardedKafka, admin: AdminClient, tmp_path: Path
) -> None:
    allow(admin, ResourceType.TOPIC, ORDERS)
    write(kafka, 30)
    tap(kafka, tmp_path).run(until_caught_up=True)
    write(kafka, 30, first=30)
    for future in admin.create_partitions([NewPartitions(ORDERS, PARTITIONS + 1)]).values():
        future.result(10)
    producer = Producer(kafka.login("admin"))
    until(
        lambda: PARTITIONS + 1 == len(admin.list_topics(ORDERS, timeout=5).topics[ORDERS].partitions),
        what="4",
    )
    producer.produce(ORDERS, b'{"id": "o-new"}', partition=PARTITIONS)
    producer.flush(30)
    tap(kafka, tmp_path, start="latest").run(until_caught_up=True)
    found = Counter(record.id for record in taken(tmp_path))
    assert {f"o-{n}" for n in range(60)} | {"o-new"} == set(found)
    assert {1} == set(found.values())


def test_a_start_at_a_time(kafka: GuardedKafka, admin: AdminClient, tmp_path: Path) -> None:
    allow(admin, ResourceType.TOPIC, ORDERS)
    write(kafka, 9)
    time.sleep(0.01)
    middle = time.time_ns()
    write(kafka, 9, first=9)
    tap(kafka, tmp_path, start=middle).run(until_caught_up=True)
    assert {f"o-{n}" for n in range(9, 18)} == {record.id for record in taken(tmp_path)}


def test_what_was_deleted_before_it_was_read_is_counted_and_a_cause(
    kafka: GuardedKafka, admin: AdminClient, tmp_path: Path
) -> None:
    allow(admin, ResourceType.TOPIC, ORDERS)
    write(kafka, 9)
    tap(kafka, tmp_path).run(until_caught_up=True)
    write(kafka, 9, first=9)
    for future in admin.delete_records([TopicPartition(ORDERS, 0, 5)]).values():
        future.result(10)
    again = tap(kafka, tmp_path)
    again.run(until_caught_up=True)
    assert 2 == again.lost
    row = Refusal.objects.get()
    assert ("deleted_before_read", 2, "tap orders") == (row.reason, row.items, row.sender)
    assert 16 == len({record.id for record in taken(tmp_path)})


def test_killed_at_any_moment_it_loses_and_doubles_nothing(
    kafka: GuardedKafka, admin: AdminClient, tmp_path: Path
) -> None:
    allow(admin, ResourceType.TOPIC, ORDERS)
    count = 12_000
    settings = tmp_path / "kafka.conf"
    settings.write_text("".join(f"{name}={value}\n" for name, value in kafka.login("tap").items()))
    environ = {name: value for name, value in os.environ.items() if not name.startswith("THROUGHLINE_")}
    environ |= {"THROUGHLINE_DATA_DIR": str(tmp_path / "data")}
    manage = [sys.executable, "manage.py"]
    subprocess.run([*manage, "migrate", "-v", "0"], cwd=ROOT, env=environ, check=True)
    command = [*manage, "tap", "--config", str(settings), "--topics", ORDERS, "--from", "earliest"]
    writing = threading.Thread(target=write, args=(kafka, count))
    writing.start()
    for _ in range(4):
        process = subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.DEVNULL)
        held = Inbox(tmp_path / "data" / "inbox.sqlite3")
        before = held.backlog().items
        until(lambda: held.backlog().items > before or before >= count, what="something taken in")  # noqa: B023
        process.send_signal(signal.SIGKILL)
        process.wait()
    writing.join()
    done = subprocess.run(
        [*command, "--until-caught-up"], cwd=ROOT, env=environ, capture_output=True, text=True, timeout=120
    )
    assert 0 == done.returncode, done.stderr
    assert count <= len(taken(tmp_path / "data"))  # what was taken in and not yet noted comes again
    store = TantivyStore(tmp_path / "index", writable=True)
    store.prepare()
    inbox = Inbox(tmp_path / "data" / "inbox.sqlite3")
    Drain(inbox, store, lambda _: Rules.default()).run()
    facts = [stored.fact.body["id"] for stored in store.facts_of(Query(where=All()))]  # type: ignore[union-attr, index, call-overload]
    store.close()
    assert Counter(f"o-{n}" for n in range(count)) == Counter(facts)
    sums: Counter[str] = Counter()
    for line in inbox.snapshot()[1]:
        sums[line.what] += line.items
    assert sums["received"] == sums["new"] + sums["already"]


def test_settings_that_are_no_good_are_told_without_their_secrets(tmp_path: Path) -> None:
    settings = tmp_path / "kafka.conf"
    settings.write_text("sasl.password\n")
    with pytest.raises(CommandError, match="line 1"):
        call_command("tap", "--config", str(settings), "--topics", "x")
    with pytest.raises(CommandError, match="where is Kafka"):
        call_command("tap", "--topics", "x")
    with pytest.raises(CommandError, match="neither earliest"):
        call_command("tap", "--brokers", "127.0.0.1:1", "--topics", "x", "--from", "soon")
    with pytest.raises(CommandError, match="no good"):
        call_command(
            "tap", "--brokers", "127.0.0.1:1", "--topics", "x", "--config", _file(tmp_path, "colour=red")
        )


def _file(folder: Path, text: str) -> str:
    made = folder / "other.conf"
    made.write_text(text)
    return str(made)
