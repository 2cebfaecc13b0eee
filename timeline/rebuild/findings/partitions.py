"""One key on several partitions of a destination: its messages have no common order."""

from __future__ import annotations

from collections.abc import Iterator

from timeline.domain import Finding
from timeline.rebuild.facts import sequence_key
from timeline.rebuild.findings.story import Story, short


def find(story: Story) -> Iterator[Finding]:
    """One finding per key and destination, with a fact of each partition as the proof."""
    seen: dict[tuple[str, str, str], dict[str, int]] = {}
    for index, one in enumerate(story.known):
        message = one.fact.message
        if message and message.key and message.destination and message.partition is not None:
            place = (message.cluster or "", message.destination, message.key)
            seen.setdefault(place, {}).setdefault(message.partition, index)
    for delivery in story.deliveries:
        told = delivery.publication
        if told.fact is not None and told.key and told.destination and told.partition is not None:
            message = story.known[told.fact].fact.message
            place = ((message.cluster or "") if message else "", told.destination, told.key)
            seen.setdefault(place, {}).setdefault(told.partition, told.fact)
    for (_, destination, key), where in sorted(seen.items()):
        if len(where) < 2 or not any(story.known[index].shown for index in where.values()):
            continue
        names = sorted(where, key=sequence_key)
        last = max(
            (at for index in where.values() if (at := story.known[index].at) is not None), default=None
        )
        listed = ", ".join(short(name, 20) for name in names[:9]) + (" and more" if len(names) > 9 else "")
        yield Finding(
            rule="key on two partitions",
            severity="warning",
            sentence=(
                f"Key {short(key)} of {short(destination)} is on {len(names)} partitions ({listed}): "
                "no order holds between them."
            ),
            at=last,
            evidence=story.evidence(where[name] for name in names),
        )
