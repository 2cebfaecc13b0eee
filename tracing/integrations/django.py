"""From an incoming HTTP request to the events it sends: a middleware for Django, on WSGI and ASGI.

    MIDDLEWARE = ["tracing.integrations.django.TracingMiddleware", ...]  # first

or, where the settings are not at hand, ``instrument()`` before the application is made. The request's trace
context, baggage and entities are current in every view and middleware behind it, so that what
they send belongs to the caller's story. The request gets a server span, unless somebody else (another
instrumentation in front) has made one already; it ends with the response, a streamed one with its last part.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.conf import settings
from opentelemetry import trace
from opentelemetry.context import Context, attach, detach, get_current
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, TracerProvider

from tracing import entities, propagation, quick, semconv
from tracing.guard import guarded
from tracing.headers import Headers
from tracing.integrations._django_streams import Ending, later
from tracing.integrations._loop import failure

__all__ = ["TracingMiddleware", "instrument", "uninstrument", "use"]

_PATH = "tracing.integrations.django.TracingMiddleware"
_METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH", "QUERY"}
_CARRIED = {
    "HTTP_TRACEPARENT": propagation.TRACEPARENT,
    "HTTP_TRACESTATE": propagation.TRACESTATE,
    "HTTP_BAGGAGE": propagation.BAGGAGE,
    "HTTP_ELASTIC_APM_TRACEPARENT": propagation.ELASTIC,
}
Named = Mapping[str, object]


class _Settings:
    """What ``use`` was told."""

    provider: TracerProvider | None = None
    entities: Callable[..., Named | None] | None = None
    trusted: bool | Callable[[Any], bool] = True


_used = _Settings()


def use(
    provider: TracerProvider | None = None,
    *,
    entities: Callable[..., Named | None] | None = None,
    trusted: bool | Callable[[Any], bool] = True,
) -> None:
    """How the middleware works from now on.

    ``entities(request, **arguments of the view)`` names what a request is about: ``{"order": order_id}`` or
    ``None``. ``trusted`` (or ``trusted(request)``) says whether the caller's context is taken over: ``False``
    for callers from the open internet begins a new trace that only links theirs, without their baggage.
    """
    _used.provider, _used.entities, _used.trusted = provider, entities, trusted


def instrument(
    provider: TracerProvider | None = None,
    *,
    entities: Callable[..., Named | None] | None = None,
    trusted: bool | Callable[[Any], bool] = True,
) -> None:
    """Put the middleware first, before the application is made (``get_wsgi_application``); once is enough."""
    use(provider, entities=entities, trusted=trusted)
    if _PATH not in settings.MIDDLEWARE:
        settings.MIDDLEWARE = [_PATH, *settings.MIDDLEWARE]


def uninstrument() -> None:
    """Take the middleware out for applications that are made from now on."""
    settings.MIDDLEWARE = [one for one in settings.MIDDLEWARE if one != _PATH]
    use()


class _Told:
    """One request that has a span of ours."""

    def __init__(self, span: Span, context: Context) -> None:
        self.span, self.context = span, context
        self.error: BaseException | None = None  # that its view raised


class TracingMiddleware:
    """The middleware, for synchronous and asynchronous applications alike."""

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Callable[[Any], Any]) -> None:
        """Called by Django once."""
        self._get_response = get_response
        self._asynchronous = iscoroutinefunction(get_response)
        if self._asynchronous:
            markcoroutinefunction(self)
            # Django would otherwise send every request through a thread for it
            self.__dict__["process_view"] = self._process_view_later
        self._spans = quick.Spans(trace.NoOpTracerProvider())
        with guarded("django middleware"):
            self._spans = quick.Spans(_used.provider)

    def __call__(self, request: Any) -> Any:
        """The response, or an awaitable of it."""
        if self._asynchronous:
            return self._later(request)
        told = self._begin(request)
        token = attach(told.context if told else get_current())
        try:
            response = self._get_response(request)
        except BaseException as error:
            _end(told, None, error)
            raise
        finally:
            detach(token)
        return _answered(told, response)

    async def _later(self, request: Any) -> Any:
        told = self._begin(request)
        token = attach(told.context if told else get_current())
        try:
            response = await self._get_response(request)
        except BaseException as error:
            _end(told, None, error)
            raise
        finally:
            detach(token)
        return _answered(told, response)

    def process_view(self, request: Any, _view: Any, args: Any, kwargs: Any) -> None:
        """Called by Django when it knows the view: its route, and what the request is about."""
        with guarded("django view"):
            told: _Told | None = getattr(request, "_throughline", None)
            if told is not None and request.resolver_match is not None:
                route = f"/{request.resolver_match.route}"
                told.span.set_attribute(semconv.HTTP_ROUTE, route)
                told.span.update_name(f"{_method(request)} {route}")
            if _used.entities is not None and (named := _used.entities(request, *args, **kwargs)):
                context = entities.about(named.items())
                attach(context)  # what was current before the request comes back as a whole
                if told is not None:
                    told.context = context

    async def _process_view_later(self, request: Any, view: Any, args: Any, kwargs: Any) -> None:
        TracingMiddleware.process_view(self, request, view, args, kwargs)

    def process_exception(self, request: Any, error: BaseException) -> None:
        """Called by Django where a view raised, before it makes a response of that."""
        with guarded("django exception"):
            if (told := getattr(request, "_throughline", None)) is not None:
                told.error = error

    def _begin(self, request: Any) -> _Told | None:
        context = get_current()
        with guarded("django request"):
            if trace.get_current_span(context).get_span_context().is_valid:
                return None  # somebody else's server span, with what it took from the request
            meta = request.META
            carried = Headers([(name, meta[key]) for key, name in _CARRIED.items() if key in meta])
            came, links = propagation.extract(carried, context), []
            trusted = _used.trusted(request) if callable(_used.trusted) else _used.trusted
            if not trusted:
                caller = trace.get_current_span(came).get_span_context()
                came, links = context, [quick.link(caller)] if caller.is_valid else []
            span = self._spans.start(
                _method(request), SpanKind.SERVER, _attributes(request), links=links, context=came
            )
            request._throughline = told = _Told(span, trace.set_span_in_context(span, came))
            return told
        return None


def _method(request: Any) -> str:
    return request.method if request.method in _METHODS else "HTTP"


def _attributes(request: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        semconv.HTTP_REQUEST_METHOD: request.method if request.method in _METHODS else "_OTHER",
        semconv.URL_PATH: request.path,
        semconv.URL_SCHEME: request.scheme,
    }
    with guarded("server address"):
        found[semconv.SERVER_ADDRESS] = str(request.META["SERVER_NAME"])
        found[semconv.SERVER_PORT] = int(request.META["SERVER_PORT"])
    return found


def _answered(told: _Told | None, response: Any) -> Any:
    """The response; the span ends with it, or with the last part of a streamed one."""
    with guarded("django response"):
        if told is not None and getattr(response, "streaming", False):
            later(response, Ending(told.context, lambda error: _end(told, response, error)))
            return response
    _end(told, response, None)
    return response


def _end(told: _Told | None, response: Any, error: BaseException | None) -> None:
    if told is None:
        return
    span = told.span
    with guarded("django response"):
        failed = failure(error)
        if response is not None:
            span.set_attribute(semconv.HTTP_RESPONSE_STATUS_CODE, response.status_code)
            if response.status_code >= 500:  # what Django made of an exception; a 404 is none
                failed = failed or failure(told.error)
                span.set_attribute(semconv.ERROR_TYPE, str(response.status_code))
                span.set_status(Status(StatusCode.ERROR))
        if failed is not None:
            span.record_exception(failed)
            span.set_attribute(semconv.ERROR_TYPE, type(failed).__qualname__)
            span.set_status(Status(StatusCode.ERROR, str(failed)))
    with guarded("django response"):
        span.end()
