"""What is remembered of each aio-pika channel: its spans, and the messages that are on their way."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from opentelemetry.trace import TracerProvider

from tracing.envelope import Envelope
from tracing.guard import guarded, lost
from tracing.headers import Headers
from tracing.integrations import _amqp
from tracing.integrations._clients import Address, Clients, messaging
from tracing.options import Options
from tracing.spans import Delivery, Sending

Function = Callable[..., Any]


class Unroutable(Exception):  # noqa: N818  what the broker says, not what anybody raises
    """The broker gave the message back: no queue takes it."""


class Known(_amqp.Channel):
    """One channel: of aio-pika for publishing, of aiormq beneath it for what was delivered."""

    requeued = {"nack": True, "reject": False}

    def __init__(self, channel: Any, provider: TracerProvider | None, options: Options | None) -> None:
        super().__init__(messaging("rabbitmq", provider, options, lambda: _address(channel)), options)
        self.got = _amqp.Queues()  # those of messages of ``get`` whose handler has not begun, by tag

    def handed_over(self, message: Any, queue: str, no_ack: bool) -> Delivery:
        """The delivery; it waits to be settled from now on."""
        found = delivery_of(message, queue, captured=self.captures)
        self.keep(found, message.delivery_tag, message.consumer_tag, queue, settled=no_ack)
        return found


def _address(channel: Any) -> Address:
    url = (getattr(channel, "connection", None) or channel._connection).url
    return url.host, url.port or 5672


clients = Clients(Known)


def known(channel: Any) -> Known:
    """What is remembered of a channel, from its first use on."""
    return clients.of(channel)


def delivery_of(message: Any, queue: str = "", *, captured: bool = False) -> Delivery:
    """The parts of an incoming message that spans are made from; raises nothing."""
    try:
        return _amqp.delivery(
            message.headers,
            exchange=message.exchange,
            routing_key=message.routing_key,
            queue=queue,
            body=message.body,
            captured=captured,
            tag=message.delivery_tag,
            redelivered=message.redelivered,
            message_id=message.message_id,
            correlation_id=message.correlation_id,
        )
    except Exception:  # noqa: BLE001  hot: as guarded does
        lost("aio-pika message")
    return Delivery(destination=queue)


class _Carrying:
    """The application's message with other headers: it may be locked, or be sent by others just now."""

    def __init__(self, message: Any, headers: dict[Any, Any], content_type: str) -> None:
        self._message, self.headers, self._content_type = message, headers, content_type

    @property
    def properties(self) -> Any:
        """The message's own, with these headers."""
        made = self._message.properties
        made.headers = self.headers
        made.content_type = made.content_type or self._content_type or None
        return made

    def __getattr__(self, name: str) -> Any:
        return getattr(self._message, name)


async def publish(
    call: Function, exchange: Any, message: Any, routing_key: str, event: Envelope | None, options: Any
) -> Any:
    """Await the client's ``publish`` inside a send span."""
    sending, carrying = _start(exchange, message, routing_key, event)
    try:
        result = await call(exchange, carrying, routing_key, **options)
    except BaseException as error:
        sending.end(error=error)
        raise
    # a confirmation is a frame; a message is one that came back
    sending.end(error=Unroutable("no queue takes it") if hasattr(result, "delivery") else None)
    return result


def _start(exchange: Any, message: Any, routing_key: str, event: Envelope | None) -> tuple[Sending, Any]:
    """The send span, and the message that carries it."""
    sending, carrying = Sending(), message
    with guarded("aio-pika publish"):
        headers = Headers(message.headers)
        sending = known(exchange.channel).spans.send(
            _amqp.destination(exchange.name, routing_key),
            headers,
            body=message.body,
            body_size=len(message.body),
            event=event,
            more=_amqp.attributes(routing_key, message.message_id, message.correlation_id),
        )
        if headers.changed and _amqp.fits(headers):
            content_type = event.content_type if event is not None else ""
            carrying = _Carrying(message, headers.onto(message.headers), content_type)
    return sending, carrying


async def settle(name: str, call: Function, message: Any, args: Any, options: Any) -> Any:
    """Await the client's ``ack``, ``nack`` or ``reject`` and record it."""
    start, failure, here = time.time_ns(), None, None
    with guarded("settle span"):
        here = known(message.channel)
    try:
        return await call(message, *args, **options)
    except BaseException as error:
        failure = error
        raise
    finally:
        with guarded("settle span"):
            if here is not None:
                tag = message.delivery_tag or 0
                here.got.pop(tag, None)
                here.settled(name, tag, args, options, start=start, error=failure)
