"""What a rule hashed is found by its plain value, on each store; what a rule took away, the answer says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import builders as b
from timeline.domain import Entity
from timeline.inbox.inbox import Inbox
from timeline.reading.desk import Desk
from timeline.reading.search import Ask
from timeline.redaction.asking import Asking, Term
from timeline.redaction.rules import Redaction, Rule
from timeline.search.query import Window
from timeline.store.port import Store

pytestmark = pytest.mark.django_db
SALT = b"salt"
RULES = (
    Rule(number=1, by="attribute", match="user.email", action="hash"),
    Rule(number=2, by="detector", match="card", action="hash"),
    Rule(number=3, by="attribute", match="order.pin", action="drop"),
    Rule(number=4, by="detector", match="jwt", action="mask"),
)
CARD = "4111111111111111"


@pytest.fixture
def desk(store: Store, tmp_path: Path) -> Desk:
    """Questions under rules, one fact received under them."""
    redaction = Redaction(RULES, SALT)
    attributes = {"user.email": "ann@example.org", "note": f"by {CARD}", "customer.id": CARD}
    kept = {key: redaction.value(key, value) for key, value in attributes.items()}
    fact = b.span(attributes=kept, entities=b.entities(f"customer:{kept['customer.id']}"))
    store.write([b.stored(fact)], visible=True)
    asking = Asking((Term(rule, b.NOW - b.DAY) for rule in RULES), SALT)
    return Desk(
        store,
        Inbox(tmp_path / "inbox.sqlite3"),
        node="here",
        retention_days=36500,
        rules=lambda _: {"customer.id": "customer", "order.pin": "order"},
        asking=lambda _: asking,
    )


@pytest.mark.parametrize(
    "text",
    [
        "user.email:ann@example.org",
        "attribute.user.email:ann@example.org",
        CARD,
        "4111 1111 1111 1111",
        f"customer:{CARD}",
        f"customer.id:{CARD}",
        f"NOT user.email:other {CARD}",
    ],
)
def test_the_plain_value_finds_what_was_hashed(desk: Desk, text: str) -> None:
    assert 1 == desk.search(Ask(text=text)).total.value
    assert 1 == sum(1 for _ in desk.matches(Ask(text=text)))


def test_an_entity_whose_id_was_hashed_has_its_story_under_the_plain_one(desk: Desk) -> None:
    answer = desk.entity(Entity(type="customer", id=CARD))
    assert answer is not None
    assert (1, ()) == (len(answer.facts), answer.related)
    assert desk.entity(Entity(type="customer", id="4222222222222")) is None


def test_a_list_of_ids_is_looked_through_the_same_way(desk: Desk) -> None:
    found = desk.seen([CARD, "ann@example.org", "4222222222222"], Window())
    assert [1, 1, 0] == [one.verdict.count for one in found.verdicts]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("order.pin:1", "order.pin"),
        ("has:order.pin", "order.pin"),
        ("order:77", "order.pin"),
        ("eyJhbGciOi.eyJzdWIiOi.abc", "JSON web tokens"),
    ],
)
def test_what_was_taken_away_cannot_be_denied(desk: Desk, text: str, named: str) -> None:
    verdict = desk.search(Ask(text=text)).verdict
    assert "cannot_say" == verdict.kind
    assert any(named in cause.sentence for cause in verdict.causes)


def test_a_question_before_the_rule_was_made_is_not_troubled_by_it(desk: Desk) -> None:
    past = Window(start=b.NOW - 3 * b.DAY, end=b.NOW - 2 * b.DAY)
    verdict = desk.search(Ask(text="order.pin:1", window=past)).verdict
    assert not any("redaction" in cause.sentence for cause in verdict.causes)
