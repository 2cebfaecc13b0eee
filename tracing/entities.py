"""Business entities: named once, then on every span and on the way to the next service.

``with entity("bet", "8812", player="20417"):`` puts ``throughline.entity.bet`` and
``throughline.entity.player`` on the current span and on all spans started inside, and into
the W3C baggage of every message sent inside. At the next service they arrive as
*context* (``throughline.context.<type>``) until that service names them itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import quote, unquote

from opentelemetry import baggage, trace
from opentelemetry.context import Context, attach, create_key, detach, get_current, get_value, set_value
from opentelemetry.sdk.trace import Span, SpanProcessor

from tracing import semconv
from tracing.guard import guarded, lost

SUBJECT = semconv.ENTITY_PREFIX
CONTEXT = semconv.CONTEXT_PREFIX
MOST_ENTITIES = 8  # that travel in baggage
MOST_BYTES = 1024  # of baggage for entities
_LONGEST_ID = 256
_TYPE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}")
_KEY = create_key("throughline-entities")
# under which the API keeps baggage: asked of every span, and asking the API takes ten times as long
_BAGGAGE = next(iter(baggage.set_baggage("a", "b", Context())))

Pair = tuple[str, str]  # type, id


class Named(NamedTuple):
    """The entities of a context: ``subjects`` named here, ``context`` come by baggage."""

    subjects: tuple[Pair, ...] = ()
    context: tuple[Pair, ...] = ()

    def attributes(self) -> dict[str, str | list[str]]:
        """Span attributes: a string per type, a list where a type has several ids."""
        return _grouped(SUBJECT, self.subjects) | _grouped(CONTEXT, self.context)


_NOBODY = Named()


def _grouped(prefix: str, pairs: tuple[Pair, ...]) -> dict[str, str | list[str]]:
    ids: dict[str, list[str]] = {}
    for kind, name in pairs:
        ids.setdefault(prefix + kind, []).append(name)
    return {key: found[0] if len(found) == 1 else found for key, found in ids.items()}


def _valid(kind: object, name: object) -> Pair | None:
    with guarded("unusable entity"):
        pair = str(kind), str(name)
        if _TYPE.fullmatch(pair[0]) and 0 < len(pair[1]) <= _LONGEST_ID:
            return pair
        lost("unusable entity")
    return None


def named(context: Context | None = None) -> Named:
    """The entities of this context (default: the current one)."""
    found = get_value(_KEY, context)
    own = found if isinstance(found, Named) else _NOBODY
    # a foreign propagator (HTTP instrumentation) leaves arrived entities in the baggage
    for key, value in baggage.get_all(context).items():
        if key.startswith(SUBJECT):
            own = _arrived(own, key, str(value))
    return own


def known(context: Context | None = None) -> bool:
    """Whether this context may have entities at all; cheaper than asking which."""
    here = get_current() if context is None else context
    return _KEY in here or _BAGGAGE in here


def _arrived(own: Named, key: str, value: str) -> Named:
    pairs = (_valid(key.removeprefix(SUBJECT), unquote(part, errors="replace")) for part in value.split(","))
    known = {*own.subjects, *own.context}
    fresh = tuple(pair for pair in pairs if pair and pair not in known)[:MOST_ENTITIES]
    return Named(own.subjects, (own.context + fresh)[:MOST_ENTITIES])


def arrive(members: Mapping[str, str], context: Context | None = None) -> Context:
    """A context that knows the entities among decoded baggage members; nothing is named yet."""
    own = Named()
    for key, value in members.items():
        if key.startswith(SUBJECT):
            own = _arrived(own, key, value)
    return set_value(_KEY, own, context)


def leave(context: Context | None = None) -> dict[str, str]:
    """Baggage members for the next service: subjects first, within 8 entities and 1 KiB.

    Values are already percent-encoded once per id, so that a comma inside an id is told
    from the comma between two ids.
    """
    own = named(context)
    members: dict[str, str] = {}
    left, space = MOST_ENTITIES, MOST_BYTES
    for kind, name in own.subjects[::-1] + own.context:
        key, part = SUBJECT + kind, quote(name, safe="")
        cost = len(quote(part, safe="")) + (3 if key in members else len(key) + 2)
        if not left or cost > space:
            lost("entity left out of baggage")
            continue
        members[key] = f"{members[key]},{part}" if key in members else part
        left, space = left - 1, space - cost
    return members


def about(pairs: Iterable[tuple[str, object]], context: Context | None = None) -> Context:
    """A context (built on this or the current one) that is about these; its span says so from now on."""
    fresh = [pair for pair in (_valid(*given) for given in pairs) if pair]
    own = named(context)
    subjects = (*(pair for pair in own.subjects if pair not in fresh), *fresh)
    span = trace.get_current_span(context)
    if span.is_recording():
        span.set_attributes(_grouped(SUBJECT, subjects))
    return set_value(_KEY, Named(subjects, tuple(pair for pair in own.context if pair not in fresh)), context)


@contextmanager
def entity(kind: str, name: object, /, **also: object) -> Iterator[None]:
    """Everything inside is about this entity: ``entity("bet", "8812", player="20417")``.

    Types are letters, digits, ``_ . -``; ids up to 256 characters. What fits neither is left out
    and counted. Never raises of its own; exceptions of the body pass through. Usable as a decorator.
    """
    token = None
    with guarded("entity"):
        token = attach(about([(kind, name), *also.items()]))
    try:
        yield
    finally:
        if token is not None:
            with guarded("entity"):
                detach(token)


class EntityProcessor(SpanProcessor):
    """Puts the entities of the context on every span that starts; ``configure`` installs it."""

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        """Called by the SDK for each span."""
        if known(parent_context):
            with guarded("entity attributes"):
                if attributes := named(parent_context).attributes():
                    span.set_attributes(attributes)
