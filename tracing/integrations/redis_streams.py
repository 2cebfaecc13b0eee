"""Context and spans for Redis streams, on the synchronous and the asyncio client of redis-py.

    from tracing.integrations import redis_streams as traced
    traced.instrument()

From then on: ``xadd`` makes a send span that ends with Redis's answer, also in a pipeline; ``xread``,
``xreadgroup``, ``xautoclaim`` and ``xclaim`` make a receive span linked to every entry they give. Redis calls no
handler, so put ``with process(client, stream, entry, group=group):`` around yours: its ``xack`` of the entry
inside is told on its span, any other by a settle span. In a cluster's pipeline spans end when the command is
queued, without its answer.

An entry has only fields, so the context travels in fields beside the application's own
(``traceparent``, ``tracestate``, ``baggage``). An instrumented reader does not see them; others do.
Without ``instrument``: ``add(client, stream, fields)`` and ``process``.
"""

from __future__ import annotations

import functools
import inspect
import re
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

from opentelemetry import trace
from opentelemetry.trace import Span, TracerProvider
from redis.asyncio.client import Pipeline as AsyncPipeline
from redis.client import Pipeline
from redis.commands.core import StreamCommands
from redis.exceptions import ExecAbortError, ResponseError

from tracing import dead_letters, envelope, semconv
from tracing.envelope import Envelope
from tracing.guard import guarded
from tracing.headers import Headers, text
from tracing.integrations import _redis_entries as entries
from tracing.integrations._hands import Running, told
from tracing.integrations._redis_entries import delivery_of
from tracing.options import Options
from tracing.patching import Patches
from tracing.spans import MOST_LINKS, Sending

__all__ = ["add", "dead_letter", "delivery_of", "instrument", "process", "uninstrument", "use"]

Function = Callable[..., Any]
Done = Callable[[Any, BaseException | None], None]
Queued = tuple[int, Any, Done]  # a command's place in its pipeline, and what is to be called
_REFUSED = re.compile(r"Command # (\d+) \(")  # how the client's error begins that names one of a pipeline
_ANSWERS = {bytes, str, int}  # of a synchronous client, as they mostly are
_MOST_PENDING = 1_000  # pending entries that are asked for their count in one go
_patches = Patches()
_keep = [False]
_known = entries.Entries()
_queued: WeakKeyDictionary[Any, list[Queued]] = WeakKeyDictionary()  # of pipelines


def use(provider: TracerProvider | None = None, options: Options | None = None) -> None:
    """Make spans with these from now on, in the helpers too; ``instrument`` does it by itself."""
    entries.clients.use(provider, options)


def instrument(
    provider: TracerProvider | None = None, options: Options | None = None, *, keep_fields: bool = False
) -> None:
    """Make all clients, those that exist too, carry context and make spans; once is enough.

    ``keep_fields`` leaves the context among the fields of what is read, for an application that reads it itself.
    """
    if _patches:
        return
    use(provider, options)
    _keep[0] = keep_fields
    _patches.method(StreamCommands, "xadd", _adding)
    _patches.method(StreamCommands, "xack", _acknowledging)
    _patches.method(StreamCommands, "xread", _reading("xread"))
    _patches.method(StreamCommands, "xreadgroup", _reading("xreadgroup"))
    _patches.method(StreamCommands, "xautoclaim", _claiming("xautoclaim"))
    _patches.method(StreamCommands, "xclaim", _claiming("xclaim"))
    _patches.method(Pipeline, "execute", _executing)
    _patches.method(AsyncPipeline, "execute", _executing_later)


def uninstrument() -> None:
    """Put the client's own methods back."""
    _patches.undo()
    use()


def add(
    client: Any, stream: Any, fields: Mapping[Any, Any], *, event: Envelope | None = None, **options: Any
) -> Any:
    """As ``client.xadd``, with a send span; ``event`` adds CloudEvents fields.

    Gives and raises what the client does, an awaitable where the client is asyncio's.
    """
    if event is not None:
        headers = Headers()
        envelope.write(event, headers)
        fields = {**fields, **dict(headers)}
    if _patches:
        return client.xadd(stream, fields, **options)
    return _add(type(client).xadd, client, stream, fields, (), options)


def dead_letter(client: Any, stream: Any, entry: Any, to: Any, *, reason: str, **options: Any) -> Any:
    """Add the entry to the stream ``to`` as a dead letter that says why and where it died."""
    headers = Headers()
    dead_letters.mark(headers, reason=reason, source=f"{text(stream)}/{text(entry[0])}")
    return add(client, to, {**entry[1], **dict(headers)}, **options)


def process(
    client: Any, stream: Any, entry: Any, *, group: Any = "", attempt: int | None = None
) -> AbstractContextManager[Span]:
    """A process span around the handler of one entry ``(id, fields)``; its context is current inside.

    ``attempt`` says which try it is, where you know better than Redis, which reading and claiming ask.
    """
    with guarded("process span"):
        place, spans = (text(stream), text(group), text(entry[0])), entries.spans(client)
        known = _known.find(*place)
        if known is None:
            processing = spans.process(delivery_of(stream, entry, group), attempt=attempt)
        else:
            processing = spans.process(known.delivery, attempt=attempt, received=known.received)
        return Running(_known.running, processing, place)
    return nullcontext(trace.INVALID_SPAN)


def _then(client: Any, result: Any, done: Done) -> Any:
    """Call ``done`` with the answer or the error, once it is there: now, awaited, or with the pipeline."""
    if result is client:
        if isinstance(client, Pipeline | AsyncPipeline):
            with guarded("pipeline"):
                stack, queued = client.command_stack, _queued.setdefault(client, [])
                while queued and queued[-1][0] >= len(stack) - 1:  # it was reset
                    queued.pop()
                queued.append((len(stack) - 1, stack[-1], done))
        else:  # a cluster's pipeline: it tells nobody which answer is whose
            done(None, None)
        return result
    if type(result) not in _ANSWERS and inspect.isawaitable(result):
        return _awaited(result, done)
    done(result, None)
    return result


async def _awaited(result: Any, done: Done) -> Any:
    try:
        answer = await result
    except BaseException as error:
        done(None, error)
        raise
    done(answer, None)
    return answer


def _adding(original: Function) -> Function:
    @functools.wraps(original)
    def xadd(client: Any, name: Any, fields: Any, *args: Any, **options: Any) -> Any:
        return _add(original, client, name, fields, args, options)

    return xadd


def _add(call: Function, client: Any, name: Any, fields: Any, args: Any, options: Any) -> Any:
    sending, carrying, named = Sending(), fields, False
    with guarded("redis send"):
        headers, size = entries.parts_of(fields)
        named = "ce_id" in headers.names()
        sending = entries.spans(client).send(text(name), headers, name="xadd", body_size=size)
        if fields:  # without any, the client refuses
            carrying = headers.onto(fields)

    def done(answer: Any, error: BaseException | None) -> None:
        with guarded("redis send"):
            if answer is not None and not isinstance(answer, Exception):
                sending.span.set_attribute(semconv.THROUGHLINE_MESSAGE_ENTRY_ID, text(answer))
                if not named:
                    sending.span.set_attribute(semconv.MESSAGING_MESSAGE_ID, text(answer))
        sending.end(error=error or (answer if isinstance(answer, Exception) else None))

    try:
        result = call(client, name, carrying, *args, **options)
    except BaseException as error:
        done(None, error)
        raise
    return _then(client, result, done)


def _acknowledging(original: Function) -> Function:
    @functools.wraps(original)
    def xack(client: Any, name: Any, groupname: Any, *ids: Any) -> Any:
        start = time.time_ns()

        def done(answer: Any, error: BaseException | None) -> None:
            with guarded("settle span"):
                stream, group, named = text(name), text(groupname), [text(one) for one in ids]
                settled = _known.settle(stream, group, named)
                alone = answer == 1 and len(named) == 1  # it was pending, and is not any more
                if alone and told(_known.running, (stream, group, named[0]), "xack"):
                    return
                failed = error or (answer if isinstance(answer, Exception) else None)
                entries.spans(client).settle(*settled, start=start, name="xack", error=failed)

        try:
            result = original(client, name, groupname, *ids)
        except BaseException as error:
            done(None, error)
            raise
        return _then(client, result, done)

    return xack


class _Read:
    """One call that hands entries over."""

    def __init__(self, client: Any, name: str, group: Any = "", consumer: Any = None) -> None:
        self.client, self.name, self.group, self.consumer = client, name, text(group), consumer
        self.start = time.time_ns()

    def asks(self, stream: Any, rows: list[Any]) -> Any:
        """Redis's own count of deliveries for these: the reply, or an awaitable of it."""
        ids = [text(row[0]) for row in rows]
        return self.client.xpending_range(
            stream, self.group, min=ids[0], max=ids[-1], count=_MOST_PENDING, consumername=self.consumer
        )

    def tell(self, stream: Any, rows: list[Any], pending: Any = None, least: int = 1) -> None:
        """Make the receive span, and keep the entries in mind for their handlers."""
        with guarded("receive span"):
            counted = {text(one["message_id"]): int(one["times_delivered"]) for one in pending or ()}
            spans = entries.spans(self.client)
            found = [delivery_of(stream, row, self.group, counted.get(text(row[0]), least)) for row in rows]
            for first in range(0, len(found), MOST_LINKS):
                batch = found[first : first + MOST_LINKS]
                _known.remember(batch, spans.receive(batch, start=self.start, name=self.name))
            if not _keep[0]:
                entries.strip(rows)


def _reading(name: str) -> Callable[[Function], Function]:
    def make(original: Function) -> Function:
        signature = inspect.signature(original)

        @functools.wraps(original)
        def read(client: Any, *args: Any, **options: Any) -> Any:
            asked: dict[str, Any] = {}
            with guarded("receive span"):
                asked = signature.bind_partial(client, *args, **options).arguments
            call = _Read(client, name, asked.get("groupname", ""), asked.get("consumername"))
            fresh = {key for key, at in (asked.get("streams") or {}).items() if text(at) in (">", "$")}
            fresh |= {text(key) for key in fresh}
            again = bool(call.group) and "claim_min_idle_time" in asked

            def parts(reply: Any) -> list[tuple[Any, list[Any], bool]]:
                return [
                    (stream, rows, again or (bool(call.group) and text(stream) not in fresh))
                    for stream, rows in entries.streams_of(reply)
                    if rows
                ]

            return _handed_over(call, original(client, *args, **options), parts, 1)

        return read

    return make


def _claiming(name: str) -> Callable[[Function], Function]:
    def make(original: Function) -> Function:
        @functools.wraps(original)
        def claim(
            client: Any, key: Any, groupname: Any, consumername: Any, *args: Any, **options: Any
        ) -> Any:
            call = _Read(client, name, groupname, consumername)

            def parts(reply: Any) -> list[tuple[Any, list[Any], bool]]:
                rows = reply[1] if name == "xautoclaim" else reply
                kept = [row for row in rows or () if isinstance(row, tuple) and row[0] is not None]
                return [(key, kept, True)] if kept else []

            result = original(client, key, groupname, consumername, *args, **options)
            return result if options.get("justid") else _handed_over(call, result, parts, 2)

        return claim

    return make


def _handed_over(call: _Read, result: Any, parts: Function, least: int) -> Any:
    """The reply, told of; ``least`` is the attempt of an entry that came again and is not counted."""
    if inspect.isawaitable(result) and result is not call.client:
        return _handed_over_later(call, result, parts, least)
    with guarded("receive span"):
        if result is not call.client:
            for stream, rows, again in parts(result):
                pending = None
                with guarded("delivery count"):
                    pending = call.asks(stream, rows) if again else None
                call.tell(stream, rows, pending, least)
    return result


async def _handed_over_later(call: _Read, result: Any, parts: Function, least: int) -> Any:
    reply = await result
    with guarded("receive span"):
        for stream, rows, again in parts(reply):
            pending = None
            with guarded("delivery count"):
                pending = await call.asks(stream, rows) if again else None
            call.tell(stream, rows, pending, least)
    return reply


def _taken(pipeline: Any) -> list[Queued]:
    """What was queued and is to be executed now; a pipeline that was reset has forgotten the rest."""
    with guarded("pipeline"):
        stack = pipeline.command_stack
        return [one for one in _queued.pop(pipeline, ()) if one[0] < len(stack) and stack[one[0]] is one[1]]
    return []


def _finish(queued: list[Queued], answers: Any, error: BaseException | None) -> None:
    with guarded("pipeline"):
        # Redis executes the commands around one that it refuses, but for a transaction refused as a whole
        whole = isinstance(error.__context__, ExecAbortError) if error is not None else False
        named = _REFUSED.match(str(error)) if isinstance(error, ResponseError) and not whole else None
        for index, _, done in queued:
            answer = None if answers is None or index >= len(answers) else answers[index]
            done(answer, error if named is None or int(named[1]) == index + 1 else None)


def _executing(original: Function) -> Function:
    @functools.wraps(original)
    def execute(pipeline: Any, *args: Any, **options: Any) -> Any:
        queued = _taken(pipeline)
        try:
            answers = original(pipeline, *args, **options)
        except BaseException as error:
            _finish(queued, None, error)
            raise
        _finish(queued, answers, None)
        return answers

    return execute


def _executing_later(original: Function) -> Function:
    @functools.wraps(original)
    async def execute(pipeline: Any, *args: Any, **options: Any) -> Any:
        queued = _taken(pipeline)
        try:
            answers = await original(pipeline, *args, **options)
        except BaseException as error:
            _finish(queued, None, error)
            raise
        _finish(queued, answers, None)
        return answers

    return execute
