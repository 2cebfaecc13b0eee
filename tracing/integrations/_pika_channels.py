"""What is remembered of each pika channel: its spans, and the messages that are on their way."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable
from typing import Any

from opentelemetry.trace import TracerProvider
from pika.channel import Channel
from pika.spec import BasicProperties

from tracing.guard import guarded, lost
from tracing.headers import Headers
from tracing.integrations import _amqp
from tracing.integrations._clients import Address, Clients, messaging
from tracing.integrations._confirms import Confirms
from tracing.options import Options
from tracing.spans import Delivery, Sending

Function = Callable[..., Any]


class Known(_amqp.Channel):
    """One channel."""

    def __init__(self, channel: Channel, provider: TracerProvider | None, options: Options | None) -> None:
        super().__init__(messaging("rabbitmq", provider, options, lambda: _address(channel)), options)
        self.confirms: Confirms | None = None
        self.blocking = False

    def handed_over(self, queue: str, method: Any, properties: Any, body: Any, auto_ack: bool) -> Delivery:
        """The delivery; it waits to be settled from now on."""
        found = delivery_of(method, properties, body, queue, captured=self.captures)
        self.keep(found, method.delivery_tag, getattr(method, "consumer_tag", ""), queue, settled=auto_ack)
        return found


def _address(channel: Channel) -> Address:
    parameters = channel.connection.params
    return parameters.host, parameters.port


clients = Clients(Known)


def known(channel: Any) -> Known:
    """What is remembered of a channel, from its first use on."""
    inner = getattr(channel, "_impl", channel)  # a BlockingChannel has an asynchronous one inside
    found = clients.of(inner)
    if inner is not channel:
        found.blocking = True
    return found


def inside(channel: Any) -> bool:
    """Whether this is the asynchronous channel inside a blocking one, which makes the spans."""
    if not isinstance(channel, Channel):
        return False
    with guarded("pika channel"):
        # a closed channel has forgotten who wraps it
        return channel._get_cookie() is not None or known(channel).blocking
    return False


def delivery_of(
    method: Any, properties: Any, body: Any, queue: str = "", *, captured: bool = False
) -> Delivery:
    """The parts of a delivered message that spans are made from; raises nothing."""
    try:
        return _amqp.delivery(
            properties.headers,
            exchange=method.exchange,
            routing_key=method.routing_key,
            queue=queue,
            body=body,
            captured=captured,
            tag=method.delivery_tag,
            redelivered=method.redelivered,
            message_id=properties.message_id,
            correlation_id=properties.correlation_id,
        )
    except Exception:  # noqa: BLE001  hot: as guarded does
        lost("pika message")
    return Delivery(destination=queue)


def publish(call: Function, channel: Any, exchange: str, routing_key: str, body: Any, *more: Any) -> Any:
    """Call the client's ``basic_publish`` inside a send span; ``more`` are properties and mandatory."""
    properties, *mandatory = more
    sending, carrying = _start(channel, exchange, routing_key, body, properties)
    try:
        result = call(channel, exchange, routing_key, body, carrying, *mandatory)
    except BaseException as error:
        sending.end(error=error)
        raise
    with guarded("send span"):
        if (confirms := known(channel).confirms) is not None:
            confirms.sent(sending)
        else:
            sending.end()
    return result


def _start(channel: Any, exchange: str, routing_key: str, body: Any, properties: Any) -> tuple[Sending, Any]:
    """The send span, and the properties that carry it."""
    sending, carrying = Sending(), properties
    with guarded("pika publish"):
        own = properties if properties is not None else BasicProperties()
        headers = Headers(own.headers)
        sending = known(channel).spans.send(
            _amqp.destination(exchange, routing_key),
            headers,
            body=body,
            body_size=_amqp.size(body),
            more=_amqp.attributes(routing_key, own.message_id, own.correlation_id),
        )
        if headers.changed and _amqp.fits(headers):
            carrying = copy.copy(own)
            carrying.headers = headers.onto(own.headers)
    return sending, carrying


def settle(name: str, call: Function, channel: Any, tag: int, args: Any, options: Any) -> Any:
    """Call the client's ``basic_ack``, ``basic_nack`` or ``basic_reject`` and record it."""
    start, failure = time.time_ns(), None
    try:
        return call(channel, tag, *args, **options)
    except BaseException as error:
        failure = error
        raise
    finally:
        with guarded("settle span"):
            known(channel).settled(name, tag, args, options, start=start, error=failure)
