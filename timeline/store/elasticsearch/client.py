"""Asking the cluster, and its failures in our words.

Every request passes ``Cluster.ask``; every exception class of the client has its line in
``translate``, so nothing of the library reaches a caller. Retries are ours: a node that does not
answer is left for another, and a busy cluster is waited for, both within a bound: where a
question has a limit of its own (``timeline.store.patience``), within that.
"""

from __future__ import annotations

import logging
import math
import random
import time
from collections.abc import Iterable, Mapping
from importlib.metadata import version
from typing import Any, Final

import elastic_transport
import elasticsearch
import orjson
from elastic_transport import BaseNode, Serializer

from timeline.errors import BadQuery, StoreUnavailable, ThroughlineError
from timeline.store.elasticsearch.address import Address
from timeline.store.patience import asking, left, rest, spent

TIMEOUT: Final = 30.0  # s for one answer
STEP: Final = 0.25  # s, in which a shorter wait for one is told
PATIENCE: Final = 5.0  # s that a question waits for a busy cluster
STARTING: Final = 2.0  # s that it waits for shards which are just being started
BUSY: Final = frozenset({429, 502, 503, 504})
JSON: Final = {"accept": "application/json", "content-type": "application/json"}
LINES: Final = {"accept": "application/json", "content-type": "application/x-ndjson"}
# a line for every request would bury the log of a worker
logging.getLogger("elastic_transport.transport").setLevel(logging.WARNING)
Body = bytes | Mapping[str, Any] | None


class _Orjson(Serializer):
    """Bytes pass as they are; everything else by orjson."""

    def __init__(self, mimetype: str) -> None:
        self.mimetype = mimetype  # type: ignore[misc]  # a class variable to the library

    def dumps(self, data: Any) -> bytes:
        return data if isinstance(data, bytes) else orjson.dumps(data)

    def loads(self, data: bytes) -> Any:
        try:
            return orjson.loads(data)
        except orjson.JSONDecodeError as error:
            raise elastic_transport.SerializationError(
                f"the answer is no JSON: {data[:200]!r}", errors=(error,)
            ) from error


def _serializers() -> dict[str, Serializer]:
    compatible = "application/vnd.elasticsearch+"
    names = ("application/json", "application/x-ndjson", f"{compatible}json", f"{compatible}x-ndjson")
    return {name: _Orjson(name) for name in names}


def _open(address: Address, node_class: type[BaseNode] | None) -> elasticsearch.Elasticsearch:
    options: dict[str, Any] = {
        "serializers": _serializers(),
        "request_timeout": TIMEOUT,
        "max_retries": 0,
        "retry_on_timeout": False,
        "http_compress": not address.near,
        "connections_per_node": 16,
    }
    if node_class is not None:
        options["node_class"] = node_class
    if address.user:
        options["basic_auth"] = (address.user, address.password)
    return elasticsearch.Elasticsearch(list(address.nodes), **options)


def reason_of(error: elasticsearch.ApiError) -> tuple[str, str]:
    """The type and the sentence that the cluster gives for a refusal."""
    body = error.body
    cause = body.get("error") if isinstance(body, dict) else None
    if isinstance(cause, dict):
        roots = cause.get("root_cause") or [cause]
        root = roots[0] if isinstance(roots[0], dict) else cause
        return str(root.get("type", "")), str(root.get("reason", ""))[:400]
    return "", str(cause or body or error)[:400]


_AWAY = "check that Elasticsearch runs at THROUGHLINE_STORE_URL and can be reached from here"
_VERSIONS = (
    "install the client of the cluster's major version: elasticsearch 9 for a 9.x cluster, "
    "elasticsearch 8.19 (pip install 'elasticsearch>=8.19,<9') for an 8.19 cluster"
)
_CROWDED: Final = "raise cluster.max_shards_per_node, add nodes, or shorten the retention"
_REMEDIES: Final = {
    400: "this release does not fit the cluster: update it, or open an issue with this message",
    401: "set the user and password in THROUGHLINE_STORE_URL",
    403: "give the user of THROUGHLINE_STORE_URL all rights on its indices and their aliases, "
    "and check that no index is blocked",
    404: "run the worker once: it makes what is needed",
    409: "try again",
    413: "raise http.max_content_length of the cluster",
    429: "the cluster is busy or its disk is full: give it time, free disk or add nodes",
}


def _of_api(error: Exception, doing: str, *, question: bool) -> ThroughlineError:
    status = getattr(getattr(error, "meta", None), "status", 0)
    if isinstance(error, elasticsearch.UnsupportedProductError):
        return StoreUnavailable(
            f"what answers while {doing} is no Elasticsearch",
            remedy="point THROUGHLINE_STORE_URL at Elasticsearch 8.19 or 9",
        )
    kind, reason = reason_of(error) if isinstance(error, elasticsearch.ApiError) else ("", str(error)[:400])
    if kind == "media_type_header_exception":
        return StoreUnavailable(
            f"the cluster does not speak the language of client {version('elasticsearch')}: {reason}",
            remedy=_VERSIONS,
        )
    if status == 400 and question:
        return BadQuery(f"the cluster cannot answer this: {reason}", remedy="ask for less at once")
    remedy = (
        _CROWDED
        if kind == "validation_exception"
        else _REMEDIES.get(status, "look into the log of the cluster")
    )
    return StoreUnavailable(f"the cluster failed while {doing} ({status}): {kind} {reason}", remedy=remedy)


def translate(error: Exception, doing: str, *, question: bool = False) -> ThroughlineError:
    """Our error for any exception of the client; a ``question`` that is refused is ``BadQuery``."""
    if isinstance(error, elastic_transport.ApiError):
        return _of_api(error, doing, question=question)
    said = str(error)[:300]
    if isinstance(error, elastic_transport.TlsError):
        return StoreUnavailable(
            f"no safe connection to the cluster while {doing}: {said}",
            remedy="check its certificate; SSL_CERT_FILE names the authority to trust",
        )
    if isinstance(error, elastic_transport.ConnectionTimeout):
        return StoreUnavailable(f"the cluster did not answer in time while {doing}: {said}", remedy=_AWAY)
    if isinstance(error, elastic_transport.SerializationError):
        return StoreUnavailable(
            f"the cluster's answer cannot be read while {doing}: {said}",
            remedy="check that nothing else answers at THROUGHLINE_STORE_URL",
        )
    return StoreUnavailable(f"the cluster cannot be reached while {doing}: {said}", remedy=_AWAY)


def item_failure(result: dict[str, Any], doing: str) -> StoreUnavailable:
    """Our error for an item of a bulk that may be stored later."""
    error = result.get("error", {})
    kind, reason = error.get("type", ""), str(error.get("reason", ""))[:300]
    remedy = "look into the log of the cluster"
    if kind == "cluster_block_exception":
        remedy = "free disk on the nodes of the cluster; Elasticsearch then lifts the block"
    elif result["status"] == 404:
        remedy = "its index is made again by itself"
    elif result["status"] == 429:
        remedy = "the cluster is busy: give it time, or add nodes"
    return StoreUnavailable(f"the cluster failed while {doing}: {kind} {reason}", remedy=remedy)


CLIENT_ERRORS: Final = (elastic_transport.ApiError, elastic_transport.TransportError)


def status_of(error: Exception) -> int:
    """The HTTP status of a refusal; 0 where there was no answer."""
    return int(getattr(getattr(error, "meta", None), "status", 0) or 0)


def not_there(error: StoreUnavailable) -> bool:
    """Whether the cluster answered that there is no such thing (404)."""
    return isinstance(error.__cause__, Exception) and status_of(error.__cause__) == 404


class Cluster:
    """Requests to one cluster; safe for use by several threads.

    ``node_class`` is another way to reach a node than the library's own.
    """

    def __init__(self, address: Address, node_class: type[BaseNode] | None = None) -> None:
        self.prefix = address.prefix
        self._nodes = len(address.nodes)
        self._client = _open(address, node_class)
        self._clients: dict[int, elasticsearch.Elasticsearch] = {}

    def ask(
        self,
        method: str,
        path: str,
        body: Body = None,
        *,
        doing: str,
        params: Mapping[str, Any] | None = None,
        lines: bool = False,
        question: bool = False,
    ) -> Any:
        """The answer as Python values; raises ``StoreUnavailable``, or ``BadQuery`` for a question."""
        asked, failures = time.monotonic(), 0
        while True:
            try:
                return self.once(method, path, body, params=params, lines=lines)
            except CLIENT_ERRORS as error:
                failures += 1
                wait = pause(failures)
                patience, limit = {429: PATIENCE, 503: STARTING}.get(status_of(error), 0.0), left()
                if max(time.monotonic() - asked, spent()) + wait > patience or (
                    limit is not None and wait >= limit
                ):
                    raise translate(error, doing, question=question) from error
                rest(wait)

    def once(
        self,
        method: str,
        path: str,
        body: Body = None,
        *,
        params: Mapping[str, Any] | None = None,
        lines: bool = False,
    ) -> Any:
        """As ``ask``, once, with the client's own errors; a node that cannot be reached is left for another."""
        headers = LINES if lines else JSON if body is not None else {"accept": "application/json"}
        nodes = self._nodes
        while True:
            client, limit = self._client, left()
            if limit == 0:
                raise elastic_transport.ConnectionTimeout("there is no time left")
            if limit is not None and limit < TIMEOUT:
                client = self._hurried(math.ceil(limit / STEP))
            try:
                with asking():
                    answer = client.perform_request(method, path, params=params, headers=headers, body=body)
            except elastic_transport.ConnectionError:
                nodes -= 1
                if nodes <= 0:
                    raise
            else:
                return answer.body

    def _hurried(self, steps: int) -> elasticsearch.Elasticsearch:
        """The client that waits for so many ``STEP``; remembered, since one costs as much as a request."""
        if steps not in self._clients:
            self._clients[steps] = self._client.options(request_timeout=steps * STEP)
        return self._clients[steps]

    def found(self, method: str, path: str, body: Body = None, *, doing: str, **options: Any) -> Any:
        """As ``ask``; ``None`` where there is no such thing."""
        try:
            return self.ask(method, path, body, doing=doing, **options)
        except StoreUnavailable as error:
            if not_there(error):
                return None
            raise

    def close(self) -> None:
        """Let go of the sockets."""
        self._client.close()


def pause(failures: int) -> float:
    """Seconds to wait after so many failures: doubling, with jitter."""
    return min(0.1 * 2.0 ** min(failures, 6), 5.0) * random.uniform(0.5, 1.0)


def lines(items: Iterable[Mapping[str, Any]]) -> bytes:
    """Objects as lines of JSON."""
    return b"".join(orjson.dumps(item) + b"\n" for item in items)


__all__ = [
    "CLIENT_ERRORS",
    "Cluster",
    "item_failure",
    "lines",
    "not_there",
    "pause",
    "reason_of",
    "status_of",
    "translate",
]
