"""Every style of the zoo by name. A style says which broker it needs and how a service uses it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from opentelemetry.sdk.trace import TracerProvider

from tests.tracing.kit.transport import Transport


@dataclass(frozen=True)
class Service:
    """One service of the story, with a provider of its own: what adapters of the kit are made with."""

    name: str
    provider: TracerProvider


@dataclass(frozen=True)
class Style:
    """``opened(service, url)`` gives the transport as that service uses it, traced in this style."""

    name: str
    broker: str  # the fixture that gives its url
    opened: Callable[[Service, str], AbstractContextManager[Transport]]
    stock: bool = False  # by OpenTelemetry's own package, without anything of ours


def styles() -> dict[str, Style]:
    """All of them; adapters are imported only when asked for, as each needs its client library."""
    from tests.zoo import kafka, rabbitmq, redis

    families: tuple[Any, ...] = (kafka, rabbitmq, redis)
    return {style.name: style for family in families for style in family.STYLES}
