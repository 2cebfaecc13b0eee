"""Which decoder a request meets, by its signal, media type and encoding."""

from __future__ import annotations

import gzip
from typing import Any

import pytest
import zstandard

from tests.timeline.ingest.otlp_requests import accepted, decoded, judged, logs, otlp_json, traces
from timeline.errors import MalformedPayload, TooLarge, UnsupportedPayload
from timeline.ingest.decode import Rules, decode, inspect, media_type


@pytest.mark.parametrize(
    "content_type",
    [
        "application/x-protobuf",
        "application/protobuf",
        "Application/X-Protobuf; charset=utf-8",
        " application/x-protobuf ",
    ],
)
def test_protobuf_is_known_by_its_names(content_type: str) -> None:
    assert judged(traces({}), headers={"content-type": content_type}).items == 1


@pytest.mark.parametrize("content_type", ["application/json", "APPLICATION/JSON;charset=UTF-8"])
def test_json_is_known_by_its_name(content_type: str) -> None:
    assert judged(otlp_json(traces({})), headers={"content-type": content_type}).items == 1


@pytest.mark.parametrize("headers", [{}, {"content-type": ""}, {"content-type": "text/html"}])
@pytest.mark.parametrize("signal", ["traces", "logs", "events"])
def test_any_other_media_type_is_unsupported(headers: dict[str, str], signal: str) -> None:
    request = accepted(traces({}), signal, headers=headers)
    for call in (lambda: inspect(request), lambda: decode(request, Rules.default())):
        with pytest.raises(UnsupportedPayload) as caught:
            call()
        assert caught.value.remedy


def test_the_signal_decides_what_a_body_is() -> None:
    assert judged(logs({}, {}), "logs").items == 2
    assert judged(otlp_json(logs({}, {})), "logs").items == 2
    assert judged(otlp_json(logs({}, {})), "traces").items == 0


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("zstd", zstandard.compress)])
def test_compressed_requests_give_the_same_facts(encoding: str, pack: Any) -> None:
    request = traces({}, {})
    body = pack(request.SerializeToString())
    assert decoded(request).facts == decoded(body, content_encoding=encoding).facts
    with pytest.raises(TooLarge):
        inspect(accepted(body, content_encoding=encoding), limit=10)
    with pytest.raises(TooLarge):
        decode(accepted(body, content_encoding=encoding), Rules.default(), limit=10)
    with pytest.raises(MalformedPayload):
        judged(request, content_encoding=encoding)


def test_media_types_lose_their_parameters() -> None:
    assert [media_type(one) for one in ("A/B; c=d", "", "a/b;c;d")] == ["a/b", "", "a/b"]
