"""Context and spans for Celery: whoever publishes a task, and the workers that run it.

    from tracing.integrations import celery as traced
    traced.instrument()  # in the module that makes the app, so that clients and workers both have it

From then on: publishing a task makes a span ``send <task>`` that ends when the broker took the message
(confirmed, where the transport is told to), or with the error; running it makes ``run <task>``, the
sender's child, with its attempt. What it publishes meanwhile (retries, chains, chords) belongs to it.
A task that was revoked, expired, hit its hard time limit, is not known, or whose worker died has
its ``run`` span too, made by the worker's main process. A child that ends sends its spans first.

Without ``instrument`` the same for one call: ``apply_async(task, ...)``, and ``with process(task):``
in the body of a bound task.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any
from weakref import WeakSet

from billiard.exceptions import TimeLimitExceeded, WorkerLostError
from celery import Celery, signals, states
from celery.exceptions import NotRegistered, Retry
from celery.worker.request import Request
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, TracerProvider

from tracing import propagation
from tracing.configure import flush_in_time
from tracing.envelope import Envelope
from tracing.guard import guarded
from tracing.integrations import _celery_messages as messages
from tracing.integrations._celery_messages import delivery_of
from tracing.integrations._loop import Loop
from tracing.options import Options
from tracing.patching import Patches
from tracing.spans import Processing

__all__ = ["apply_async", "delivery_of", "instrument", "process", "uninstrument", "use"]

Function = Callable[..., Any]
_patches = Patches()
_running: dict[int, Loop] = {}  # by the identity of the request, which lives as long as its run
_is_child = [False]  # of a worker's main process
_told: WeakSet[Any] = WeakSet()  # requests of this worker whose end was told by its main process


class Revoked(Exception):  # noqa: N818  what was done to the task, not what anybody raises
    """The task was revoked, has expired, or was terminated."""


def use(provider: TracerProvider | None = None, options: Options | None = None) -> None:
    """Make spans with these from now on, in the helpers too; ``instrument`` does it by itself."""
    messages.clients.use(provider, options)


def instrument(provider: TracerProvider | None = None, options: Options | None = None) -> None:
    """Make all apps and tasks of this process, and of the workers it forks, carry context and make spans."""
    if _patches:
        return
    use(provider, options)
    messages.listen()
    _patches.method(Celery, "send_task", _sending)
    _patches.method(Request, "on_failure", _failing)
    _patches.method(Request, "on_timeout", _timing_out)
    for signal, receiver in _RECEIVERS.items():
        signal.connect(receiver, weak=False, dispatch_uid="throughline")


def uninstrument() -> None:
    """Put Celery's own methods back and stop listening."""
    _patches.undo()
    for signal in _RECEIVERS:
        signal.disconnect(dispatch_uid="throughline")
    use()


def apply_async(task: Any, *args: Any, event: Envelope | None = None, **options: Any) -> Any:
    """As ``task.apply_async``, with a send span; ``event`` adds CloudEvents headers.

    Takes a task or a signature. Gives and raises what the client does.
    """
    messages.listen()
    with messages.publishing(task.app, event):
        return task.apply_async(*args, **options)


def process(task: Any) -> AbstractContextManager[Span]:
    """The run span of a bound task, for its body; in a worker that is instrumented, the one that is open."""
    with guarded("process span"):
        request = task.request
        if id(request) in _running or request.called_directly or request.is_eager:
            return nullcontext(trace.get_current_span())
        return _started(task, request)
    return nullcontext(trace.INVALID_SPAN)


def _started(task: Any, request: Any, start: int | None = None) -> Processing:
    # what is current in a worker is about the worker, not about this task
    with propagation.attached(Context()):
        processing = messages.spans(task.app).process(
            delivery_of(request, task.name), name="run", start=start
        )
    processing.span.update_name(f"run {task.name}")
    return processing


def _sending(original: Function) -> Function:
    @functools.wraps(original)
    def send_task(app: Any, *args: Any, **options: Any) -> Any:
        with messages.publishing(app, None):
            return original(app, *args, **options)

    return send_task


def _before_run(sender: Any = None, task: Any = None, **_: Any) -> None:
    with guarded("process span"):
        request = task.request
        if not request.is_eager:  # nothing was sent, so nothing came
            loop = _running[id(request)] = Loop()
            loop.begin(_started(task, request))


def _after_run(sender: Any = None, task: Any = None, retval: Any = None, state: Any = None, **_: Any) -> None:
    with guarded("process span"):
        loop = _running.pop(id(task.request), None)
        if loop is not None:
            failed = state not in (states.SUCCESS, states.IGNORED, None)
            error = retval if failed and isinstance(retval, BaseException) else None
            if isinstance(error, Retry):
                error = error.exc if isinstance(error.exc, BaseException) else error
            # a child that leaves, mostly because it was told to: the main process knows why
            if _is_child[0] and isinstance(sys.exc_info()[1], SystemExit):
                loop.forget()
            else:
                loop.finish(error)


def _failing(original: Function) -> Function:
    @functools.wraps(original)
    def on_failure(request: Any, exc_info: Any, *args: Any, **options: Any) -> Any:
        with guarded("lost worker"):
            error = getattr(exc_info.exception, "exc", exc_info.exception)
            if isinstance(error, SystemExit) and not request._already_revoked:
                _tell(request, WorkerLostError(f"exit code {error.code}"))
            elif isinstance(error, WorkerLostError | TimeLimitExceeded):
                _tell(request, error)
        return original(request, exc_info, *args, **options)

    return on_failure


def _timing_out(original: Function) -> Function:
    @functools.wraps(original)
    def on_timeout(request: Any, soft: Any, timeout: Any) -> Any:
        with guarded("lost worker"):
            if not soft:
                _tell(request, TimeLimitExceeded(timeout))
        return original(request, soft, timeout)

    return on_timeout


def _tell(request: Any, error: Exception) -> None:
    """Make the span that the child which was killed could not send."""
    if request not in _told:
        _told.add(request)
        began = request.time_start
        _started(request.task, request._context, int(began * 1e9) if began else None).end(error)


def _revoked(
    sender: Any = None, request: Any = None, terminated: bool = False, expired: bool = False, **_: Any
) -> None:
    with guarded("revoked task"):
        reason = "expired" if expired else "terminated" if terminated else "revoked"
        _started(sender, request).end(Revoked(reason))


def _unknown(sender: Any = None, message: Any = None, name: str = "", **_: Any) -> None:
    with guarded("unknown task"), propagation.attached(Context()):
        request = messages.received(message)
        processing = messages.spans(sender.app).process(delivery_of(request, name), name="run")
        processing.span.update_name(f"run {name}")
        processing.end(NotRegistered(name))


def _child_begins(**_: Any) -> None:
    _is_child[0] = True


def _worker_ends(**_: Any) -> None:
    with guarded("flush"):
        flush_in_time()


_RECEIVERS = {
    signals.task_prerun: _before_run,
    signals.task_postrun: _after_run,
    signals.task_revoked: _revoked,
    signals.task_unknown: _unknown,
    signals.worker_process_init: _child_begins,
    signals.worker_process_shutdown: _worker_ends,
    signals.worker_shutdown: _worker_ends,
}
