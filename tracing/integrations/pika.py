"""Context and spans for pika: blocking and asynchronous channels.

    from tracing.integrations import pika as traced
    traced.instrument()

From then on, on every channel: ``basic_publish`` makes a send span that ends with the broker's
confirmation where the channel is in confirm mode; callbacks of ``basic_consume`` and the body of a
``for ... in channel.consume(queue)`` loop run inside a process span; ``basic_get`` makes a receive
span; ``basic_ack`` of the message in hand is told on its process span, any other way of settling by a
settle span.

Without ``instrument`` the same for one call: ``publish(channel, ...)`` and
``with process(channel, method, properties, body):``, which is also for messages of ``basic_get`` and
for handlers on threads of their own.
"""

from __future__ import annotations

import copy
import functools
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from opentelemetry import trace
from opentelemetry.trace import Span, TracerProvider
from pika.adapters.blocking_connection import BlockingChannel
from pika.channel import Channel
from pika.spec import BasicProperties

from tracing import envelope
from tracing.envelope import Envelope
from tracing.guard import guarded, lost
from tracing.headers import Headers
from tracing.integrations import _pika_channels as channels
from tracing.integrations._confirms import Confirms
from tracing.integrations._hands import Within, nothing
from tracing.integrations._loop import Loop
from tracing.integrations._pika_channels import Function, delivery_of
from tracing.options import Options
from tracing.patching import Patches

__all__ = ["delivery_of", "instrument", "process", "publish", "uninstrument", "use"]

_patches = Patches()


def use(provider: TracerProvider | None = None, options: Options | None = None) -> None:
    """Make spans with these from now on, in the helpers too; ``instrument`` does it by itself."""
    channels.clients.use(provider, options)


def instrument(provider: TracerProvider | None = None, options: Options | None = None) -> None:
    """Make all channels, those that exist too, carry context and make spans; once is enough."""
    if _patches:
        return
    use(provider, options)
    for owner in (BlockingChannel, Channel):
        _patches.method(owner, "basic_publish", _publishing)
        _patches.method(owner, "basic_consume", _consuming)
    _patches.method(BlockingChannel, "basic_get", _getting)
    _patches.method(Channel, "basic_get", _getting_later)
    _patches.method(BlockingChannel, "consume", _iterating)
    _patches.method(Channel, "confirm_delivery", _confirming)
    _patches.method(Channel, "add_on_return_callback", _returning)
    for name in ("ack", "nack", "reject"):
        _patches.method(Channel, f"basic_{name}", _settling(name))


def uninstrument() -> None:
    """Put pika's own methods back. Consumers that were started meanwhile keep their spans."""
    _patches.undo()
    use()


def publish(
    channel: Any,
    exchange: str,
    routing_key: str,
    body: Any,
    properties: BasicProperties | None = None,
    mandatory: bool = False,
    *,
    event: Envelope | None = None,
) -> None:
    """As ``channel.basic_publish``, with a send span; ``event`` adds CloudEvents headers.

    Raises what the client raises. The application's ``properties`` stay as they are.
    """
    if event is not None:
        properties = _with_event(properties, event)
    if _patches:
        channel.basic_publish(exchange, routing_key, body, properties, mandatory)
    else:
        call = type(channel).basic_publish
        channels.publish(call, channel, exchange, routing_key, body, properties, mandatory)


def process(
    channel: Any, method: Any, properties: Any, body: Any, *, queue: str = "", attempt: int | None = None
) -> AbstractContextManager[Span]:
    """A process span around the handler of one message; its trace, entities and event are current inside.

    ``queue`` names where it was read from, ``attempt`` which try it is, where you know better than the broker.
    Inside a callback, a loop or a ``process`` that already has such a span it gives that one, and tells it when
    and how the work ended.
    """
    with guarded("process span"):
        here, tag = channels.known(channel), method.delivery_tag
        if tag in here.running:
            return Within(here.running[tag])
        queue = queue or here.queues.get(getattr(method, "consumer_tag", ""), "")
        found = delivery_of(method, properties, body, queue, captured=here.captures)
        received = here.open.received(tag)
        return here.handler(tag, here.spans.process(found, attempt=attempt, received=received))
    return nullcontext(trace.INVALID_SPAN)


def _with_event(properties: BasicProperties | None, event: Envelope) -> BasicProperties:
    carrying = copy.copy(properties) if properties is not None else BasicProperties()
    headers = Headers(carrying.headers)
    envelope.write(event, headers, envelope.AMQP_PREFIX)
    carrying.headers = headers.onto(carrying.headers)
    carrying.content_type = carrying.content_type or event.content_type
    return carrying


def _publishing(original: Function) -> Function:
    @functools.wraps(original)
    def basic_publish(
        channel: Any,
        exchange: Any,
        routing_key: Any,
        body: Any,
        properties: Any = None,
        mandatory: Any = False,
    ) -> Any:
        if channels.inside(channel):
            return original(channel, exchange, routing_key, body, properties, mandatory)
        return channels.publish(original, channel, exchange, routing_key, body, properties, mandatory)

    return basic_publish


def _consuming(original: Function) -> Function:
    @functools.wraps(original)
    def basic_consume(
        channel: Any, queue: Any, on_message_callback: Any, auto_ack: Any = False, *args: Any, **options: Any
    ) -> Any:
        handler = _handler(channel, queue, on_message_callback, auto_ack)
        return original(channel, queue, handler, auto_ack, *args, **options)

    return basic_consume


def _handler(channel: Any, queue: str, callback: Any, auto_ack: bool) -> Any:
    """The callback inside a process span; what is none stays as it is, for the client to refuse."""
    if channels.inside(channel) or not callable(callback):
        return callback

    def handler(given: Any, method: Any, properties: Any, body: Any) -> Any:
        with _running(channel, queue, method, properties, body, auto_ack):
            return callback(given, method, properties, body)

    return handler


def _running(
    channel: Any, queue: str, method: Any, properties: Any, body: Any, auto_ack: bool
) -> AbstractContextManager[Any]:
    try:
        here = channels.known(channel)
        found = here.handed_over(queue, method, properties, body, auto_ack)
        return here.handler(method.delivery_tag, here.spans.process(found))
    except Exception:  # noqa: BLE001  hot: as guarded does
        lost("process span")
    return nothing()


def _getting(original: Function) -> Function:
    @functools.wraps(original)
    def basic_get(channel: Any, queue: Any, auto_ack: Any = False) -> Any:
        start = time.time_ns()
        got = original(channel, queue, auto_ack)
        with guarded("receive span"):
            method, properties, body = got
            if method is not None:
                here = channels.known(channel)
                found = here.handed_over(queue, method, properties, body, auto_ack)
                received = here.spans.receive([found], start=start, name="get", single=True)
                here.open.came(method.delivery_tag, received)
        return got

    return basic_get


def _getting_later(original: Function) -> Function:
    @functools.wraps(original)
    def basic_get(channel: Any, queue: Any, callback: Any, auto_ack: Any = False) -> Any:
        return original(channel, queue, _handler(channel, queue, callback, auto_ack), auto_ack)

    return basic_get


def _iterating(original: Function) -> Function:
    @functools.wraps(original)
    def consume(channel: Any, queue: Any, auto_ack: Any = False, *args: Any, **options: Any) -> Iterator[Any]:
        loop = Loop()
        try:
            for method, properties, body in original(channel, queue, auto_ack, *args, **options):
                if method is not None:
                    with guarded("process span"):
                        here = channels.known(channel)
                        found = here.handed_over(queue, method, properties, body, auto_ack)
                        loop.begin(here.handler(method.delivery_tag, here.spans.process(found)).hold())
                yield method, properties, body
                loop.finish()
        finally:
            loop.finish()

    return consume


def _settling(name: str) -> Callable[[Function], Function]:
    def make(original: Function) -> Function:
        @functools.wraps(original)
        def settle(channel: Any, delivery_tag: Any = 0, *args: Any, **options: Any) -> Any:
            return channels.settle(name, original, channel, delivery_tag, args, options)

        return settle

    return make


def _confirming(original: Function) -> Function:
    @functools.wraps(original)
    def confirm_delivery(channel: Any, ack_nack_callback: Any, *args: Any, **options: Any) -> Any:
        if channels.inside(channel) or not callable(ack_nack_callback):
            return original(channel, ack_nack_callback, *args, **options)
        confirms = Confirms()

        def answered(frame: Any) -> Any:
            confirms.answered(frame)
            return ack_nack_callback(frame)

        result = original(channel, answered, *args, **options)
        with guarded("publisher confirms"):
            channels.known(channel).confirms = confirms
            channel.add_on_close_callback(confirms.closed)
        return result

    return confirm_delivery


def _returning(original: Function) -> Function:
    @functools.wraps(original)
    def add_on_return_callback(channel: Any, callback: Any) -> Any:
        if channels.inside(channel) or not callable(callback):
            return original(channel, callback)

        def returned(given: Any, method: Any, properties: Any, body: Any) -> Any:
            with guarded("returned message"):
                if (confirms := channels.known(channel).confirms) is not None:
                    confirms.returned(Headers(properties.headers))
            return callback(given, method, properties, body)

        return original(channel, returned)

    return add_on_return_callback
