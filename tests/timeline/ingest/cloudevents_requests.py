"""CloudEvents requests for tests, and short ways to judge and decode them."""

from __future__ import annotations

import json
from typing import Any

from timeline.domain import Event, Stored
from timeline.ingest.decode import decode, inspect
from timeline.ingest.entities import Rules
from timeline.ingest.request import Accepted, Decoded, Inspection

STRUCTURED = "application/cloudevents+json"


BATCH = "application/cloudevents-batch+json"


CORE = {"specversion": "1.0", "id": "e-1", "source": "/shop/orders", "type": "OrderPlaced"}


TRACEPARENT = f"00-{'ab' * 16}-{'cd' * 8}-03"


def request(content_type: str, body: Any, headers: dict[str, str] | None = None, **fields: Any) -> Accepted:
    """The body (a JSON tree or bytes) as the inbox keeps it."""
    given = {
        "id": "request-1",
        "signal": "events",
        "content_encoding": "",
        "headers": {"content-type": content_type} | (headers or {}),
        "body": body if isinstance(body, bytes) else json.dumps(body).encode(),
        "received": 5,
    }
    return Accepted(**(given | fields))


def structured(**attributes: Any) -> Accepted:
    return request(STRUCTURED, CORE | attributes)


def binary(body: Any = b"", content_type: str = "", **attributes: Any) -> Accepted:
    headers = {f"ce-{name}": value for name, value in (CORE | attributes).items() if value is not None}
    return request(content_type, body, headers)


def decoded(accepted: Accepted, rules: Rules | None = None) -> Decoded:
    return decode(accepted, rules or Rules.default())


def only(accepted: Accepted, rules: Rules | None = None) -> Stored:
    assert inspect(accepted) == Inspection(items=1)
    found = decoded(accepted, rules)
    assert found.poison == []
    return found.facts[0]


def body_of(accepted: Accepted) -> Any:
    fact = only(accepted).fact
    assert isinstance(fact, Event)
    return fact.body


def refused(accepted: Accepted) -> str:
    """The reason for which the one event is refused; it becomes no fact."""
    found = inspect(accepted)
    assert (found.items, len(found.refused)) == (1, 1)
    assert found.refused[0].message
    assert found.refused[0].data
    assert decoded(accepted) == Decoded(facts=[], poison=[])
    return found.refused[0].reason
