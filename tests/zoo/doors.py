"""How an order comes into the shop: as a call, or as an HTTP request of a customer to a real Django application."""

from __future__ import annotations

import asyncio
import socket
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, make_server

from opentelemetry.propagate import inject
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.trace import SpanKind

from tests.ports import free_port
from tests.zoo.story import Stage


def enter(
    door: str,
    provider: Callable[[str], TracerProvider],
    shop: Stage,
    check_out: Callable[[], None],
    stock: bool,
) -> None:
    """Have it called, or by a request if ``door`` is ``wsgi`` or ``asgi``; with a ``stock`` package, or ours."""
    if not door:
        check_out()
        return
    serve = {"wsgi": _wsgi, "asgi": _asgi}[door]
    _application(shop, check_out, stock)
    own = provider("customer")
    about = {"throughline.entity.order": shop.order}
    with (
        serve() as address,
        own.get_tracer("story").start_as_current_span("POST", kind=SpanKind.CLIENT, attributes=about),
    ):
        headers: dict[str, str] = {}
        inject(headers)
        request = urllib.request.Request(f"{address}/orders/{shop.order}/", b"", headers, method="POST")
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert 200 == answer.status
    own.shutdown()


def _application(shop: Stage, check_out: Callable[[], None], stock: bool) -> None:
    """A Django application with one view, traced by the shop's provider."""
    from django.conf import settings
    from django.http import HttpRequest, HttpResponse
    from django.urls import path

    def place(request: HttpRequest, order: str) -> HttpResponse:
        check_out()
        return HttpResponse()

    urls = (path("orders/<order>/", place),)
    settings.configure(ROOT_URLCONF=urls, ALLOWED_HOSTS=["127.0.0.1"], SECRET_KEY="zoo", MIDDLEWARE=[])
    if stock:
        from opentelemetry.instrumentation.django import DjangoInstrumentor

        DjangoInstrumentor().instrument(tracer_provider=shop.provider)
    else:
        from tracing.integrations import django as traced

        traced.instrument(shop.provider, entities=lambda request, order: {"order": order})


class _Quiet(WSGIRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing."""


@contextmanager
def _wsgi() -> Iterator[str]:
    from django.core.wsgi import get_wsgi_application

    with make_server("127.0.0.1", 0, get_wsgi_application(), handler_class=_Quiet) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def _asgi() -> Iterator[str]:
    from django.core.asgi import get_asgi_application
    from granian.constants import Interfaces
    from granian.server.embed import Server

    from tests.node.harness import until

    port, loops = free_port(), []
    server = Server(get_asgi_application(), port=port, interface=Interfaces.ASGI, log_enabled=False)

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        await server.serve()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        until(lambda: _answers(port), what="granian")
        yield f"http://127.0.0.1:{port}"
    finally:
        loops[0].call_soon_threadsafe(server.stop)
        thread.join()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
