"""Context and spans for aio-pika.

    from tracing.integrations import aio_pika as traced
    traced.instrument()

From then on: ``Exchange.publish`` makes a send span that ends with the broker's confirmation; callbacks of
``Queue.consume`` and the body of an ``async for message in queue`` loop run inside a process span;
``Queue.get`` makes a receive span, and ``async with message.process():`` around such a message its process
span; ``ack`` of the message in hand is told on it, any other way of settling by a settle span.

Without ``instrument`` the same for one call: ``await publish(exchange, message, routing_key)`` and
``with process(message):``.
"""

from __future__ import annotations

import asyncio
import functools
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakKeyDictionary

from aio_pika.exchange import Exchange
from aio_pika.message import IncomingMessage, ProcessContext
from aio_pika.queue import Queue, QueueIterator
from aio_pika.robust_queue import RobustQueueIterator
from aio_pika.tools import ensure_awaitable
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, TracerProvider

from tracing import propagation
from tracing.envelope import Envelope
from tracing.guard import guarded
from tracing.integrations import _aio_pika_messages as messages
from tracing.integrations._aio_pika_messages import delivery_of
from tracing.integrations._hands import Running, Within, nothing
from tracing.integrations._loop import Loop, failure
from tracing.options import Options
from tracing.patching import Patches

__all__ = ["delivery_of", "instrument", "process", "publish", "uninstrument", "use"]

Function = Callable[..., Any]

_patches = Patches()
_loops: WeakKeyDictionary[Any, Loop] = WeakKeyDictionary()


def use(provider: TracerProvider | None = None, options: Options | None = None) -> None:
    """Make spans with these from now on, in the helpers too; ``instrument`` does it by itself."""
    messages.clients.use(provider, options)


def instrument(provider: TracerProvider | None = None, options: Options | None = None) -> None:
    """Make all exchanges, queues and messages carry context and make spans; once is enough."""
    if _patches:
        return
    use(provider, options)
    _patches.method(Exchange, "publish", _publishing)
    _patches.method(Queue, "consume", _consuming)
    _patches.method(Queue, "get", _getting)
    for iterator in (QueueIterator, RobustQueueIterator):
        _patches.method(iterator, "__anext__", _iterating)
    _patches.method(QueueIterator, "close", _closing)
    _patches.method(QueueIterator, "__aexit__", _leaving)
    _patches.method(ProcessContext, "__aenter__", _entering)
    _patches.method(ProcessContext, "__aexit__", _leaving)
    for name in ("ack", "nack", "reject"):
        _patches.method(IncomingMessage, name, _settling(name))


def uninstrument() -> None:
    """Put aio-pika's own methods back. Consumers that were started meanwhile keep their spans."""
    _patches.undo()
    use()


async def publish(
    exchange: Any, message: Any, routing_key: str, *, event: Envelope | None = None, **options: Any
) -> Any:
    """As ``exchange.publish``, with a send span; ``event`` adds CloudEvents headers.

    Gives and raises what the client does. The application's ``message`` stays as it is.
    """
    call = getattr(Exchange.publish, "__wrapped__", Exchange.publish)
    return await messages.publish(call, exchange, message, routing_key, event, options)


def process(message: Any, *, queue: str = "", attempt: int | None = None) -> AbstractContextManager[Span]:
    """A process span around the handler of one message; its trace, entities and event are current inside.

    ``queue`` names where it was read from, ``attempt`` which try it is, where you know better than the broker.
    Inside a callback, a loop or a ``process`` that already has such a span it gives that one, and tells it when
    and how the work ended.
    """
    with guarded("process span"):
        here = messages.known(message.channel)
        tag = message.delivery_tag
        if tag in here.running:
            return Within(here.running[tag])
        here.got.pop(tag, None)
        where = queue or here.queues.get(message.consumer_tag, "")
        found = delivery_of(message, where, captured=here.captures)
        processing = here.spans.process(found, attempt=attempt, received=here.open.received(tag))
        return here.handler(tag, processing)
    return nullcontext(trace.INVALID_SPAN)


def _publishing(original: Function) -> Function:
    @functools.wraps(original)
    async def publish(exchange: Any, message: Any, routing_key: Any, **options: Any) -> Any:
        return await messages.publish(original, exchange, message, routing_key, None, options)

    return publish


def _consuming(original: Function) -> Function:
    @functools.wraps(original)
    async def consume(queue: Any, callback: Any, no_ack: Any = False, *args: Any, **options: Any) -> Any:
        handler = callback
        # an iterator takes messages by a callback of its own: its loop is the handler, not this
        if callable(callback) and not isinstance(getattr(callback, "__self__", None), QueueIterator):
            handler = _handler(queue, ensure_awaitable(callback), no_ack)
        return await original(queue, handler, no_ack, *args, **options)

    return consume


def _handler(queue: Any, callback: Function, no_ack: bool) -> Function:
    @functools.wraps(callback)
    async def handler(message: Any) -> Any:
        # the client's task still has what was current when it connected
        with propagation.attached(Context()), (running := _running(queue, message, no_ack)):
            try:
                return await callback(message)
            except asyncio.CancelledError as error:
                running.end(failure(error))
                raise

    return handler


def _running(queue: Any, message: Any, no_ack: bool) -> Running[int]:
    with guarded("process span"):
        here = messages.known(message.channel)
        found = here.handed_over(message, queue.name, no_ack)
        return here.handler(message.delivery_tag, here.spans.process(found))
    return nothing()


def _getting(original: Function) -> Function:
    @functools.wraps(original)
    async def get(queue: Any, *, no_ack: Any = False, **options: Any) -> Any:
        start = time.time_ns()
        message = await original(queue, no_ack=no_ack, **options)
        with guarded("receive span"):
            if message is not None:
                here = messages.known(message.channel)
                found = here.handed_over(message, queue.name, no_ack)
                received = here.spans.receive([found], start=start, name="get", single=True)
                here.open.came(message.delivery_tag, received)
                here.got[message.delivery_tag] = queue.name
        return message

    return get


def _iterating(original: Function) -> Function:
    @functools.wraps(original)
    async def following(iterator: Any) -> Any:
        loop = _loops.get(iterator)
        if loop is not None:
            loop.finish()
        message = await original(iterator)
        with guarded("process span"):
            here, queue = messages.known(message.channel), iterator._amqp_queue.name
            found = here.handed_over(message, queue, iterator._consume_kwargs.get("no_ack", False))
            if loop is None:
                loop = _loops[iterator] = Loop()
            loop.begin(here.handler(message.delivery_tag, here.spans.process(found)).hold())
        return message

    return following


def _closing(original: Function) -> Function:
    @functools.wraps(original)
    async def close(iterator: Any) -> Any:
        _finish(iterator, None)
        return await original(iterator)

    return close


def _entering(original: Function) -> Function:
    @functools.wraps(original)
    async def entering(context: Any) -> Any:
        message = await original(context)
        with guarded("process span"):
            here, tag = messages.known(message.channel), message.delivery_tag
            if tag in here.got:
                found = delivery_of(message, here.got.pop(tag), captured=here.captures)
                loop = _loops[context] = Loop()
                processing = here.spans.process(found, received=here.open.received(tag))
                loop.begin(here.handler(tag, processing).hold())
        return message

    return entering


def _leaving(original: Function) -> Function:
    @functools.wraps(original)
    async def leaving(context: Any, kind: Any, error: Any, where: Any) -> Any:
        if not isinstance(context, ProcessContext):
            _finish(context, error)
            return await original(context, kind, error, where)
        try:
            return await original(context, kind, error, where)  # settles the message: still part of the work
        finally:
            _finish(context, error)
            if error is not None:
                _told(context.message, error)

    return leaving


def _told(message: Any, error: BaseException) -> None:
    """A loop or callback whose body deals with the error itself has failed all the same."""
    with guarded("process span"):
        running = messages.known(message.channel).running.get(message.delivery_tag)
        if running is not None:
            running.end(failure(error))


def _finish(owner: Any, error: BaseException | None) -> None:
    with guarded("process span"):
        if (loop := _loops.pop(owner, None)) is not None:
            loop.finish(error)


def _settling(name: str) -> Callable[[Function], Function]:
    def make(original: Function) -> Function:
        @functools.wraps(original)
        async def settle(message: Any, *args: Any, **options: Any) -> Any:
            return await messages.settle(name, original, message, args, options)

        return settle

    return make
