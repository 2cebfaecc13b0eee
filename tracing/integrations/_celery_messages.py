"""What a Celery task says as a message: where it goes, who sent it, and which try it is."""

from __future__ import annotations

from collections.abc import Mapping
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from celery import signals
from celery.app.task import Context as Request

from tracing import semconv
from tracing.envelope import Envelope
from tracing.guard import guarded
from tracing.headers import Headers, text
from tracing.integrations import _amqp
from tracing.integrations._clients import Address, Clients, carried, messaging
from tracing.spans import Delivery, Messaging, Sending

# headers that every task has (Celery's message protocol, version 2): most of a message's, and none of ours
_CELERYS = frozenset(
    (
        *("lang", "task", "id", "shadow", "eta", "expires", "group", "group_index", "retries", "timelimit"),
        *("root_id", "parent_id", "argsrepr", "kwargsrepr", "origin", "ignore_result"),
        *("replaced_task_nesting", "stamped_headers", "stamps"),
    )
)


def _address(app: Any) -> Address:
    url = urlsplit(str(app.conf.broker_url or "").split(";")[0])
    return url.hostname, url.port


clients = Clients(
    lambda app, provider, options: messaging("celery", provider, options, lambda: _address(app))
)


def spans(app: Any) -> Messaging:
    """The spans of one app; the broker's address is that of its configuration."""
    return clients.of(app)


class publishing:  # noqa: N801  used like a statement, as contextlib.suppress is
    """Inside, the next task that is published gets a send span, which ends here: as failed where it failed."""

    __slots__ = ("_token", "app", "event", "sending")

    def __init__(self, app: Any, event: Envelope | None) -> None:
        self.app, self.event = app, event
        self.sending: Sending | None = None
        self._token: Token[publishing | None] | None = None

    def __enter__(self) -> None:
        outer = _publishing.get()
        # within ``apply_async`` the outer one makes the span: it knows the event
        if outer is None or outer.sending is not None:
            self._token = _publishing.set(self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._token is not None:
            _publishing.reset(self._token)
            if self.sending is not None:
                self.sending.end(error=error)


_publishing: ContextVar[publishing | None] = ContextVar("throughline-celery-publishing", default=None)


def listen() -> None:
    """Hear of messages that are about to be published; once is enough."""
    signals.before_task_publish.connect(_before_publish, weak=False, dispatch_uid="throughline")


def _before_publish(
    sender: Any = None, exchange: Any = None, routing_key: Any = None, headers: Any = None, **_: Any
) -> None:
    here = _publishing.get()
    if here is None or here.sending is not None:
        return
    with guarded("celery publish"):
        names = _names(headers)
        context = Headers([(name, headers[name]) for name in names])
        destination = _amqp.destination(getattr(exchange, "name", exchange), routing_key)
        more = _attributes(sender, headers.get("id"), headers.get("root_id"))
        here.sending = spans(here.app).send(destination, context, event=here.event, more=more)
        here.sending.span.update_name(f"send {sender}")
        for name in names:
            del headers[name]
        headers.update(context)


def _names(table: Mapping[Any, Any] | None) -> list[Any]:
    """Which of a message's headers are context, event or dead letter."""
    return [name for name in table or () if name not in _CELERYS and carried(text(name).lower())]


def _carried(table: Mapping[Any, Any] | None) -> Headers:
    """Context, event and dead letter among a message's headers."""
    return Headers([(name, table[name]) for name in _names(table)] if table else None)


def _attributes(task: object, task_id: object, root_id: object) -> dict[str, Any]:
    found = {semconv.CELERY_TASK_NAME: str(task)}
    if task_id:
        found[semconv.MESSAGING_MESSAGE_ID] = str(task_id)
    if root_id:
        found[semconv.MESSAGING_MESSAGE_CONVERSATION_ID] = str(root_id)
    return found


def delivery_of(request: Any, task: str) -> Delivery:
    """The parts of a task request that spans are made from; raises nothing."""
    with guarded("celery request"):
        info = request.delivery_info or {}
        redelivered = bool(info.get("redelivered"))
        return Delivery(
            destination=_amqp.destination(info.get("exchange"), info.get("routing_key")),
            headers=_carried(request.headers),
            attempt=int(request.retries or 0) + 1 + redelivered,
            more=_attributes(task, request.id, request.root_id),
        )
    return Delivery(destination=task)


def received(message: Any) -> Request:
    """A request of a message that no task of this worker takes."""
    return Request(message.headers, delivery_info=message.delivery_info)
