"""Cohorts, and how far the summaries they are read from are behind."""

from __future__ import annotations

import time

from django.db.models import Q

from timeline.answers import CohortAnswer
from timeline.inbox.inbox import Inbox
from timeline.models import Node
from timeline.reading.nodes import READERS
from timeline.store.port import CohortQuery, Store


def cohort(store: Store, inbox: Inbox, node: str, query: CohortQuery) -> CohortAnswer:
    """A page of the cohort, with the moment up to which its summaries are whole.

    This node is asked itself, the others, and everyone who reads from Kafka, by their last report: one that is
    silent holds that moment back to its last word.
    """
    now = time.time_ns()
    # in this order: what leaves the inbox meanwhile is already noted as touched
    waiting = inbox.backlog().oldest
    behind = inbox.behind()
    reached, lost = [now - store.visibility_lag, waiting, behind.oldest], behind.lost
    for other in Node.objects.exclude(~Q(role__in=READERS), name=node):
        reached += [other.beat, other.oldest_pending, other.summaries_behind]
        lost += other.touches_lost
    return CohortAnswer(
        asked=query,
        cohort=store.cohort(query),
        up_to=min(moment for moment in reached if moment is not None),
        now=now,
        lost=lost,
    )
