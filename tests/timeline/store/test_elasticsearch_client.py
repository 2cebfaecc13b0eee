"""Every failure of the client's library reaches callers in our words."""

import inspect
from collections.abc import Callable
from types import ModuleType

import elastic_transport
import elasticsearch
import pytest

from tests.ports import free_port
from timeline.errors import BadQuery, StoreUnavailable
from timeline.store.elasticsearch.address import read_address
from timeline.store.elasticsearch.client import CLIENT_ERRORS, Cluster, pause, translate


def exceptions_of(module: ModuleType) -> list[type[Exception]]:
    """Every exception class that a library shows, warnings apart."""
    return [
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Exception) and not issubclass(kind, Warning)
    ]


ALL = {*exceptions_of(elasticsearch), *exceptions_of(elastic_transport)}


def meta(status: int) -> elastic_transport.ApiResponseMeta:
    """What the library knows of an answer."""
    node = elastic_transport.NodeConfig("http", "h", 9200)
    return elastic_transport.ApiResponseMeta(
        status=status, http_version="1.1", headers=elastic_transport.HttpHeaders(), duration=0.1, node=node
    )


def made(kind: type[Exception], status: int = 500, body: object = "text") -> Exception:
    """One of this class, as the library makes it."""
    if issubclass(kind, elastic_transport.ApiError):
        return kind("failed", meta(status), body)
    return kind("failed")


@pytest.mark.parametrize("kind", sorted(ALL, key=lambda kind: (kind.__module__, kind.__name__)))
def test_every_exception_of_the_library_becomes_one_of_ours_with_a_remedy(kind: type[Exception]) -> None:
    error = made(kind)
    assert isinstance(error, CLIENT_ERRORS)
    ours = translate(error, "testing")
    assert isinstance(ours, StoreUnavailable)
    assert "testing" in ours.message
    assert ours.remedy


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 413, 418, 429, 500, 503])
def test_a_refusal_names_its_status_its_reason_and_a_remedy(status: int) -> None:
    body = {"error": {"root_cause": [{"type": "the_kind", "reason": "the reason"}]}}
    ours = translate(made(elasticsearch.ApiError, status, body), "testing")
    assert isinstance(ours, StoreUnavailable)
    assert all(part in ours.message for part in (str(status), "the_kind", "the reason"))
    assert ours.remedy


def test_only_a_question_that_is_refused_is_a_bad_query() -> None:
    assert isinstance(translate(made(elasticsearch.BadRequestError, 400), "x", question=True), BadQuery)
    assert isinstance(translate(made(elasticsearch.BadRequestError, 400), "x"), StoreUnavailable)
    assert isinstance(translate(made(elasticsearch.ApiError, 503), "x", question=True), StoreUnavailable)


def test_a_client_of_the_wrong_version_is_told_which_one_to_install() -> None:
    body = {"error": {"root_cause": [{"type": "media_type_header_exception", "reason": "Invalid"}]}}
    ours = translate(made(elasticsearch.BadRequestError, 400, body), "x", question=True)
    assert isinstance(ours, StoreUnavailable)
    assert "elasticsearch>=8.19,<9" in ours.remedy


@pytest.mark.parametrize(
    "body", [None, "", {}, {"error": "text"}, {"error": {}}, {"error": {"root_cause": ["x"]}}]
)
def test_an_answer_of_any_shape_is_told(body: object) -> None:
    assert isinstance(translate(made(elasticsearch.ApiError, 500, body), "x"), StoreUnavailable)


def test_a_cluster_that_is_not_there_is_unavailable_at_once() -> None:
    cluster = Cluster(read_address(f"elasticsearch://127.0.0.1:{free_port()}"))
    with pytest.raises(StoreUnavailable) as raised:
        cluster.ask("GET", "/_cluster/health", doing="testing")
    assert isinstance(raised.value.__cause__, elastic_transport.ConnectionError)
    cluster.close()


def test_waits_grow_and_stay_bounded() -> None:
    lowest: Callable[[int], float] = lambda failures: min(pause(failures) for _ in range(200))  # noqa: E731
    assert lowest(1) < 0.2 < lowest(4)
    assert 5.0 >= max(pause(failures) for failures in range(100))
