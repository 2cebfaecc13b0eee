"""What one consumer has handed over: the batches, attempts and handlings behind its spans.

A client's ``poll`` or iterator says when a handler begins, but not when it ends: that is when the same thread
or task asks for the next message, the consumer closes, or the process ends. ``Handover`` keeps such a
handling open until then, with the message's context current. Integrations share it; ``process`` of the
application takes over a handling that is open already, so that a message has one process span per attempt.
"""

from __future__ import annotations

import atexit
import sys
import threading
import weakref
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import cache
from itertools import islice
from typing import Any, NamedTuple, Protocol

from opentelemetry.context import Context, attach, get_current
from opentelemetry.trace import SpanContext

from tracing import forking, semconv
from tracing.delivery import Delivery, light
from tracing.guard import guarded, lost
from tracing.spans import MOST_LINKS, Messaging, Processing

REMEMBERED = 2_000  # messages whose batch and attempts are kept in mind
UNSETTLED = 1_000  # messages that one settle call can name
Place = tuple[str, Any, Any]


class Finishing(Protocol):
    """Something that may hold handlings open."""

    def finish_all(self) -> None:
        """End them."""


class _Open(NamedTuple):
    place: Place
    processing: Processing
    before: Context
    around: BaseException | None  # what the caller was dealing with before it got the message


class _Known:
    """What is kept in mind of a message: how often it was handled, and the batch it came with."""

    __slots__ = ("attempts", "batch")

    def __init__(self) -> None:
        self.attempts = 0
        self.batch: SpanContext | None = None


class Handover:
    """One consumer's messages; safe where several threads or tasks share the consumer."""

    def __init__(
        self,
        spans: Messaging,
        *,
        automatic: bool = False,
        settles: bool = True,
        owner: Callable[[], Hashable] = threading.get_ident,
    ) -> None:
        """``automatic``: ``handed`` opens a process span by itself; ``owner`` tells who is handling.

        ``settles``: messages are settled by calls that do not name them, so what came is kept in mind.
        """
        self.spans = spans
        self.automatic = automatic
        self._settles = settles
        self._owner = owner
        self._lock = threading.Lock()
        self._open: dict[Hashable, _Open] = {}
        self._known: OrderedDict[Place, _Known] = OrderedDict()
        self._unsettled: OrderedDict[Place, Delivery] = OrderedDict()
        track(self)
        forking.track(self)

    def received(
        self, deliveries: Sequence[Delivery], *, start: int | None = None, name: str = "poll"
    ) -> None:
        """These came in one call: a receive span, or several where there are more than a span can link."""
        with guarded("receive span"):
            left = iter(deliveries)
            while batch := list(islice(left, MOST_LINKS)):
                found = self.spans.receive(batch, start=start, name=name)
                for one in batch:
                    self._note(one).batch = found
            if len(deliveries) == 1:  # a batch of one is no batch: its handler is known too
                self.handed(deliveries[0])

    def handed(self, delivery: Delivery) -> None:
        """This one came alone; where automatic, its handling begins. Call ``finish`` before asking for it."""
        with guarded("process span"):
            if not self.automatic:
                self._note(delivery)
            else:
                end_with_process()
                opened, before = self._begin(delivery, None), get_current()
                attach(opened.context)
                self._open[self._owner()] = _Open(place(delivery), opened, before, sys.exc_info()[1])

    def process(self, delivery: Delivery, attempt: int | None = None) -> Processing:
        """The handling of this message, begun now or, where ``handed`` began it, taken over.

        ``attempt`` is counted here where it is not given: the same place again is the next one.
        """
        try:
            found = self._open.get(self._owner()) if self._open else None
            if found is not None:
                self._leave()
                if found.place == place(delivery):
                    if attempt is not None:
                        self._note(delivery).attempts = attempt
                        found.processing.span.set_attribute(semconv.THROUGHLINE_MESSAGE_ATTEMPT, attempt)
                    return found.processing
                found.processing.end()
            return self._begin(delivery, attempt)
        except Exception:  # noqa: BLE001  hot: as guarded does
            lost("process span")
        return self.spans.process(delivery, attempt=attempt)

    def finish(self, error: object = None, owner: Hashable = None) -> None:
        """What is being handled here, or by ``owner``, is done.

        With this error, or with the one that the caller has been dealing with since it got the message.
        """
        if self._open:
            with guarded("process span"):
                if (found := self._leave(owner)) is not None:
                    seen = sys.exc_info()[1]
                    found.processing.end(error or (seen if seen is not found.around else None))

    def finish_all(self) -> None:
        """Everything that is being handled is done: the consumer closes, or the process ends."""
        self.finish()
        while self._open:
            with guarded("process span"):
                self._open.popitem()[1].processing.end()

    def forked(self) -> None:
        """Another thread may have held the lock, and that one is not here."""
        self._lock = threading.Lock()

    def settled(
        self, *deliveries: Delivery, start: int | None = None, name: str = "commit", error: object = None
    ) -> None:
        """These were settled in one call; without any named, all that came and are not settled yet."""
        with guarded("settle span"):
            rows = deliveries or self._waiting()
            self.spans.settle(*rows, start=start, name=name, error=error)
            if error is None:
                for one in rows:
                    self._unsettled.pop(place(one), None)

    def before(self, destination: str, partition: Any, offset: int) -> list[Delivery]:
        """Deliveries of this partition before this offset that are not settled yet."""
        rows = self._waiting()
        return [
            one
            for one in rows
            if (one.destination, one.partition) == (destination, partition) and (one.offset or 0) < offset
        ]

    def _waiting(self) -> tuple[Delivery, ...]:
        with self._lock:
            return tuple(self._unsettled.values())

    def _begin(self, delivery: Delivery, attempt: int | None) -> Processing:
        known = self._note(delivery)
        known.attempts = attempt or known.attempts + 1
        return self.spans.process(delivery, attempt=known.attempts, received=known.batch)

    def _note(self, delivery: Delivery) -> _Known:
        where = place(delivery)
        with self._lock:
            known = self._known.get(where)
            if known is None:
                known = self._known[where] = _Known()
                if len(self._known) > REMEMBERED:
                    self._known.popitem(last=False)
                if self._settles:
                    self._unsettled[where] = light(delivery)
                    if len(self._unsettled) > UNSETTLED:
                        self._unsettled.popitem(last=False)
        return known

    def _leave(self, owner: Hashable = None) -> _Open | None:
        found = self._open.pop(owner or self._owner(), None)
        # tokens are bound to where they were made; what is current tells whether we are still there
        if found is not None and get_current() is found.processing.context:
            attach(found.before)
        return found


def place(delivery: Delivery) -> Place:
    """What tells a delivery from the others of its consumer."""
    return delivery.destination, delivery.partition, delivery.offset


def finish_all() -> None:
    """End every handling that is open: the process is about to end."""
    for one in list(_alive):
        one.finish_all()


@cache
def end_with_process() -> None:
    """Have ``finish_all`` called when the process ends; ask for it when there is something to end."""
    # exit handlers run last first: by now there is a provider, whose own one must come after this
    atexit.register(finish_all)


def track(one: Finishing) -> None:
    """Have ``finish_all`` end what this one holds open, for as long as it lives."""
    _alive.add(one)


_alive: weakref.WeakSet[Finishing] = weakref.WeakSet()
