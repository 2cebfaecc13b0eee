"""Free text means the same words to every store."""

import pytest

from tests import builders as b
from tests.contract.pair import Pair
from timeline.domain import Annotation
from timeline.search.query import Words
from timeline.search.tokens import words

SHA = "sha256:" + "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9."
    + "eyJzdWIiOiIxMjM0NTY3ODkwIn0" * 14
    + ".dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U"
)
TEXTS = [
    "the order could not be settled in time",
    SHA,
    JWT,
    "foo_bar failed",
    "I don't know",
    "注文が失敗しました",
    "launch 🚀 failed",
    "STRASSE straße",
    "x" * 300 + " tail",
    "order-1234/5 at https://example.com/orders/1234?x=1",
]


def said(text: str, number: int):
    """A log record with this text."""
    return b.stored(b.event(number, kind="log", name="", body=text))


@pytest.mark.parametrize("text", TEXTS)
def test_a_text_is_found_by_all_its_words_and_as_a_phrase(pair: Pair, text: str) -> None:
    facts = [said(other, number) for number, other in enumerate(TEXTS)]
    pair.write(facts)
    own = facts[TEXTS.index(text)]
    pair.finds(Words(tuple(words(text))), own)
    pair.finds(Words(tuple(words(text)), phrase=True), own)
    pair.finds(Words(tuple(words(text))[::-1]), own)


def test_words_are_found_in_any_order_and_phrases_only_in_theirs(pair: Pair) -> None:
    own = said("wallet refused the second bet", 1)
    pair.write([own])
    pair.finds(Words(("bet", "wallet")), own)
    pair.finds(Words(("second", "bet"), phrase=True), own)
    pair.finds(Words(("bet", "second"), phrase=True))
    pair.finds(Words(("wallet", "bet"), phrase=True))
    pair.finds(Words(("wallet", "missing")))


def test_a_phrase_does_not_reach_from_one_text_into_the_next(pair: Pair) -> None:
    own = b.stored(b.span(name="settle bet", status="error", status_message="wallet empty"))
    pair.write([own])
    pair.finds(Words(("settle", "bet"), phrase=True), own)
    pair.finds(Words(("bet", "wallet"), phrase=True))


def test_the_last_word_may_be_unfinished(pair: Pair) -> None:
    own = said("order ord-1234 could not be settled", 1)
    pair.write([own, said("something else", 2)])
    for text in ("sett", "ord-12", "order ord-1", "not be sett"):
        pair.finds(Words(tuple(words(text)), prefix=True), own)
        pair.finds(Words(tuple(words(text)), prefix=True, phrase=True), own)
    pair.finds(Words(("order", "sett"), prefix=True, phrase=True))
    pair.finds(Words(("xsett",), prefix=True))


def test_every_source_of_text_is_found(pair: Pair) -> None:
    error = Annotation(at=b.NOW, name="exception", attributes={"exception.message": "balance too low"})
    span = b.stored(b.span(name="charge wallet", status_message="payment declined", annotations=(error,)))
    body = b.stored(b.event(1, body={"note": "deliver to the neighbour"}))
    log = b.stored(b.event(2, kind="log", attributes={"exception.type": "TimeoutError"}, body="gave up"))
    pair.write([span, body, log])
    for found, own in (
        ("charge wallet", span),
        ("payment declined", span),
        ("balance too low", span),
        ("neighbour", body),
        ("timeouterror", log),
        ("gave up", log),
    ):
        pair.finds(Words(tuple(words(found)), phrase=True), own)


@pytest.mark.parametrize("prefix", [False, True])
@pytest.mark.parametrize("phrase", [False, True])
def test_text_without_a_single_word_proves_nothing_and_finds_nothing(
    pair: Pair, prefix: bool, phrase: bool
) -> None:
    pair.write([said("anything", 1)])
    pair.finds(Words((), phrase=phrase, prefix=prefix))


@pytest.mark.parametrize("word", [".*", "[a-z]", "a|b", "\\", "(", "*", "anything OR", "\0", "\x01"])
def test_operators_in_words_are_only_text(pair: Pair, word: str) -> None:
    pair.write([said("anything at all", 1)])
    pair.finds(Words((word,)))
    pair.finds(Words((word,), prefix=True))
    pair.found(Words(("anything", word), phrase=True, prefix=True))


def test_a_very_long_text_is_cut_and_the_fact_marked(pair: Pair) -> None:
    own = said("word " * 30_000 + "last", 1)
    pair.write([own])
    (kept,) = pair.store.get([own.receipt.id])
    assert kept is not None
    assert kept.receipt.partial
    assert own.fact == kept.fact
    pair.found(Words(("word",)))
    pair.finds(Words(("last",)))
