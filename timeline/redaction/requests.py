"""A request as it was received, with everything that rules name taken out of it.

It comes out in its own format, uncompressed, with the items that can be read, in their order; CloudEvents
come out as a batch. What could not be read is not in it: its sender is told, and nothing of it is kept.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import msgspec

from timeline.domain import Value
from timeline.ingest import cloudevents, otlp, otlp_json, rows, tapped
from timeline.ingest.decode import LIMIT, MAX_ITEMS, decompress
from timeline.ingest.encode import events_body, is_json, otlp_body
from timeline.ingest.otlp_messages import AnyValue
from timeline.ingest.parsed import Parsed
from timeline.ingest.request import Accepted, digest_of
from timeline.ingest.values import clean, loads
from timeline.redaction.rules import GONE, Redaction

UNREADABLE: Final = "[not kept: it could not be read]"
_NEEDED: Final = frozenset({"id", "source", "type"})  # of a CloudEvent: without them it is none
_FIXED: Final = frozenset(
    {"specversion", "time", "recordedtime", "datacontenttype", "traceparent", "tracestate"}
)
_ZIPKIN_FIXED: Final = frozenset(
    ("traceId", "parentId", "id", "kind", "timestamp", "duration", "debug", "shared", "port", "ipv4", "ipv6")
)


def redacted(
    accepted: Accepted, redaction: Redaction, *, max_items: int = MAX_ITEMS, limit: int = LIMIT
) -> Accepted:
    """The request as it may be kept, with the digest of what is kept; rows of an import and records of
    the tap have ``redacted_row`` and ``redacted_record``.

    Raises what ``inspect`` raises for the same request.
    """
    body = decompress(accepted.body, accepted.content_encoding, limit=limit)
    headers = accepted.headers
    if accepted.signal == "events":
        headers, body = _events(cloudevents.read(headers, body, max_items=max_items), redaction)
    elif accepted.signal == "zipkin":
        body = msgspec.json.encode(_zipkin(loads(body), redaction))
    else:
        body = _otlp(accepted, body, redaction, max_items)
    kept = msgspec.structs.replace(accepted, content_encoding="", headers=headers, body=body)
    return msgspec.structs.replace(kept, digest=digest_of(kept))


def redacted_again(accepted: Accepted, redaction: Redaction) -> Accepted:
    """A request of any kind under the rules of today, for what was accepted before them."""
    if accepted.signal == "rows":
        found = rows.decode(accepted.body)
        kept = [redacted_row(row, redaction) for row in found.rows]
        return msgspec.structs.replace(accepted, body=rows.encode(rows.Rows(name=found.name, rows=kept)))
    if accepted.signal == "records":
        tap = tapped.decode(accepted.body)
        again = [redacted_record(one, redaction) for one in tap.records]
        return msgspec.structs.replace(
            accepted, body=tapped.encode(msgspec.structs.replace(tap, records=again))
        )
    return redacted(accepted, redaction)


def redacted_record(record: tapped.Record, redaction: Redaction) -> tapped.Record:
    """A record of the tap as it may be kept; where it lies is no secret."""
    names = (
        "name",
        "id",
        "source",
        "subject",
        "correlation",
        "causation",
        "sequence",
        "message_id",
        "schema",
    )
    texts = {
        name: _plain(redaction, name, getattr(record, name), needed=name in ("id", "name", "source"))
        for name in names
    }
    key = redaction.value("messaging.kafka.message.key", record.key)
    return msgspec.structs.replace(
        record,
        **texts,
        key=key if isinstance(key, str) else "",
        service=_service(redaction, record.service),
        environment=_named(redaction, "deployment.environment.name", record.environment),
        tracestate=redaction.text(record.tracestate),
        body=redaction.body(clean(record.body)),
        attributes=_mapping(record.attributes, redaction),
    )


def redacted_row(row: rows.Row, redaction: Redaction) -> rows.Row:
    """A row of an import as it may be kept."""
    texts = {
        name: _plain(redaction, name, getattr(row, name), needed=name in ("id", "name", "source"))
        for name in ("name", "id", "source", "subject", "correlation", "causation", "sequence")
    }
    return msgspec.structs.replace(
        row,
        **texts,
        service=_service(redaction, row.service),
        environment=_named(redaction, "deployment.environment.name", row.environment),
        body=redaction.body(clean(row.body)),
        attributes=_mapping(row.attributes, redaction),
    )


def _plain(redaction: Redaction, name: str, text: str, *, needed: bool = False) -> str:
    found = redaction.value(name, text, needed=needed)
    return found if isinstance(found, str) else ""


def _service(redaction: Redaction, text: str) -> str:
    """By its key in OpenTelemetry, else by that of CloudEvents."""
    found = _named(redaction, "service.name", text)
    return found if found != text else _named(redaction, "servicename", text)


def _named(redaction: Redaction, name: str, text: str) -> str:
    return _plain(redaction, name, text, needed=True) if text else ""


def _mapping(attributes: dict[str, Any], redaction: Redaction) -> dict[str, Any]:
    kept = {redaction.key(key): redaction.value(key, value) for key, value in attributes.items()}
    return {key: value for key, value in kept.items() if value is not GONE}


def _events(batch: cloudevents.Batch, redaction: Redaction) -> tuple[dict[str, str], bytes]:
    return events_body([_event(draft, redaction) for _, draft in batch.drafts])


def _event(draft: cloudevents.Draft, redaction: Redaction) -> cloudevents.Draft:
    kept: dict[str, Any] = {}
    for name, value in draft.attributes.items():
        found = value if name in _FIXED else redaction.value(name, value, needed=name in _NEEDED)
        if found is not GONE:
            kept[name] = found
    return cloudevents.Draft(kept, redaction.body(draft.data))


def _zipkin(spans: Any, redaction: Redaction) -> Any:
    if not isinstance(spans, list):
        return []
    return [
        {
            redaction.key(name): value if name in _ZIPKIN_FIXED else _zipkin_part(name, value, redaction)
            for name, value in span.items()
        }
        for span in spans
        if isinstance(span, dict)
    ]


def _zipkin_part(name: str, value: Any, redaction: Redaction) -> Any:
    if name == "tags" and isinstance(value, dict):
        return _mapping(value, redaction)
    if isinstance(value, list):
        return [_zipkin_part(name, one, redaction) for one in value]
    if isinstance(value, dict):
        return {
            redaction.key(key): one if key in _ZIPKIN_FIXED else _zipkin_part(key, one, redaction)
            for key, one in value.items()
        }
    return _plain(redaction, "", value) if isinstance(value, str) else value


def _otlp(accepted: Accepted, body: bytes, redaction: Redaction, max_items: int) -> bytes:
    if is_json(accepted):
        parsed = otlp_json.parse(body, accepted.signal, max_items=max_items)
        _walk(parsed, _json_value, redaction)
    else:
        parsed = otlp.parse(body, accepted.signal, max_items=max_items)
        _walk(parsed, _set_protobuf, redaction)
    return otlp_body(parsed, accepted)


def _walk(parsed: Parsed, write: Any, redaction: Redaction) -> None:
    """Take out of every part of a request what rules name; ``write`` puts a value into an ``AnyValue``."""
    read = parsed.dialect.value
    for group in parsed.groups:
        if group.resource is not None:
            _pairs(group.resource.attributes, read, write, redaction)
        for scope in group.scopes:
            if scope.scope is not None:
                _texts(scope.scope, ("name", "version"), redaction)
                _pairs(scope.scope.attributes, read, write, redaction)
            for item in scope.items:
                if item is not None:
                    _item(item, read, write, redaction)


def _item(item: Any, read: Any, write: Any, redaction: Redaction) -> None:
    _pairs(item.attributes, read, write, redaction)
    if not hasattr(item, "events"):
        _texts(item, ("severity_text", "event_name"), redaction)
        if item.body is not None:
            body = _value(read, item.body)
            if (found := redaction.body(body)) != body or body is UNREADABLE:
                write(item, "body", found)
        return
    _texts(item, ("name", "trace_state"), redaction)
    if item.status is not None:
        _texts(item.status, ("message",), redaction)
    for event in item.events or ():
        _texts(event, ("name",), redaction)
        _pairs(event.attributes, read, write, redaction)
    for link in item.links or ():
        _texts(link, ("trace_state",), redaction)
        _pairs(link.attributes, read, write, redaction)


def _texts(part: Any, names: Iterable[str], redaction: Redaction) -> None:
    for name in names:
        text = getattr(part, name)
        if text and (found := _plain(redaction, "", text)) != text:
            setattr(part, name, found)


def _pairs(pairs: Any, read: Any, write: Any, redaction: Redaction) -> None:
    """Attributes in place; one whose value no reader of ours can read is emptied."""
    gone = []
    for index, pair in enumerate(pairs or ()):
        key, value = pair.key or "", _value(read, pair.value)
        found = redaction.value(key, value)
        if found is GONE:
            gone.append(index)
        elif found != value or value is UNREADABLE:
            write(pair, "value", found)
        if key and (kept := redaction.key(key)) != key:
            pair.key = kept
    for index in reversed(gone):
        del pairs[index]


def _value(read: Any, found: Any) -> Value:
    try:
        value: Value = read(found, 0)
    except ValueError:
        return UNREADABLE
    return value


def _set_protobuf(part: Any, name: str, value: Value) -> None:
    target = getattr(part, name)
    target.Clear()
    _fill(target, value)


def _fill(target: Any, value: Value) -> None:
    if isinstance(value, str):
        target.string_value = value
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int):
        target.int_value = value
    elif isinstance(value, float):
        target.double_value = value
    elif isinstance(value, bytes):
        target.bytes_value = value
    elif isinstance(value, list):
        target.array_value.SetInParent()
        for one in value:
            _fill(target.array_value.values.add(), one)
    elif isinstance(value, dict):
        target.kvlist_value.SetInParent()
        for key, one in value.items():
            pair = target.kvlist_value.values.add(key=key)
            _fill(pair.value, one)


def _json_value(part: Any, name: str, value: Value) -> None:
    setattr(part, name, msgspec.convert(_any_value(value), AnyValue))


def _any_value(value: Value) -> dict[str, Any]:
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": value}
    if isinstance(value, float):
        return {"doubleValue": value}
    if isinstance(value, bytes):
        return {"bytesValue": msgspec.to_builtins(value)}
    if isinstance(value, list):
        return {"arrayValue": {"values": [_any_value(one) for one in value]}}
    if isinstance(value, dict):
        pairs = [{"key": key, "value": _any_value(one)} for key, one in value.items()]
        return {"kvlistValue": {"values": pairs}}
    return {}
