"""Parsed requests back to bytes, whole or some of their items: each in its sender's own format."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import msgspec
from google.protobuf.message import Message

from timeline.ingest import cloudevents, otlp, otlp_json, rows, tapped
from timeline.ingest.decode import LIMIT, MAX_ITEMS, decompress, inspect, media_type
from timeline.ingest.parsed import Parsed
from timeline.ingest.request import OURS, Accepted
from timeline.ingest.values import loads

_BATCH: Final = "application/cloudevents-batch+json"
_PARTS: Final[dict[str, tuple[str, str, str]]] = {
    "traces": ("resource_spans", "scope_spans", "spans"),
    "logs": ("resource_logs", "scope_logs", "log_records"),
}
Keep = Callable[[int], bool]


def kept_positions(accepted: Accepted, *, max_items: int = MAX_ITEMS, limit: int = LIMIT) -> list[int]:
    """Where the items of a request stand that its sender was not told are refused. Raises what ``inspect`` raises."""
    if accepted.signal in OURS:
        return list(range(accepted.items))
    found = inspect(accepted, max_items=max_items, limit=limit)
    refused = {item.position for item in found.refused}
    return [position for position in range(found.items) if position not in refused]


def together(accepted: Accepted, positions: Sequence[int], *, limit: int = LIMIT) -> list[list[int]]:
    """These positions in groups that are not to be taken apart: equal log records, which are told from each
    other by how many of them came before in their request. Of other signals each is alone."""
    if accepted.signal != "logs":
        return [[position] for position in positions]
    body = decompress(accepted.body, accepted.content_encoding, limit=limit)
    parsed = _parsed(accepted, body)
    items = [item for group in parsed.groups for scope in group.scopes for item in scope.items]
    same: dict[bytes, list[int]] = {}
    for position in positions:
        same.setdefault(_written(items[position], position), []).append(position)
    return list(same.values())


def _written(item: Any, position: int) -> bytes:
    if item is None:  # refused while parsing: equal to none
        return b"%d" % position
    if isinstance(item, Message):
        return bytes(item.SerializeToString(deterministic=True))
    return msgspec.json.encode(otlp_json.tree(item))


def parts(accepted: Accepted, chosen: Sequence[Sequence[int]], *, limit: int = LIMIT) -> Iterator[Accepted]:
    """For each choice of positions, the request with these items alone, in their order; uncompressed.

    What cannot be parsed at all is left out. Raises ``Rejected`` where the request cannot be read.
    """
    body = decompress(accepted.body, accepted.content_encoding, limit=limit)
    write = _writer(accepted, body)
    for positions in chosen:
        wanted = frozenset(positions)
        headers, piece = write(wanted.__contains__)
        yield msgspec.structs.replace(
            accepted, content_encoding="", headers=headers, body=piece, items=len(wanted)
        )


def _writer(accepted: Accepted, body: bytes) -> Callable[[Keep], tuple[dict[str, str], bytes]]:
    """Parses once; writes as often as it is asked."""
    headers = accepted.headers
    if accepted.signal == "events":
        drafts = cloudevents.read(headers, body, max_items=MAX_ITEMS).drafts
        return lambda keep: events_body([draft for position, draft in drafts if keep(position)])
    if accepted.signal == "zipkin":
        spans = loads(body)
        return lambda keep: (headers, msgspec.json.encode([one for n, one in enumerate(spans) if keep(n)]))
    if accepted.signal == "rows":
        found = rows.decode(body)
        return lambda keep: (
            headers,
            rows.encode(
                rows.Rows(name=found.name, rows=[one for n, one in enumerate(found.rows) if keep(n)])
            ),
        )
    if accepted.signal == "records":
        all_of = tapped.decode(body)
        return lambda keep: (
            headers,
            tapped.encode(
                msgspec.structs.replace(
                    all_of, records=[one for n, one in enumerate(all_of.records) if keep(n)]
                )
            ),
        )
    parsed = _parsed(accepted, body)
    return lambda keep: (headers, otlp_body(parsed, accepted, keep))


def _parsed(accepted: Accepted, body: bytes) -> Parsed:
    parse = otlp_json.parse if is_json(accepted) else otlp.parse
    return parse(body, accepted.signal, max_items=MAX_ITEMS)


def is_json(accepted: Accepted) -> bool:
    """Whether an OTLP request is JSON."""
    return media_type(accepted.headers.get("content-type", "")) == "application/json"


def events_body(drafts: Sequence[cloudevents.Draft]) -> tuple[dict[str, str], bytes]:
    """Headers and body of a batch of events."""
    return {"content-type": _BATCH}, msgspec.json.encode([cloudevents.tree(draft) for draft in drafts])


def otlp_body(parsed: Parsed, accepted: Accepted, keep: Keep = lambda position: True) -> bytes:
    """An export request of the items that could be parsed and are to be kept; groups without any are left out."""
    groups = _chosen(parsed, keep)
    return _as_json(groups, accepted.signal) if is_json(accepted) else _as_protobuf(groups, accepted.signal)


def _chosen(parsed: Parsed, keep: Keep) -> Iterator[tuple[Any, str, list[tuple[Any, str, list[Any]]]]]:
    position = 0
    for group in parsed.groups:
        scopes = []
        for scope in group.scopes:
            end = position + len(scope.items)
            items = [
                item
                for at, item in zip(range(position, end), scope.items, strict=True)
                if item is not None and keep(at)
            ]
            position = end
            if items:
                scopes.append((scope.scope, scope.schema_url, items))
        if scopes:
            yield group.resource, group.schema_url, scopes


def _as_protobuf(groups: Iterator[tuple[Any, str, list[tuple[Any, str, list[Any]]]]], signal: str) -> bytes:
    resources, scopes, items = _PARTS[signal]
    request: Message = otlp.request_class(signal)()
    for resource, url, found in groups:
        into = getattr(request, resources).add(schema_url=url)
        if resource is not None:
            into.resource.CopyFrom(resource)
        for scope, scope_url, chosen in found:
            part = getattr(into, scopes).add(schema_url=scope_url)
            if scope is not None:
                part.scope.CopyFrom(scope)
            getattr(part, items).extend(chosen)
    return bytes(request.SerializeToString())


def _as_json(groups: Iterator[tuple[Any, str, list[tuple[Any, str, list[Any]]]]], signal: str) -> bytes:
    resources, scopes, items = (_camel(name) for name in _PARTS[signal])
    tree = [
        {
            "resource": otlp_json.tree(resource),
            "schemaUrl": url,
            scopes: [
                {
                    "scope": otlp_json.tree(scope),
                    "schemaUrl": scope_url,
                    items: [otlp_json.tree(item) for item in chosen],
                }
                for scope, scope_url, chosen in found
            ],
        }
        for resource, url, found in groups
    ]
    return msgspec.json.encode({resources: tree})


def _camel(name: str) -> str:
    first, _, second = name.partition("_")
    return first + second.capitalize()
