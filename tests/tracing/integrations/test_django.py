"""Django on WSGI and ASGI, through its own handlers."""

from __future__ import annotations

import asyncio
import io
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from asgiref.testing import ApplicationCommunicator
from django.core.asgi import get_asgi_application
from django.core.handlers.wsgi import WSGIHandler
from django.http import Http404, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path
from opentelemetry import trace
from opentelemetry.trace import StatusCode

from tracing import entity
from tracing.guard import losses
from tracing.headers import Headers
from tracing.integrations import django as traced
from tracing.spans import Messaging
from tracing.testing import Capture

# requests of a real handler close what connections the process has open
pytestmark = pytest.mark.django_db

PARENT = "00-4f1c7be29a0d4e63b85f20c7d91ae346-00f067aa0ba902b7-01"
BAGGAGE = "throughline.entity.customer=c-1"
_PROVOKED = {"bad traceparent", "bad baggage member", "django view"}
_messaging: list[Messaging] = []


def send() -> None:
    """The outgoing event."""
    _messaging[0].send("orders", Headers()).end()


def order(request: Any, order_id: str) -> HttpResponse:
    with entity("item", "i-1"):
        send()
    return HttpResponse(order_id)


async def order_later(request: Any, order_id: str) -> HttpResponse:
    await asyncio.sleep(0)
    return order(request, order_id)


def fails(request: Any) -> HttpResponse:
    raise LookupError("no account")


def missing(request: Any) -> HttpResponse:
    raise Http404


def stream(request: Any, order_id: str) -> StreamingHttpResponse:
    def parts() -> Iterator[bytes]:
        yield b"1"
        send()
        yield b"2"

    return StreamingHttpResponse(parts())


async def stream_later(request: Any, order_id: str) -> StreamingHttpResponse:
    async def parts() -> AsyncIterator[bytes]:
        yield b"1"
        send()
        yield b"2"

    return StreamingHttpResponse(parts())


urlpatterns = [
    path("orders/<order_id>/", order),
    path("later/<order_id>/", order_later),
    path("fails/", fails),
    path("missing/", missing),
    path("stream/<order_id>/", stream),
    path("stream-later/<order_id>/", stream_later),
]


def about(request: Any, order_id: str = "") -> dict[str, object]:
    return {"order": order_id} if order_id else {}


@pytest.fixture(autouse=True)
def _instrumented(capture: Capture) -> Iterator[None]:
    before = losses()
    _messaging[:] = [Messaging("redis", provider=capture.provider)]
    with override_settings(ROOT_URLCONF=__name__, MIDDLEWARE=[], ALLOWED_HOSTS=["*"], DEBUG=False):
        traced.instrument(capture.provider, entities=about)
        yield
        traced.uninstrument()
    fresh = {name for name, count in losses().items() if count != before.get(name)}
    assert fresh <= _PROVOKED, "the library swallowed an error of its own"


def wsgi(url: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of a request to a WSGI server."""
    statuses: list[str] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": url,
        "SERVER_NAME": "shop",
        "SERVER_PORT": "8080",
        "wsgi.input": io.BytesIO(),
        "wsgi.errors": io.StringIO(),
        "wsgi.url_scheme": "https",
        **{f"HTTP_{name.upper()}": value for name, value in headers.items()},
    }
    response = WSGIHandler()(environ, lambda status, *_: statuses.append(status))
    body = b"".join(response)
    response.close()
    return int(statuses[0][:3]), body


def asgi(url: str, **headers: str) -> tuple[int, bytes]:
    """Status and body of a request to an ASGI server."""

    async def main() -> tuple[int, bytes]:
        return await one(get_asgi_application(), url, **headers)

    return asyncio.run(main())


async def one(application: Any, url: str, **headers: str) -> tuple[int, bytes]:
    scope = {
        "type": "http",
        "method": "GET",
        "path": url,
        "scheme": "https",
        "server": ("shop", 8080),
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    client = ApplicationCommunicator(application, scope)
    await client.send_input({"type": "http.request", "body": b""})
    start = await client.receive_output(20)
    body = b""
    while True:
        part = await client.receive_output(20)
        body += part.get("body", b"")
        if not part.get("more_body"):
            break
    await client.wait(20)
    return int(start["status"]), body


@pytest.mark.parametrize("server", [wsgi, asgi])
@pytest.mark.parametrize("view", ["orders", "later"])
def test_what_a_view_sends_belongs_to_the_callers_story(capture: Capture, server: Any, view: str) -> None:
    assert (200, b"7") == server(f"/{view}/7/", traceparent=PARENT, baggage=BAGGAGE)
    request, sent = capture.span(f"GET /{view}/<order_id>/"), capture.span("send orders")
    assert request.parent is not None
    assert sent.parent is not None
    assert PARENT == f"00-{request.context.trace_id:032x}-{request.parent.span_id:016x}-01"
    assert request.context.span_id == sent.parent.span_id
    found = dict(request.attributes or {})
    assert ("GET", f"/{view}/7/", f"/{view}/<order_id>/", "https", 200, "shop", 8080) == tuple(
        found[name]
        for name in (
            *("http.request.method", "url.path", "http.route", "url.scheme"),
            *("http.response.status_code", "server.address", "server.port"),
        )
    )
    assert ("7", "c-1") == (found["throughline.entity.order"], found["throughline.context.customer"])
    assert "7" == capture.attributes("send orders")["throughline.entity.order"]
    assert not trace.get_current_span().get_span_context().is_valid


@pytest.mark.parametrize("server", [wsgi, asgi])
@pytest.mark.parametrize("view", ["stream", "stream-later"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_a_streamed_response_ends_its_span_with_the_last_part(
    capture: Capture, server: Any, view: str
) -> None:
    assert (200, b"12") == server(f"/{view}/7/")
    capture.assert_child("send orders", of=f"GET /{view}/<order_id>/")
    assert ["send orders", f"GET /{view}/<order_id>/"] == [span.name for span in capture.spans()]
    assert "7" == capture.attributes("send orders")["throughline.entity.order"]


@pytest.mark.parametrize("server", [wsgi, asgi])
def test_a_view_that_fails_says_so_and_a_missing_page_is_no_failure(capture: Capture, server: Any) -> None:
    assert 500 == server("/fails/")[0]
    assert 404 == server("/missing/")[0]
    failed, missed = capture.span("GET /fails/"), capture.span("GET /missing/")
    assert (StatusCode.ERROR, "LookupError") == (
        failed.status.status_code,
        (failed.attributes or {})["error.type"],
    )
    assert StatusCode.UNSET is missed.status.status_code
    assert "error.type" not in (missed.attributes or {})


def test_a_server_span_of_somebody_else_is_the_only_one(capture: Capture) -> None:
    tracer = capture.provider.get_tracer("other")

    async def front(scope: Any, receive: Any, send: Any) -> None:
        with tracer.start_as_current_span("GET asgi"):
            await get_asgi_application()(scope, receive, send)

    with tracer.start_as_current_span("GET wsgi"):
        assert 200 == wsgi("/orders/7/")[0]
    assert 200 == asyncio.run(one(front, "/orders/7/"))[0]
    assert ["send orders", "GET wsgi", "send orders", "GET asgi"] == [span.name for span in capture.spans()]
    for name in ("GET wsgi", "GET asgi"):
        assert "7" == capture.attributes(name)["throughline.entity.order"]
    assert [span.context.span_id for span in capture.spans()[1::2]] == [
        span.parent and span.parent.span_id for span in capture.spans("send orders")
    ]


@pytest.mark.parametrize("server", [wsgi, asgi])
@pytest.mark.parametrize(
    "poison", ["zz", "00-" + "0" * 32 + "-" + "0" * 16 + "-01", "\xff\xfe", "x" * 20_000]
)
def test_poison_headers_begin_a_new_trace(capture: Capture, server: Any, poison: str) -> None:
    traced.use(capture.provider)
    before = losses()
    assert 200 == server("/orders/7/", traceparent=poison, tracestate="=", baggage="=,;")[0]
    assert capture.span("GET /orders/<order_id>/").parent is None
    fresh = {name for name, count in losses().items() if count != before.get(name)}
    assert {"bad traceparent", "bad baggage member"} == fresh


@pytest.mark.parametrize("server", [wsgi, asgi])
def test_a_caller_that_is_not_trusted_is_linked_and_no_more(capture: Capture, server: Any) -> None:
    traced.use(capture.provider, trusted=lambda request: request.path != "/orders/7/")
    server("/orders/7/", traceparent=PARENT, baggage=BAGGAGE)
    span = capture.span("GET /orders/<order_id>/")
    assert span.parent is None
    assert [PARENT[3:35]] == [f"{link.context.trace_id:032x}" for link in span.links]
    assert "throughline.context.customer" not in capture.attributes("send orders")


def test_a_hook_that_fails_fails_nobody_else(capture: Capture) -> None:
    before = losses()
    traced.use(capture.provider, entities=lambda request: None)  # takes no order_id
    assert (200, b"7") == wsgi("/orders/7/")
    assert before.get("django view", 0) + 1 == losses()["django view"]


def test_concurrent_requests_keep_their_contexts_apart(capture: Capture) -> None:
    async def main() -> None:
        application = get_asgi_application()
        await asyncio.gather(*(one(application, f"/later/{number}/") for number in range(30)))

    asyncio.run(main())
    requests = {
        span.context.span_id: (span.attributes or {})["throughline.entity.order"]
        for span in capture.spans("GET /later/<order_id>/")
    }
    sent = capture.spans("send orders")
    assert 30 == len(requests) == len(sent)
    for span in sent:
        assert span.parent is not None
        assert requests[span.parent.span_id] == (span.attributes or {})["throughline.entity.order"]
