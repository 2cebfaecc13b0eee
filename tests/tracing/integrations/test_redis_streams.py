"""Redis streams on a real Redis, with the synchronous and the asyncio client."""

from __future__ import annotations

import asyncio
import threading
import uuid
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
import redis
from redis import asyncio as aioredis
from redis.cluster import ClusterPipeline

from tests.servers.redis import Redis
from tracing import entity, envelope
from tracing.guard import losses
from tracing.integrations import redis_streams as traced
from tracing.testing import Capture

pytestmark = pytest.mark.server


@pytest.fixture(autouse=True)
def _instrumented(capture: Capture) -> Iterator[None]:
    before = losses()
    traced.instrument(capture.provider)
    yield
    traced.uninstrument()
    assert before == losses(), "the library swallowed an error of its own"


@pytest.fixture(params=["bytes", "text", "RESP3"])
def client(request: pytest.FixtureRequest, redis_server: Redis) -> Iterator[Any]:
    options = {"bytes": {}, "text": {"decode_responses": True}, "RESP3": {"protocol": 3}}[request.param]
    with redis.Redis.from_url(redis_server.url, **options) as made:
        yield made


@pytest.fixture
def stream(redis_server: Redis) -> Iterator[str]:
    name = f"orders-{uuid.uuid4().hex[:8]}"
    with redis.Redis.from_url(redis_server.url) as plain:
        plain.xgroup_create(name, "bill", id="0", mkstream=True)
        yield name
        plain.delete(name)


def entries(reply: Any) -> list[Any]:
    """The entries of one stream, in whichever shape."""
    (found,) = reply.values() if isinstance(reply, dict) else [row[1] for row in reply]
    return list(found[0] if isinstance(found[0], list) else found)


def plain(fields: Any) -> dict[str, str]:
    return {
        (key.decode() if isinstance(key, bytes) else key): (
            value.decode() if isinstance(value, bytes) else value
        )
        for key, value in fields.items()
    }


def test_an_entry_is_sent_received_handled_and_acknowledged_as_one_story(
    capture: Capture, client: Any, stream: str, redis_server: Redis
) -> None:
    event = envelope.new("OrderPlaced", "/shop")
    own = {"order": "7", "n": 3}
    with entity("order", "7"):
        traced.add(client, stream, own, event=event)
    (entry,) = entries(client.xreadgroup("bill", "me", {stream: ">"}))
    assert {"order": "7", "n": "3"} == {
        key: value for key, value in plain(entry[1]).items() if not key.startswith(("ce_", "content"))
    }
    with traced.process(client, stream, entry, group="bill"):
        assert event.id == envelope.new("OrderBilled", "/bill").causation_id
        client.xack(stream, "bill", entry[0])
    capture.assert_linked(f"xreadgroup {stream}", to=f"xadd {stream}")
    capture.assert_child(f"process {stream}", of=f"xadd {stream}")
    capture.assert_linked(f"process {stream}", to=f"xreadgroup {stream}")
    assert "xack" == capture.attributes(f"process {stream}")["throughline.message.settled"]
    assert [] == capture.spans(f"xack {stream}")
    entry_id = entry[0] if isinstance(entry[0], str) else entry[0].decode()
    for name in ("xadd", "process"):
        found = capture.attributes(f"{name} {stream}")
        assert ("redis", event.id, entry_id, redis_server.port) == (
            found["messaging.system"],
            found["messaging.message.id"],
            found["throughline.message.entry_id"],
            found["server.port"],
        )
    assert "7" == capture.attributes(f"process {stream}")["throughline.context.order"]
    assert "bill" == capture.attributes(f"process {stream}")["messaging.consumer.group.name"]
    assert 3 == len(capture.spans())


def test_what_is_claimed_or_read_again_is_the_next_attempt(
    capture: Capture, client: Any, stream: str
) -> None:
    client.xadd(stream, {"a": 1})
    (entry,) = entries(client.xreadgroup("bill", "me", {stream: ">"}))
    with traced.process(client, stream, entry, group="bill"):
        pass
    (entry,) = client.xautoclaim(stream, "bill", "other", 0)[1]
    assert {"a": "1"} == plain(entry[1])
    with traced.process(client, stream, entry, group="bill"):
        pass
    (entry,) = client.xclaim(stream, "bill", "third", 0, [entry[0]])
    with traced.process(client, stream, entry, group="bill"):
        pass
    (entry,) = entries(client.xreadgroup("bill", "third", {stream: "0"}))
    with traced.process(client, stream, entry, group="bill"):
        pass
    found = [dict(span.attributes or {}) for span in capture.spans(f"process {stream}")]
    assert [1, 2, 3, 4] == [one["throughline.message.attempt"] for one in found]
    assert {capture.span(f"xadd {stream}").context.span_id} == {
        span.parent.span_id for span in capture.spans(f"process {stream}") if span.parent
    }


def test_two_groups_take_the_same_entry_each_by_itself(capture: Capture, client: Any, stream: str) -> None:
    client.xgroup_create(stream, "pack", id="0")
    client.xadd(stream, {"a": 1})
    for group in ("bill", "pack"):
        (entry,) = entries(client.xreadgroup(group, "me", {stream: ">"}))
        with traced.process(client, stream, entry, group=group):
            client.xack(stream, group, entry[0])
    groups = [
        (span.attributes or {})["messaging.consumer.group.name"]
        for span in capture.spans(f"process {stream}")
    ]
    assert ["bill", "pack"] == groups


def test_a_pipelines_spans_end_with_its_answers(capture: Capture, client: Any, stream: str) -> None:
    with client.pipeline() as pipeline:
        pipeline.xadd(stream, {"a": 1}).set("x", 1).xadd(stream, {"a": 2})
        assert [] == capture.spans()
        first, _, second = pipeline.execute()
    sent = capture.spans(f"xadd {stream}")
    ids = [first, second] if isinstance(first, str) else [first.decode(), second.decode()]
    assert ids == [(span.attributes or {})["throughline.message.entry_id"] for span in sent]
    read = entries(client.xread({stream: "0"}))
    assert [{"a": "1"}, {"a": "2"}] == [plain(entry[1]) for entry in read]
    capture.assert_linked(f"xread {stream}", to=f"xadd {stream}")
    with client.pipeline(transaction=False) as pipeline:
        pipeline.set("x", "text").xadd("x", {"a": 1})
        with pytest.raises(redis.ResponseError):
            pipeline.execute()
    assert "error.type" in capture.attributes("xadd x")


@pytest.mark.parametrize("transaction", [False, True])
def test_only_the_command_that_a_pipeline_was_refused_for_has_failed(
    capture: Capture, client: Any, stream: str, transaction: bool
) -> None:
    client.set("text", "x")
    with client.pipeline(transaction) as pipeline:
        pipeline.xadd(stream, {"a": 1}).xadd("text", {"a": 1}).xack(stream, "bill", "1-0")
        with pytest.raises(redis.ResponseError):
            pipeline.execute()
    assert 1 == client.xlen(stream)
    assert "ResponseError" == capture.attributes("xadd text")["error.type"]
    for name in ("xadd", "xack"):
        assert "error.type" not in capture.attributes(f"{name} {stream}")


def test_all_of_a_transaction_that_is_refused_as_a_whole_have_failed(
    capture: Capture, client: Any, stream: str
) -> None:
    with client.pipeline() as pipeline:
        pipeline.xadd(stream, {"a": 1}).execute_command("XADD", stream)
        with pytest.raises(redis.ResponseError):
            pipeline.execute()
    assert 0 == client.xlen(stream)
    assert "ResponseError" == capture.attributes(f"xadd {stream}")["error.type"]


def test_a_pipeline_that_is_reset_forgets_what_it_had_queued(
    capture: Capture, client: Any, stream: str
) -> None:
    with client.pipeline() as pipeline:
        pipeline.xadd("never", {"a": 1}).xadd("never", {"a": 1})
        pipeline.reset()
        pipeline.set("text", "x").xadd(stream, {"a": 2})
        pipeline.execute()
        pipeline.xadd("never", {"a": 1})
        pipeline.reset()
        pipeline.xadd(stream, {"a": 2})
        pipeline.execute()
    assert [f"xadd {stream}"] * 2 == [span.name for span in capture.spans()]
    assert 2 == client.xlen(stream)


def test_a_pipeline_of_a_cluster_is_left_as_it_is(capture: Capture) -> None:
    nowhere = SimpleNamespace(himport_registry=None)  # nothing is sent
    sync = ClusterPipeline(nodes_manager=nowhere, commands_parser=None)
    for pipeline in (sync, aioredis.RedisCluster(host="127.0.0.1").pipeline()):
        assert pipeline is pipeline.xadd("orders", {"a": 1}).xack("orders", "bill", "1-0")
        assert 2 == len(pipeline)
    found = [dict(span.attributes or {}) for span in capture.spans("xadd orders")]
    assert 2 == len(found)
    assert not [one for one in found if "throughline.message.entry_id" in one or "error.type" in one]


def test_an_empty_read_leaves_no_span(capture: Capture, client: Any, stream: str) -> None:
    assert not client.xreadgroup("bill", "me", {stream: ">"})
    assert not client.xautoclaim(stream, "bill", "me", 0)[1]
    assert [] == capture.spans()


def test_what_redis_refuses_is_raised_and_its_span_ended(capture: Capture, client: Any, stream: str) -> None:
    with pytest.raises(redis.DataError):
        client.xadd(stream, {})
    with pytest.raises(redis.ResponseError):
        client.xadd(stream, {"a": 1}, id="0-0")
    with pytest.raises(redis.ResponseError):
        client.xreadgroup("nobody", "me", {stream: ">"})
    with pytest.raises(TypeError):
        client.xreadgroup()
    assert ["DataError", "ResponseError"] == [
        (span.attributes or {})["error.type"] for span in capture.spans(f"xadd {stream}")
    ]


def test_a_dead_letter_says_where_and_why_it_died(capture: Capture, client: Any, stream: str) -> None:
    client.xadd(stream, {"a": 1})
    (entry,) = entries(client.xreadgroup("bill", "me", {stream: ">"}))
    with traced.process(client, stream, entry, group="bill"):
        traced.dead_letter(client, stream, entry, f"{stream}-dead", reason="no account")
    (dead,) = entries(client.xread({f"{stream}-dead": "0"}))
    assert "1" == plain(dead[1])["a"]
    with traced.process(client, f"{stream}-dead", dead):
        pass
    found = capture.attributes(f"process {stream}-dead")
    assert "no account" == found["throughline.dead_letter.reason"]
    assert found["throughline.dead_letter.source"].startswith(f"{stream}/")
    capture.assert_child(f"xadd {stream}-dead", of=f"process {stream}")
    client.delete(f"{stream}-dead")


def test_the_asyncio_client_is_told_of_alike(capture: Capture, redis_server: Redis, stream: str) -> None:
    async def story() -> None:
        async with aioredis.Redis.from_url(redis_server.url) as client:
            await client.xadd(stream, {"a": 1})
            (entry,) = entries(await client.xreadgroup("bill", "me", {stream: ">"}))
            (entry,) = (await client.xautoclaim(stream, "bill", "me", 0))[1]
            with traced.process(client, stream, entry, group="bill"):
                await client.xack(stream, "bill", entry[0])
            with pytest.raises(redis.ResponseError):
                await client.xadd(stream, {"a": 1}, id="0-0")
            async with client.pipeline() as pipeline:
                pipeline.xadd(stream, {"a": 2})
                assert 2 == len(capture.spans(f"xadd {stream}"))
                await pipeline.execute()

    asyncio.run(story())
    first, failed, _ = capture.spans(f"xadd {stream}")
    process = capture.span(f"process {stream}")
    assert process.parent is not None
    assert first.context.span_id == process.parent.span_id
    assert 2 == (process.attributes or {})["throughline.message.attempt"]
    assert "ResponseError" == (failed.attributes or {})["error.type"]
    assert "xack" == (process.attributes or {})["throughline.message.settled"]
    assert [] == capture.spans(f"xack {stream}")


def test_an_acknowledgement_that_is_not_the_usual_has_a_span_of_its_own(
    capture: Capture, client: Any, stream: str
) -> None:
    for number in range(5):
        client.xadd(stream, {"a": number})
    late, again, other, *both = entries(client.xreadgroup("bill", "me", {stream: ">"}))
    with traced.process(client, stream, late, group="bill"):
        pass
    client.xack(stream, "bill", late[0])
    with traced.process(client, stream, again, group="bill"):
        client.xack(stream, "bill", again[0])
        client.xack(stream, "bill", again[0])  # it was not pending any more
        client.xack(stream, "bill", other[0])
    with traced.process(client, stream, both[0], group="bill"):
        client.xack(stream, "bill", *[entry[0] for entry in both])
    works = [span.attributes or {} for span in capture.spans(f"process {stream}")]
    assert [None, "xack", None] == [one.get("throughline.message.settled") for one in works]
    assert 4 == len(capture.spans(f"xack {stream}"))
    assert not traced._known.running


def test_threads_that_share_a_client_keep_their_contexts_apart(
    capture: Capture, redis_server: Redis, stream: str
) -> None:
    client = redis.Redis.from_url(redis_server.url)

    def place(number: int) -> None:
        with entity("order", str(number)):
            for _ in range(10):
                client.xadd(stream, {"order": number})

    def bill() -> None:
        while rows := client.xreadgroup("bill", threading.current_thread().name, {stream: ">"}, count=3):
            for entry in entries(rows):
                with traced.process(client, stream, entry, group="bill") as span:
                    span.set_attribute("order", entry[1][b"order"].decode())

    for work in ([(place, (number,)) for number in range(4)], [(bill, ()) for _ in range(4)]):
        threads = [threading.Thread(target=target, args=args) for target, args in work]  # type: ignore[arg-type]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
    found = [dict(span.attributes or {}) for span in capture.spans(f"process {stream}")]
    assert 40 == len(found)
    assert all(one["order"] == one["throughline.context.order"] for one in found)
    sent = {span.context.span_id for span in capture.spans(f"xadd {stream}")}
    assert sent == {span.parent.span_id for span in capture.spans(f"process {stream}") if span.parent}
    client.close()


def test_an_application_that_reads_the_context_itself_may_keep_its_fields(
    capture: Capture, client: Any, stream: str
) -> None:
    traced.uninstrument()
    traced.instrument(capture.provider, keep_fields=True)
    client.xadd(stream, {"a": 1})
    (entry,) = entries(client.xread({stream: "0"}))
    assert {"a", "traceparent"} == plain(entry[1]).keys()


def test_each_entry_of_a_large_batch_is_linked_where_it_is_read_and_where_it_is_settled(
    capture: Capture, client: Any, stream: str
) -> None:
    for _ in range(300):
        client.xadd(stream, {"a": 1})
    found = entries(client.xreadgroup("bill", "one", {stream: ">"}, count=500))
    client.xack(stream, "bill", *[entry[0] for entry in found])
    for name in (f"xreadgroup {stream}", f"xack {stream}"):
        spans = capture.spans(name)
        assert [128, 128, 44] == [len(span.links) for span in spans]
        linked = {link.context.span_id for span in spans for link in span.links}
        assert {span.context.span_id for span in capture.spans(f"xadd {stream}")} == linked
