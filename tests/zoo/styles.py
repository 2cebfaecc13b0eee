"""Every style of the zoo by name. A style says which broker it needs and how a service uses it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from tests.tracing.kit.transport import Taken, Transport


@dataclass(frozen=True)
class Service:
    """One service of the story, with a provider of its own: what adapters of the kit are made with."""

    name: str
    provider: TracerProvider


Made = Callable[[Any, str], Transport]
Opened = Callable[[Service, str], AbstractContextManager[Transport]]


@dataclass(frozen=True)
class Style:
    """``opened(service, url)`` gives the transport as that service uses it, traced in this style."""

    name: str
    broker: str  # the fixture that gives its url
    opened: Opened
    stock: bool = False  # by OpenTelemetry's own packages, without anything of ours
    door: str = ""  # how the order comes in (``doors.py``)
    without: frozenset[str] = frozenset()  # destinations that nothing can reach in this style


def using(
    made: Made,
    begin: Callable[[TracerProvider], object] = lambda _: None,
    end: Callable[[], object] = lambda: None,
) -> Opened:
    """A transport, with what an application does before it makes its clients, and after it closed them."""

    @contextmanager
    def opened(service: Service, url: str) -> Iterator[Transport]:
        begin(service.provider)
        try:
            transport = made(service, url)
            yield transport
            transport.close()
        finally:
            end()

    return opened


def stock(package: str, made: Made) -> Opened:
    """After OpenTelemetry's own ``instrument()``, which its environment alone has: ``package`` is ``module:class``."""
    module, _, name = package.partition(":")

    def instrumentor() -> Any:
        return getattr(import_module(f"opentelemetry.instrumentation.{module}"), name)()

    return using(
        made,
        lambda provider: instrumentor().instrument(tracer_provider=provider),
        lambda: instrumentor().uninstrument(),
    )


class SentOnAsIs:
    """In front of an adapter: a dead letter is sent on with the headers it came with, and no more."""

    def dead_letter(self: Any, taken: Taken, destination: str, error: Exception) -> None:
        self.send(destination, taken.body, headers=taken.headers)


def styles() -> dict[str, Style]:
    """All of them; adapters are imported only here, as each needs its client library."""
    from tests.zoo import celery, django, kafka, rabbitmq, redis

    families: tuple[Any, ...] = (kafka, rabbitmq, redis, celery, django)
    return {style.name: style for family in families for style in family.STYLES}
