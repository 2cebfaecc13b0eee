"""What integrations keep of each object of a client: its spans, made at first use with what ``use`` was told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, TypeVar
from weakref import WeakKeyDictionary

from opentelemetry.trace import TracerProvider

from tracing import dead_letters, propagation
from tracing.guard import guarded
from tracing.options import Options
from tracing.spans import Messaging

# fields and headers that are no part of the application's data, beside those of an event
CONTEXT = (propagation.TRACEPARENT, propagation.TRACESTATE, propagation.BAGGAGE, propagation.ELASTIC)
CARRIED = frozenset((*CONTEXT, "content-type", dead_letters.REASON, dead_letters.SOURCE))
Address = tuple[object, object]  # host and port; what is not known is empty
T = TypeVar("T")


class Clients(Generic[T]):
    """One thing of ours for each object of the client's, for as long as that lives."""

    def __init__(self, make: Callable[[Any, TracerProvider | None, Options | None], T]) -> None:
        self._make = make
        self._provider: TracerProvider | None = None
        self._options: Options | None = None
        self._known: WeakKeyDictionary[Any, T] = WeakKeyDictionary()

    def use(self, provider: TracerProvider | None, options: Options | None) -> None:
        """Make everything anew with these from now on."""
        self._provider, self._options = provider, options
        self._known.clear()

    def of(self, client: Any) -> T:
        """What is kept of it."""
        found = self._known.get(client)
        if found is None:
            # of two threads that come first, both get the same
            found = self._known.setdefault(client, self._make(client, self._provider, self._options))
        return found


def messaging(
    system: str, provider: TracerProvider | None, options: Options | None, address: Callable[[], Address]
) -> Messaging:
    """Spans of a client whose server is at ``address()``, which may raise where the client is of another make."""
    server: dict[str, str | int] = {}
    with guarded("server address"):
        host, port = address()
        if host:
            server["server_address"] = str(host)
            if port:
                server["server_port"] = int(str(port))
    return Messaging(system, provider=provider, options=options, **server)


def carried(name: str) -> bool:
    """Whether a field or header of this name, in lower case, is context, event or dead letter."""
    return name in CARRIED or name.startswith("ce_")
