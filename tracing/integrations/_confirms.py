"""Send spans of an asynchronous pika channel that wait for the broker's confirmation."""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

from pika.exceptions import NackError, UnroutableError
from pika.spec import Basic

from tracing import propagation
from tracing.guard import guarded, lost
from tracing.headers import Headers
from tracing.spans import Sending

_MOST_WAITING = 10_000


class Confirms:
    """By number: the broker counts what is published on a channel since it entered confirm mode, from 1."""

    def __init__(self) -> None:
        self._count = 0
        self._waiting: OrderedDict[int, Sending] = OrderedDict()
        self._unroutable: set[int] = set()  # span ids of messages that came back

    def sent(self, sending: Sending) -> None:
        """This message is the channel's next."""
        self._count += 1
        self._waiting[self._count] = sending
        while len(self._waiting) > _MOST_WAITING:
            self._waiting.popitem(last=False)[1].end()
            lost("confirmation not waited for")

    def returned(self, headers: Headers) -> None:
        """The broker could not route this message; its confirmation follows."""
        carried = propagation.parse_traceparent(headers.get(propagation.TRACEPARENT) or "")
        if carried is not None:
            self._unroutable.add(carried.span_id)

    def answered(self, frame: Any) -> None:
        """An ack or nack of the broker: of one message, or of all up to it."""
        with guarded("publisher confirms"):
            method = frame.method
            refused = isinstance(method, Basic.Nack)
            if method.multiple:
                numbers = [number for number in self._waiting if number <= method.delivery_tag]
            else:
                numbers = [method.delivery_tag]
            for number in numbers:
                if (sending := self._waiting.pop(number, None)) is not None:
                    sending.end(error=NackError([]) if refused else self._unrouted(sending))

    def _unrouted(self, sending: Sending) -> Exception | None:
        span_id = sending.span.get_span_context().span_id
        if span_id not in self._unroutable:
            return None
        self._unroutable.discard(span_id)
        error: Exception = UnroutableError([])
        return error

    def closed(self, _channel: Any, reason: Any) -> None:
        """Nothing more will be confirmed: nobody knows whether these messages arrived."""
        while self._waiting:
            self._waiting.popitem(last=False)[1].end(error=reason)
