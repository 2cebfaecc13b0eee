"""The accounting of each sender, summed over all nodes: the one place where it is added up."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from timeline.answers import Account, Accounting
from timeline.inbox.books import Books
from timeline.models import Consumed, Node
from timeline.reading.nodes import READERS, Report, reports

PARTS = ("refused", "inbox", "new", "already", "variant", "quarantined")
BESIDE = ("discarded", "retried")  # metrics, and items that were sent again
_WITH_REASON = ("refused", "quarantined")
_Line = Mapping[str, Any]


def accounting(books: Books, node: str) -> Accounting:
    """Every sender's account: this node's books as they are, other nodes by their last report."""
    now = time.time_ns()
    return summed(books, reports(Node.objects.all(), now, own=node), now)


def summed(books: Books, others: Iterable[Report], now: int) -> Accounting:
    """Books of this node, reports of others, and what was consumed from Kafka."""
    lines: list[_Line] = [msgspec.to_builtins(line) for line in books.tallies]
    waiting: list[_Line] = [msgspec.to_builtins(line) for line in books.waiting]
    unnamed: list[_Line] = []
    for other in others:
        lines += other.tally
        waiting += other.waiting or ()
        if other.waiting is None and other.role not in READERS:
            unnamed.append(
                {
                    "requests": other.requests,
                    "items": other.items,
                    "oldest": other.oldest,
                    "came": 0,
                    "went": 0,
                }
            )
    lines += (line for tally in Consumed.objects.values_list("tally", flat=True) for line in tally)
    return added_up(lines, waiting, now, unnamed=unnamed)


def of_node(books: Books) -> Accounting:
    """The accounts of this node alone."""
    lines = [msgspec.to_builtins(line) for line in books.tallies]
    return added_up(lines, [msgspec.to_builtins(line) for line in books.waiting], time.time_ns())


def added_up(
    lines: Iterable[_Line], waiting: Iterable[_Line], now: int, *, unnamed: Sequence[_Line] = ()
) -> Accounting:
    """Accounts from lines of tallies and of what waits, several for a sender where it sends to several nodes.

    ``unnamed`` waits too, and nobody says whose it is: it is in the sum alone.
    """
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    for line in lines:
        counts[line["sender"]][line["what"]] += line["items"]
        if line["what"] in _WITH_REASON:
            reasons[line["sender"]][line["what"], line["reason"]] += line["items"]
    held: dict[str, list[_Line]] = defaultdict(list)
    for line in waiting:
        held[line["sender"]].append(line)
    accounts = [
        _account(sender, counts[sender], held[sender], reasons[sender]) for sender in sorted({*counts, *held})
    ]
    everything: Counter[str] = Counter()
    for count in counts.values():
        everything.update(count)
    everybody = [*(line for found in held.values() for line in found), *unnamed]
    total = _account("", everything, everybody, Counter())
    return Accounting(now=now, total=total, accounts=tuple(accounts))


def _account(
    sender: str, counts: Counter[str], held: Sequence[_Line], reasons: Counter[tuple[str, str]]
) -> Account:
    counts = counts + Counter(inbox=sum(line["items"] for line in held))
    came, went = (sum(line[way] for line in held) for way in ("came", "went"))
    oldest = [line["oldest"] for line in held if line["oldest"] is not None]
    return Account(
        sender=sender,
        received=counts["received"],
        unaccounted=counts["received"] - sum(counts[part] for part in PARTS),
        requests=sum(line["requests"] for line in held),
        oldest=min(oldest, default=None),
        came=round(came, 1),
        went=round(went, 1),
        empty_in=_empty_in(counts["inbox"], came, went),
        reasons=tuple((what, why, items) for (what, why), items in sorted(reasons.items())),
        **{part: counts[part] for part in (*PARTS, *BESIDE)},
    )


def _empty_in(items: int, came: float, went: float) -> float | None:
    """Seconds until nothing waits, if all goes on as over the last minute."""
    if not items:
        return 0.0
    return round(items / (went - came), 1) if went > came else None
