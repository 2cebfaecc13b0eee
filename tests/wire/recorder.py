"""A node that writes down what it is asked and answers that there is nothing."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple
from urllib.parse import unquote

import elastic_transport
from elastic_transport import BaseNode, HttpHeaders

_HEADERS = HttpHeaders({"content-type": "application/json", "x-elastic-product": "Elasticsearch"})
_WHOLE = re.compile(r'"whole":"[^"]*"')  # compressed: a matter of the codec's own tests


class Answered(NamedTuple):
    """An answer as the library takes it from a node."""

    meta: elastic_transport.ApiResponseMeta
    body: bytes


class Recorder(BaseNode):
    """Takes every request of a client; ``requests`` are those so far, as text to be read."""

    requests: list[str] = []

    def perform_request(  # type: ignore[no-untyped-def]
        self, method, target, body=None, headers=None, request_timeout=None
    ) -> Answered:
        """Note a request and answer it."""
        text = (body or b"").decode()
        if method != "HEAD":
            self.requests.append(f"{method} {unquote(target)}\n{_shown(text)}")
        meta = elastic_transport.ApiResponseMeta(
            status=200, http_version="1.1", headers=_HEADERS, duration=0.0, node=self.config
        )
        answer = json.dumps(_answer(target.partition("?")[0], text)).encode()
        return Answered(meta, answer)

    def close(self) -> None:
        """Nothing to let go of."""


def _shown(text: str) -> str:
    text = _WHOLE.sub('"whole":"<bytes>"', text)
    items = [json.loads(line) for line in text.splitlines()]
    return "".join(json.dumps(item, indent=2, ensure_ascii=True, sort_keys=True) + "\n" for item in items)


def _answer(path: str, text: str) -> Any:
    items = [json.loads(line) for line in text.splitlines()]
    if path.endswith("_bulk"):
        return {"items": [{next(iter(item)): {"status": 201}} for item in items[::2]]}
    if path.endswith("_msearch"):
        return {"responses": [_found(item) for item in items[1::2]]}
    if path.endswith("_search"):
        return _found(items[0])
    if path.endswith("_mget"):
        return {"docs": []}
    if path.startswith("/_cat"):
        return []
    if "/_mapping" in path or "/_settings" in path:
        return {}
    return {"id": "pit", "_shards": {"total": 1, "failed": 0}, "status": "green"}


def _found(body: dict[str, Any]) -> dict[str, Any]:
    nothing = {"buckets": [], "doc_count": 0, "doc_count_error_upper_bound": 0}
    aggregations = {}
    for name, asked in body.get("aggs", {}).items():
        aggregations[name] = dict(nothing)
        if "filters" in asked:
            aggregations[name]["buckets"] = [{"doc_count": 0} for _ in asked["filters"]["filters"]]
    return {
        "hits": {"hits": [], "total": {"value": 0, "relation": "eq"}},
        "aggregations": aggregations,
        "_shards": {"total": 1, "failed": 0},
        "timed_out": False,
    }
