"""The three entry points: inflate a body, judge a request, make facts of it.

``inspect`` is what the receiver asks before it accepts, ``decode`` what the drain does
afterwards. Both judge by the same code, so an item is refused by one or kept by the other.
"""

from __future__ import annotations

import msgspec

from timeline.errors import UnsupportedPayload
from timeline.ingest import cloudevents, otlp, otlp_json, rows, tapped, zipkin
from timeline.ingest.compress import LIMIT, decompress
from timeline.ingest.entities import Rules
from timeline.ingest.environment import foreigners, verdict
from timeline.ingest.facts import Make, Walk, each
from timeline.ingest.parsed import MAX_ITEMS, Parsed, judge_span, positions, refuse
from timeline.ingest.request import SPANS, Accepted, BadItem, Decoded, Inspection

__all__ = ["LIMIT", "MAX_ITEMS", "Rules", "decode", "decompress", "inspect"]


def inspect(
    accepted: Accepted, *, max_items: int = MAX_ITEMS, limit: int = LIMIT, plain: otlp.Plain | None = None
) -> Inspection:
    """How many items a request has, and which of them are refused, with their bytes and why; quickly by
    ``plain``, where there is one, and nothing to refuse.

    Raises ``MalformedPayload`` where the whole cannot be read, ``UnsupportedPayload`` for a
    media type or encoding that is not offered, ``TooLarge`` beyond ``limit`` bytes inflated,
    ``max_items`` or the nesting that can be carried.
    """
    body = decompress(accepted.body, accepted.content_encoding, limit=limit)
    if accepted.signal == "events":
        batch = _read(accepted, body, max_items)
        return Inspection(items=batch.items, refused=tuple(batch.refused))
    if (
        plain is not None
        and accepted.signal == "traces"
        and not accepted.environment
        and _is_protobuf(accepted)
    ):
        items = otlp.plain_items(body, plain, max_items=max_items)
        if items is not None:
            return Inspection(items=items)
    parsed = _parse(accepted, body, max_items)
    refused = dict(parsed.refused)
    if accepted.environment:
        refused |= foreigners(parsed, accepted.environment)
    if accepted.signal in SPANS:
        refused |= _bad_spans(parsed)
    return Inspection(items=parsed.items, refused=tuple(refused[position] for position in sorted(refused)))


def decode(
    accepted: Accepted,
    rules: Rules,
    *,
    max_items: int = MAX_ITEMS,
    limit: int = LIMIT,
    make: Make | None = None,
) -> Decoded:
    """The facts of an accepted request, and the items that only turned out bad now; plain spans by ``make``,
    where there is one.

    What ``inspect`` refused appears nowhere. Raises ``Rejected`` exactly where ``inspect``
    does.
    """
    body = decompress(accepted.body, accepted.content_encoding, limit=limit)
    if accepted.signal == "events":
        return _events(accepted, _read(accepted, body, max_items), rules)
    if accepted.signal == "rows":
        return rows.read(accepted, body, rules)
    if accepted.signal == "records":
        return tapped.read(accepted, body, rules)
    parsed = _parse(accepted, body, max_items, judged=True, raw=make is not None)
    return Walk(accepted, rules, make).run(parsed)


def _parse(
    accepted: Accepted, body: bytes, max_items: int, *, judged: bool = False, raw: bool = False
) -> Parsed:
    if accepted.signal == "zipkin":
        return zipkin.parse(body, max_items=max_items)
    if _is_protobuf(accepted):
        return otlp.parse(
            body,
            accepted.signal,
            max_items=max_items,
            accepted=accepted.items if judged else None,
            raw=raw,
        )
    media = media_type(accepted.headers.get("content-type", ""))
    if media == "application/json":
        return otlp_json.parse(body, accepted.signal, max_items=max_items)
    raise UnsupportedPayload(
        f"media type {media[:80]!r} is not offered", remedy="send application/x-protobuf or application/json"
    )


def _is_protobuf(accepted: Accepted) -> bool:
    media = media_type(accepted.headers.get("content-type", ""))
    return media in ("application/x-protobuf", "application/protobuf")


def media_type(header: str) -> str:
    """The bare, lower-case media type of a Content-Type header."""
    return header.partition(";")[0].strip().lower()


def _bad_spans(parsed: Parsed) -> dict[int, BadItem]:
    bad = {}
    for position, span in positions(parsed):
        verdict = judge_span(span)
        if verdict is not None:
            bad[position] = refuse(position, verdict, parsed.dialect.data(span))
    return bad


def _read(accepted: Accepted, body: bytes, max_items: int) -> cloudevents.Batch:
    """The events of a request; those of another environment than its key are refused."""
    batch = cloudevents.read(accepted.headers, body, max_items=max_items)
    if not accepted.environment:
        return batch
    drafts, refused = [], list(batch.refused)
    for position, draft in batch.drafts:
        named = str(draft.attributes.get("deploymentenvironmentname", ""))
        if named in ("", accepted.environment):
            drafts.append((position, draft))
        else:
            refused.append(refuse(position, verdict(named, accepted.environment), _as_json(draft)))
    return cloudevents.Batch(batch.items, drafts, sorted(refused, key=lambda item: item.position))


def _as_json(draft: cloudevents.Draft) -> bytes:
    return msgspec.json.encode(cloudevents.tree(draft))


def _events(accepted: Accepted, batch: cloudevents.Batch, rules: Rules) -> Decoded:
    return each(
        batch.drafts,
        lambda position, draft: cloudevents.fact(accepted, rules, draft, position),
        _as_json,
    )
