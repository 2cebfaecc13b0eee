from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry import baggage
from opentelemetry.context import Context, attach, detach

from tracing import propagation
from tracing.entities import MOST_BYTES, MOST_ENTITIES, entity, leave, named
from tracing.guard import losses
from tracing.headers import Headers
from tracing.testing import Capture


@pytest.fixture(autouse=True)
def _own_context() -> Iterator[None]:
    with propagation.attached(Context()):
        yield


def carried() -> Headers:
    """What a message sent now would carry."""
    headers = Headers()
    with Capture().provider.get_tracer("t").start_as_current_span("send"):
        propagation.inject(headers)
    return headers


def test_entities_are_on_the_current_span_and_on_all_spans_inside() -> None:
    capture = Capture()
    tracer = capture.provider.get_tracer("t")
    with tracer.start_as_current_span("POST /bets"):
        with entity("bet", 8812, player="20417"), tracer.start_as_current_span("INSERT bets"):
            pass
        with tracer.start_as_current_span("after"):
            pass
    both = {"throughline.entity.bet": "8812", "throughline.entity.player": "20417"}
    assert both == dict(capture.span("INSERT bets").attributes or {})
    assert both == dict(capture.span("POST /bets").attributes or {})
    assert {} == dict(capture.span("after").attributes or {})


def test_several_ids_of_a_type_make_a_list() -> None:
    with entity("bet", "1"), entity("bet", "2"):
        assert {"throughline.entity.bet": ["1", "2"]} == named().attributes()


def test_the_next_service_sees_them_as_context_until_it_names_them() -> None:
    with entity("bet", "8812", match="4711"):
        headers = carried()
    token = attach(propagation.extract(headers.pairs()))
    try:
        assert {
            "throughline.context.bet": "8812",
            "throughline.context.match": "4711",
        } == named().attributes()
        with entity("bet", "8812"):
            assert {
                "throughline.entity.bet": "8812",
                "throughline.context.match": "4711",
            } == named().attributes()
            onward = named(propagation.extract(carried().pairs()))
    finally:
        detach(token)
    assert {("bet", "8812"), ("match", "4711")} == set(onward.context)


def test_at_most_eight_travel_the_innermost_first() -> None:
    with ExitStack() as stack:
        for number in range(12):
            stack.enter_context(entity("bet", str(number)))
        travelling = named(propagation.extract(carried().pairs())).context
    assert MOST_ENTITIES == len(travelling)
    assert ("bet", "11") in travelling
    assert ("bet", "3") not in travelling


def test_at_most_one_kibibyte_travels_and_what_is_left_out_is_counted() -> None:
    before = losses().get("entity left out of baggage", 0)
    with entity("a", "x" * 250, b="y" * 250, c="z" * 250, d="€" * 100, e="w"):
        line = carried().get("baggage") or ""
        members = leave()
    assert len(line) <= MOST_BYTES
    assert "throughline.entity.e" in members
    assert "throughline.entity.d" not in members
    assert before < losses()["entity left out of baggage"]


@pytest.mark.parametrize(
    ("kind", "name"), [("", "1"), ("bet", ""), ("bet:x", "1"), ("bet", "x" * 257), ("b t", "1")]
)
def test_what_is_no_entity_is_left_out_and_the_body_still_runs(kind: object, name: object) -> None:
    ran = False
    with entity(kind, name):  # type: ignore[arg-type]
        ran = named().subjects == ()
    assert ran


def test_an_id_that_cannot_be_text_never_raises() -> None:
    class Hostile:
        def __str__(self) -> str:
            raise RuntimeError("no")

    with entity("bet", Hostile()):
        assert () == named().subjects


def test_the_bodys_own_exception_passes_and_the_context_is_restored() -> None:
    with pytest.raises(ZeroDivisionError), entity("bet", "1"):
        raise ZeroDivisionError
    assert () == named().subjects


def test_entities_left_in_the_baggage_by_another_propagator_are_context_too() -> None:
    token = attach(baggage.set_baggage("throughline.entity.bet", "1,a%2Cb"))
    try:
        assert (("bet", "1"), ("bet", "a,b")) == named().context
        with entity("bet", "1"):
            assert (("bet", "a,b"),) == named().context
    finally:
        detach(token)


def test_a_decorated_function_is_about_its_entity() -> None:
    @entity("match", "4711")
    def subjects() -> object:
        return named().subjects

    assert (("match", "4711"),) == subjects() == subjects()


ids = st.text(min_size=1, max_size=30).filter(lambda name: name.encode("utf-8", "replace").decode() == name)


@given(st.lists(ids, min_size=1, max_size=4, unique=True))
def test_any_id_reaches_the_next_service_as_it_was(given_ids: list[str]) -> None:
    with propagation.attached(Context()), ExitStack() as stack:
        for name in given_ids:
            stack.enter_context(entity("order", name))
        travelling = named(propagation.extract(carried().pairs())).context
    assert {("order", name) for name in given_ids} == set(travelling)
