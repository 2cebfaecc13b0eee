"""Many questions are answered at once: count, first, last, newest."""

from tests import builders as b
from tests.contract.pair import Pair, asking
from timeline.search.query import All, EntityIs, FieldIs, ValueIs, Words


def test_each_question_gets_its_sighting_in_order(pair: Pair) -> None:
    facts = list(b.facts(200))
    pair.write(facts)
    queries = [asking(FieldIs("event_id", f"event-{number}")) for number in range(60)]
    queries += [asking(FieldIs("service", "wallet")), asking(All()), asking(Words(("order",)))]
    queries += [asking(ValueIs(facts[0].fact.attributes["request.id"])), asking(All(), workspace="other")]
    assert pair.model.sightings(queries) == pair.store.sightings(queries)


def test_a_sighting_of_variants_alone_still_has_been_seen(pair: Pair) -> None:
    pair.write([b.stored(b.span()), b.stored(b.span(name="changed"))])
    query = asking(FieldIs("name", "changed"))
    (sighting,) = pair.store.sightings([query])
    assert pair.model.sightings([query]) == [sighting]
    assert (0, 1) == (sighting.count, sighting.variants)
    assert sighting.newest is not None


def test_no_questions_get_no_sightings(pair: Pair) -> None:
    assert [] == pair.store.sightings([])


def test_an_entity_is_seen_as_subject_or_also_as_context(pair: Pair) -> None:
    subject = b.stored(b.span(number=1, entities=b.entities("order:1")))
    context = b.stored(b.span(number=2, start=b.NOW + 1, context=b.entities("order:1")))
    pair.write([subject, context])
    (order,) = b.entities("order:1")
    queries = [asking(EntityIs(order)), asking(EntityIs(order, context=True))]
    assert [1, 2] == [sighting.count for sighting in pair.store.sightings(queries)]
    assert pair.model.sightings(queries) == pair.store.sightings(queries)
