"""The query APIs of Jaeger and Zipkin, asked as their readers ask."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from tests import builders as b
from timeline import keys, wiring
from timeline.inbox.inbox import Inbox
from timeline.models import Token
from timeline.reading.desk import Desk
from timeline.store.tantivy import TantivyStore

pytestmark = pytest.mark.django_db
US = b.NOW // 1000
SPAN = {"start": str(US - 10**6), "end": str(US + 10**6)}
MILLIS = {"endTs": str(US // 1000 + 1000), "lookback": "3600000"}


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A read token for a store with two traces of a shop, one failed and slow."""
    store = TantivyStore(tmp_path / "index", writable=True)
    store.prepare()
    store.write(
        [
            b.stored(b.span(1, 1, service="shop", name="buy", kind="server", start=b.NOW, end=b.NOW + 5_000_000)),
            b.stored(b.span(1, 2, service="bank", name="pay", parent=b.span_id(1), start=b.NOW, end=b.NOW + 1)),
            b.stored(
                b.span(
                    2, 1, service="shop", name="sell", kind="producer", start=b.NOW + 1,
                    end=b.NOW + 2_000_000_000, status="error", attributes={"colour": "red", "n": 7},
                )
            ),
        ],
        visible=True,
    )  # fmt: skip
    desk = Desk(store, Inbox(tmp_path / "inbox.sqlite3"), node="here", retention_days=14, rules=lambda _: {})
    monkeypatch.setattr(wiring, "reading", lambda: desk)
    yield keys.create("grafana", Token.Scope.READ)
    store.close()


def _ask(token: str, path: str, **params: Any) -> tuple[int, Any]:
    answer = Client().get(path, params, headers={"Authorization": f"Bearer {token}"})
    return answer.status_code, answer.json()


def _traces(token: str, **params: str) -> list[str]:
    status, body = _ask(token, "/api/traces", service="shop", **{**SPAN, **params})
    assert 200 == status, body
    assert len(body["data"]) == body["total"]
    return [trace["traceID"] for trace in body["data"]]


def test_services_and_operations(token: str) -> None:
    assert ["bank", "shop"] == _ask(token, "/api/services")[1]["data"]
    assert ["buy", "sell"] == _ask(token, "/api/services/shop/operations")[1]["data"]
    assert [{"name": "buy", "spanKind": "server"}, {"name": "sell", "spanKind": "producer"}] == _ask(
        token, "/api/operations", service="shop"
    )[1]["data"]
    assert [{"name": "sell", "spanKind": "producer"}] == _ask(
        token, "/api/operations", service="shop", spanKind="producer"
    )[1]["data"]


ONE, TWO = b.trace_id(1), b.trace_id(2)


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({}, [TWO, ONE]),
        ({"limit": "1"}, [TWO]),
        ({"operation": "buy"}, [ONE]),
        ({"minDuration": "1s"}, [TWO]),
        ({"maxDuration": "100ms"}, [ONE]),
        ({"tags": '{"error":"true"}'}, [TWO]),
        ({"tags": '{"colour":"red","n":7}'}, [TWO]),
        ({"tags": '{"error":"false"}'}, [ONE]),
        ({"tags": '{"span.kind":"server"}'}, [ONE]),
        ({"tag": "colour:red"}, [TWO]),
        ({"tag": "colour:blue"}, []),
        ({"start": str(US - 20), "end": str(US - 10)}, []),
    ],
)
def test_traces_by_what_a_span_is(token: str, asked: dict[str, str], found: list[str]) -> None:
    assert found == _traces(token, **asked)


def test_traces_by_id(token: str) -> None:
    status, body = _ask(token, f"/api/traces/{ONE}")
    assert (200, [1, 2]) == (status, sorted(int(span["spanID"], 16) for span in body["data"][0]["spans"]))
    assert [ONE, TWO] == [
        trace["traceID"] for trace in _ask(token, "/api/traces", traceID=[ONE.upper(), TWO])[1]["data"]
    ]
    status, body = _ask(token, f"/api/traces/{b.trace_id(77)}")
    assert (404, 404, None) == (status, body["errors"][0]["code"], body["data"])


@pytest.mark.parametrize(
    ("path", "params"),
    [
        ("/api/traces", {}),
        ("/api/traces/zz", {}),
        ("/api/traces", {"service": "shop", "tags": "{"}),
        ("/api/traces", {"service": "shop", "tags": "[1]"}),
        ("/api/traces", {"service": "shop", "tag": "colour"}),
        ("/api/traces", {"service": "shop", "tag": "error:perhaps"}),
        ("/api/traces", {"traceID": [f"{number:x}" for number in range(1, 502)]}),
        ("/api/traces", {"service": "shop", "limit": "-1"}),
        ("/api/traces", {"service": "shop", "limit": "100000"}),
        ("/api/traces", {"service": "shop", "start": "9" * 30}),
        ("/api/traces", {"service": "shop", "minDuration": "soon"}),
        ("/api/operations", {}),
        ("/api/operations", {"service": "shop", "spanKind": "odd"}),
    ],
)
def test_jaegers_readers_are_told_what_is_wrong(token: str, path: str, params: dict[str, str]) -> None:
    status, body = _ask(token, path, **params)
    assert 400 == status == body["errors"][0]["code"]
    assert "; " in body["errors"][0]["msg"]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"serviceName": "shop"}, [TWO, ONE]),
        ({"serviceName": "bank"}, [ONE]),
        ({"serviceName": "all", "spanName": "sell"}, [TWO]),
        ({"annotationQuery": "error"}, [TWO]),
        ({"annotationQuery": "colour=red and n=7"}, [TWO]),
        ({"annotationQuery": "colour"}, [TWO]),
        ({"minDuration": "1000000"}, [TWO]),
        ({"maxDuration": "1000", "serviceName": "bank"}, [ONE]),
        ({"limit": "1"}, [TWO]),
    ],
)
def test_zipkins_search(token: str, asked: dict[str, str], found: list[str]) -> None:
    status, body = _ask(token, "/api/v2/traces", **MILLIS, **asked)
    assert (200, found) == (status, [trace[0]["traceId"] for trace in body])


def test_the_rest_of_zipkins_api(token: str) -> None:
    assert ["bank", "shop"] == _ask(token, "/api/v2/services")[1]
    assert ["buy", "sell"] == _ask(token, "/api/v2/spans", serviceName="shop")[1]
    assert [] == _ask(token, "/api/v2/remoteServices", serviceName="shop")[1]
    assert 2 == len(_ask(token, f"/api/v2/trace/{ONE}")[1])
    assert 404 == _ask(token, f"/api/v2/trace/{b.trace_id(77)}")[0]
    assert [2, 1] == list(map(len, _ask(token, "/api/v2/traceMany", traceIds=f"{ONE},{TWO}")[1]))
    assert [{"parent": "shop", "child": "bank", "callCount": 1, "errorCount": 0}] == _ask(
        token, "/api/v2/dependencies", **MILLIS
    )[1]
    assert [{"parent": "shop", "child": "bank", "callCount": 1}] == _ask(
        token, "/api/dependencies", **MILLIS
    )[1]["data"]
    assert 400 == _ask(token, "/api/v2/spans")[0]


def test_who_may_ask(token: str) -> None:
    basic = base64.b64encode(f"grafana:{token}".encode()).decode()
    for header, status in (
        (f"Basic {basic}", 200),
        (f"Bearer {token}", 200),
        ("Basic !", 401),
        ("Basic \u00e9", 401),
        (f"Bearer {token}x", 401),
        ("", 401),
    ):
        answer = Client().get("/api/services", headers={"Authorization": header} if header else {})
        assert status == answer.status_code, header
    assert answer.headers["WWW-Authenticate"].startswith("Basic")
    assert "manage.py token create" in answer.json()["errors"][0]["msg"]
