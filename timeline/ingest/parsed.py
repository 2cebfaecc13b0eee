"""What both OTLP encodings are parsed to before anything is judged or walked.

The JSON structs carry the attribute names of the protobuf messages, so everything behind
this file is written once and both encodings of a record give equal facts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

import msgspec

from timeline.domain import Attributes, Value
from timeline.errors import TooLarge
from timeline.ingest.request import BadItem

MAX_ITEMS: Final = 100_000  # per request: empty spans compress a hundredfold
MAX_PARTS: Final = 10_000  # annotations and links of one span
MAX_LEVELS: Final = 100  # messages inside one item, as the protobuf runtime counts them
MAX_ITEM_BYTES: Final = 4 * 1024 * 1024
NO_TRACE: Final = bytes(16)
NO_SPAN: Final = bytes(8)


class ScopeGroup(NamedTuple):
    """Items of one scope; ``None`` stands where an item was refused while parsing."""

    scope: Any
    schema_url: str
    items: Sequence[Any]


class ResourceGroup(NamedTuple):
    """Scopes of one resource."""

    resource: Any
    schema_url: str
    scopes: Sequence[ScopeGroup]


class Dialect(NamedTuple):
    """How one encoding gives attributes and single values, an item's bytes, and, where it is
    quick about it, the tokens of attributes whose keys are all different. ``raw``: items are bytes
    still, of which ``item`` makes what the others take."""

    attributes: Callable[[Iterable[Any], int], Attributes]
    value: Callable[[Any, int], Value]
    data: Callable[[Any], bytes]
    tokens: Callable[[Iterable[Any]], str] | None = None
    raw: bool = False
    item: Callable[[bytes], Any] = bytes


class Parsed(msgspec.Struct, frozen=True, kw_only=True):
    """A request parsed, not yet judged. ``items`` counts the refused ones too."""

    groups: Sequence[ResourceGroup]
    dialect: Dialect
    items: int
    refused: dict[int, BadItem]


class NestingError(ValueError):
    """A value is nested deeper than any encoding of ours can carry."""


def grouped(
    resources: Iterable[Any], scopes_of: str, items_of: str, *, max_items: int
) -> tuple[list[ResourceGroup], int]:
    """The groups of a request and the number of their items.

    Raises ``TooLarge`` as soon as items, or groups alone, are more than ``max_items``.
    """
    groups = []
    total = scopes_seen = 0
    for resource in resources:
        scopes = []
        for scope in getattr(resource, scopes_of) or ():
            items = getattr(scope, items_of) or ()
            total += len(items)
            scopes_seen += 1
            check_count(max(total, scopes_seen), max_items)
            scopes.append(ScopeGroup(scope.scope, scope.schema_url or "", items))
        groups.append(ResourceGroup(resource.resource, resource.schema_url or "", scopes))
        check_count(len(groups), max_items)
    return groups, total


def check_count(count: int, limit: int) -> None:
    """Raise ``TooLarge`` beyond the limit."""
    if count > limit:
        raise TooLarge(f"the request holds more than {limit} items", remedy="send smaller batches")


def too_deep(item: str) -> str:
    """The sentence for a sender whose item is nested too deep."""
    return (
        f"this {item} is nested deeper than {MAX_LEVELS} messages; lower the attribute depth limit of its SDK"
    )


def judge_span(span: Any) -> tuple[str, str] | None:
    """Reason and sentence where a span can never become a fact, else ``None``."""
    trace_id, span_id = span.trace_id, span.span_id
    if len(trace_id) != 16 or trace_id == NO_TRACE:
        return "bad_trace_id", "a trace id is 16 bytes, not all zero; check the sender's id generator"
    if len(span_id) != 8 or span_id == NO_SPAN:
        return "bad_span_id", "a span id is 8 bytes, not all zero; check the sender's id generator"
    if len(span.parent_span_id) not in (0, 8):
        return "bad_parent_id", "a parent span id is 8 bytes, or left out for a root span"
    if len(span.events) + len(span.links) > MAX_PARTS:
        return "too_many_parts", f"a span may hold {MAX_PARTS} events and links; set the limits of its SDK"
    return None


def refuse(position: int, verdict: tuple[str, str], data: bytes) -> BadItem:
    """The item as refused."""
    return BadItem(position=position, reason=verdict[0], message=verdict[1], data=data)


def positions(parsed: Parsed) -> Iterator[tuple[int, Any]]:
    """Each item with its position in the request; refused ones are left out."""
    position = 0
    for group in parsed.groups:
        for scope in group.scopes:
            for item in scope.items:
                if item is not None:
                    yield position, item
                position += 1
