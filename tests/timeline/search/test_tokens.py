"""The same tokens for facts and for questions."""

import gc
import itertools
import math
import struct

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tests import builders as b
from timeline.domain import EventInfo, Message, Scope
from timeline.search import tokens as t
from timeline.search.fact_tokens import fact_tokens

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def tokens_of(fact) -> list[str]:
    """The exact tokens of a fact."""
    return fact_tokens(b.stored(fact)).kv.split(" ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("Order  PLACED!", ["order", "placed"]),
        ("sha256:" + "ab12" * 16, ["sha256", "ab12" * 16, "sha256:" + "ab12" * 16]),
        ("foo_bar", ["foo", "bar", "foo_bar"]),
        ("__init__", ["init"]),
        ("don't don\u2019t 'quoted'", ["don't", "don't", "quoted"]),
        ("well-known and/or x.y", ["well", "known", "and", "or", "x", "y"]),
        ("ord-12 a/b/3", ["ord", "12", "a", "b", "3", "ord-12", "a/b/3"]),
        ("注文BET失敗", ["注", "文", "bet", "失", "敗"]),
        ("カタカナ ひらがな", list("カタカナひらがな")),
        ("서울 Straße ﬁn", ["서울", "strasse", "fin"]),
        ("हिन्दी", ["हिन्दी"]),
        ("🚀 ok❤️ 👩‍💻", ["🚀", "ok", "❤", "👩‍💻"]),
        ("e\u0301tait", ["était"]),
        ("\u0130stanbul", ["i\u0307stanbul"]),
        ("--- ... ''", []),
    ],
)
def test_words_are_cut_as_documented(text: str, expected: list[str]) -> None:
    assert expected == t.words(text)


def test_a_token_of_three_parts_is_found_by_part_and_as_a_whole() -> None:
    jwt = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9P"
    found = t.words(jwt)
    assert jwt.lower() in found
    assert {part.lower() for part in jwt.replace("_", ".").split(".")} <= set(found)


def test_a_word_over_255_characters_becomes_a_hash_of_its_own() -> None:
    (short,), (long,), (other,) = t.words("x" * 255), t.words("x" * 256), t.words("x" * 257)
    assert "x" * 255 == short
    assert ("#", 33) == (long[0], len(long))
    assert long != other


@given(st.text(max_size=300))
def test_words_hold_no_space_and_are_words_of_themselves(text: str) -> None:
    for word in t.words(text):
        assert word == word.strip()
        assert " " not in word
        assert 0 < len(word) <= 255
        if not word.startswith("#"):
            assert word in t.words(word)


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_text_has_the_plain_words_of_its_parts(first: str, second: str) -> None:
    both = t.plain(t.words(f"{first} . {second}"))
    assert t.plain(t.words(first)) + t.plain(t.words(second)) == both


@given(TEXT, TEXT, TEXT, TEXT)
@example("a", "b=c", "a=b", "c")
@example("a\0", "b", "a", "\0b")
@example("a`0.", "b", "a\0", "b")
@example("a~", "b", "a", "~b")
@example("a`7e.b", "c", "a", "b~c")
def test_different_pairs_have_different_tokens(key: str, value: str, key2: str, value2: str) -> None:
    same = (key, value) == (key2, value2)
    assert same == (t.kv_token(key, value) == t.kv_token(key2, value2))
    kinds = [t.kv_token(key, value), t.exists_token(key), t.bare_token(value), t.field_token("id", value)]
    kinds += t.number_tokens(key, 5)
    assert len(kinds) == len(set(kinds))
    assert not any(character.isspace() for token in kinds for character in token)


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=600), st.integers(0, 256))
def test_the_token_of_a_prefix_starts_the_token_of_every_value(value: str, length: int) -> None:
    assert t.kv_token("key", value).startswith(t.prefix_token("key", value[:length]))


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=200, max_size=700))
def test_long_values_keep_a_prefix_and_a_hash_and_their_token_is_its_own_token(value: str) -> None:
    token = t.value_token(value)
    assert token == t.value_token(token)
    assert value[:256] == token[:256]
    assert len(token) <= 290
    assert token != t.value_token(value + "x")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("ord-1", False),
        ("ord-12", True),
        ("123456", True),
        ("12345", False),
        ("orders", False),
        ("a-word-without-digit", False),
        ("a-word-without-digits-2", True),
        ("thisiswithoutanydigits", True),
        ("ord 123456", False),
        ("insufficient funds in the wallet", False),
        ("", False),
    ],
)
def test_values_shaped_like_ids_are_told_from_others(value: str, expected: bool) -> None:
    assert expected is t.id_shaped(value)


FLOATS = st.floats(allow_nan=False)


@given(FLOATS, FLOATS)
def test_number_tokens_sort_as_the_numbers_do(one: float, two: float) -> None:
    assert (one < two) == (t.number_tokens("k", one)[0] < t.number_tokens("k", two)[0])
    assert (one == two) == (t.number_tokens("k", one) == t.number_tokens("k", two))


def holds(ranges: list[t.TermRange], number: float) -> bool:
    """Whether one of the number's tokens lies in one of the ranges."""
    return any(
        term.startswith(terms.head)
        and len(term) == len(terms.head) + len(terms.low)
        and terms.low <= term[len(terms.head) :] <= terms.high
        for term in t.number_tokens("k", number)
        for terms in ranges
    )


@given(st.none() | FLOATS, st.none() | FLOATS, st.booleans(), st.booleans(), FLOATS)
@example(None, None, True, True, math.inf)
@example(0.0, 0.0, False, False, -0.0)
@example(1.0, 2.0, True, True, 1.0)
def test_number_ranges_hold_exactly_the_numbers_inside(
    low: float | None, high: float | None, low_open: bool, high_open: bool, number: float
) -> None:
    ranges = t.number_ranges("k", low, high, low_open=low_open, high_open=high_open)
    assert len(ranges) <= 3
    near = [number, low, high]
    near += [math.nextafter(n, to) for n in near if n is not None for to in (math.inf, -math.inf)]
    for candidate in near:
        if candidate is not None:
            above = low is None or (candidate > low if low_open else candidate >= low)
            below = high is None or (candidate < high if high_open else candidate <= high)
            assert (above and below) is holds(ranges, candidate)


def test_a_number_that_is_none_has_no_number_tokens() -> None:
    assert [] == t.number_tokens("k", math.nan)
    assert [] == t.number_ranges("k", math.nan, 3)
    assert [] == t.number_ranges("k", 3, 2)
    assert t.number_tokens("k", 10**400) == t.number_tokens("k", math.inf)


def test_integers_are_exact_as_text_and_nearest_doubles_in_ranges() -> None:
    found = tokens_of(b.span(attributes={"n": (1 << 53) + 1}))
    assert t.kv_token("n", "9007199254740993") in found
    assert t.kv_token("n", "9007199254740992") not in found
    assert set(t.number_tokens("n", float(1 << 53))) <= set(found)


def test_texts_that_look_like_numbers_are_no_numbers() -> None:
    found = tokens_of(b.span(attributes={"n": "42", "yes": True, "no": 42}))
    assert not set(t.number_tokens("n", 42)) & set(found)
    assert not set(t.number_tokens("yes", 1)) & set(found)
    assert set(t.number_tokens("no", 42)) <= set(found)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("x", ("x",)),
        (True, ("true",)),
        (False, ("false",)),
        (7, ("7",)),
        (2.5, ("2.5",)),
        (5.0, ("5.0", "5")),
        (1e300, ("1e+300",)),
        (math.inf, ("inf",)),
        (b"\x00\xff", ("AP8=",)),
        (None, ()),
    ],
)
def test_scalars_are_written_as_people_write_them(value, expected) -> None:
    assert expected == t.texts(value)


def test_leaves_extend_keys_through_maps_and_keep_them_through_arrays() -> None:
    value = {"a": [1, {"b": 2}], "": {"c": 3}, "empty": {}, "none": []}
    expected = [("k.a", 1), ("k.a.b", 2), ("k..c", 3), ("k.empty", None), ("k.none", None)]
    assert expected == list(t.leaves("k", value))


def test_leaves_of_deep_nesting_need_no_deep_stack() -> None:
    value: object = "end"
    for _ in range(50_000):
        value = [value]
    assert [("k", "end")] == list(t.leaves("k", value))


def test_promoted_facts_are_found_under_the_current_names() -> None:
    message = Message(
        system="kafka",
        operation="process",
        destination="orders",
        id="m-1",
        key="k-1",
        partition="3",
        offset=17,
        group="billing",
        conversation_id="c-1",
        body_size=10,
        header_bytes=11,
        schema="s-1",
        attempt=2,
        batch_count=4,
        cluster="main-cluster",
    )
    info = EventInfo(
        source="/s",
        id="e-1",
        type="Paid",
        subject="order/1",
        correlation_id="co",
        causation_id="ca",
        sequence="9",
    )
    found = tokens_of(b.span(message=message, event=info))
    for key, value in {
        "messaging.system": "kafka",
        "messaging.operation.type": "process",
        "messaging.destination.name": "orders",
        "messaging.message.id": "m-1",
        "messaging.kafka.message.key": "k-1",
        "messaging.destination.partition.id": "3",
        "messaging.kafka.offset": "17",
        "messaging.consumer.group.name": "billing",
        "messaging.message.conversation_id": "c-1",
        "messaging.message.body.size": "10",
        "messaging.batch.message_count": "4",
        "messaging.kafka.cluster.id": "main-cluster",
        "throughline.message.header_bytes": "11",
        "throughline.message.schema": "s-1",
        "throughline.message.attempt": "2",
        "cloudevents.event_id": "e-1",
        "cloudevents.event_source": "/s",
        "cloudevents.event_type": "Paid",
        "cloudevents.event_subject": "order/1",
        "throughline.event.correlation_id": "co",
        "throughline.event.causation_id": "ca",
        "throughline.event.sequence": "9",
        "service.name": "orders",
    }.items():
        assert t.kv_token(key, value) in found
        assert t.exists_token(key) in found
    assert set(t.number_tokens("messaging.kafka.offset", 17)) <= set(found)


def test_the_key_of_a_message_of_another_system_has_our_own_name() -> None:
    found = tokens_of(b.span(message=Message(system="rabbitmq", key="k-1")))
    assert t.kv_token("throughline.message.key", "k-1") in found


def test_a_fact_with_more_words_or_leaves_than_the_limit_is_partly_indexed() -> None:
    assert fact_tokens(b.stored(b.event(body={str(n): n for n in range(201)}))).partial
    assert not fact_tokens(b.stored(b.event(body={str(n): n for n in range(200)}))).partial
    assert fact_tokens(b.stored(b.event(kind="log", body="w " * 20_001))).partial
    assert fact_tokens(b.stored(b.event(kind="log", body="x" * 400_000))).partial
    assert not fact_tokens(b.stored(b.event(kind="log", body="w " * 2_000))).partial


def test_resources_shared_by_many_facts_are_not_mixed_up() -> None:
    one, two = {"host.name": "one"}, {"host.name": "two"}
    for resource, other in itertools.islice(itertools.cycle([(one, two), (two, one)]), 6):
        found = tokens_of(b.span(resource=resource))
        assert t.kv_token("host.name", resource["host.name"]) in found
        assert t.kv_token("host.name", other["host.name"]) not in found
    shared, scope = {"host.name": "three"}, Scope(name="lib")
    assert t.kv_token("service.version", "1") in tokens_of(b.span(resource=shared, scope=scope, version="1"))
    assert t.kv_token("service.version", "1") not in tokens_of(
        b.span(resource=shared, scope=scope, version="2")
    )


def test_more_resources_keys_and_values_than_are_remembered_change_nothing() -> None:
    for number in range(2_500):
        found = tokens_of(
            b.span(resource={f"host.{number}": "x"}, attributes={f"k{n}": number for n in range(10)})
        )
        assert t.kv_token(f"host.{number}", "x") in found
        assert t.kv_token("k9", str(number)) in found


class Resource(dict):
    """One that counts how many of it are alive."""

    alive = 0

    def __init__(self, *values: object) -> None:
        super().__init__(*values)
        type(self).alive += 1

    def __del__(self) -> None:
        type(self).alive -= 1


def test_few_resources_outlive_their_request() -> None:
    for number in range(200):
        tokens_of(b.span(resource=Resource({"host.name": str(number)})))
    gc.collect()
    assert Resource.alive <= 32


@pytest.mark.parametrize("pair", [(-0.0, 0.0), (0.0, -0.0)])
def test_a_zero_is_found_by_its_own_sign_whatever_was_seen_before(pair: tuple[float, float]) -> None:
    for value in pair:
        found = [one for one in tokens_of(b.span(attributes={"sign": value})) if one.startswith("sign~")]
        assert [f"sign~{value}", "sign~0"] == found


def test_values_of_a_key_come_from_every_part_once() -> None:
    span = b.span(attributes={"a": ["x", "y", "x"], "b": 5.0}, resource={"a": "z"})
    assert ["x", "y", "z"] == t.values_of(span, "a")
    assert ["5.0"] == t.values_of(span, "b")
    assert [] == t.values_of(span, "nothing")
    assert ["ERROR"] == t.values_of(b.event(severity="ERROR", severity_number=17), "severity")


def test_the_sortable_form_of_a_number_is_its_double() -> None:
    expected = struct.pack(">d", 1.5).hex()
    (fine, coarse) = t.number_tokens("k", 1.5)
    assert fine.endswith("b" + expected[1:])
    assert coarse.endswith(("b" + expected[1:])[:5])


@pytest.mark.timeout(30)
@pytest.mark.parametrize("text", ["x", "é", "'", "a'", "x_", "_", "a.", "👩‍💻", "\u0301", "注", "a-", "("])
def test_words_of_a_long_run_take_time_linear_in_it(text: str) -> None:
    assert isinstance(t.words(text * 150_000), list)
