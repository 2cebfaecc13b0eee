"""Is the process up, could it answer, and what do the counters say."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse

from timeline import wiring
from timeline.answers import Account, Accounting
from timeline.errors import ThroughlineError
from timeline.reading.accounting import of_node
from timeline.web import problems
from timeline.web.readers import may_read


@login_not_required
def healthz(request: HttpRequest) -> HttpResponse:
    """The process answers."""
    return HttpResponse("ok\n", content_type="text/plain")


@login_not_required
def readyz(request: HttpRequest) -> HttpResponse:
    """Store and inbox answer too; else 503 with what does not."""
    try:
        wiring.reader().check()
        wiring.inbox().backlog()
    except ThroughlineError as error:
        return problems.of(error, logged=False)
    return HttpResponse("ready\n", content_type="text/plain")


@login_not_required
def metrics(request: HttpRequest) -> HttpResponse:
    """The accounting of this node in Prometheus text format; a read token or a session asks."""
    if not may_read(request):
        return problems.problem(
            401, "Who are you?", "this needs a read token", remedy="manage.py token create --read"
        )
    books = wiring.inbox().books()
    accounts = of_node(books)
    lines = [
        *_family("items_total", "counter", "Items by what became of them."),
        *(
            f'throughline_items_total{{sender="{_label(t.sender)}",what="{_label(t.what)}",reason="{_label(t.reason)}"}} {t.items}'
            for t in books.tallies
        ),
        *_backlog(accounts),
        *_senders(accounts),
        *(f"throughline_store_{name} {value}" for name, value in wiring.reader().size().items()),
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


_OF_INBOX: Final = (
    ("requests", "Requests accepted and not yet released.", lambda one, now: one.requests),
    ("items", "Items accepted and not yet released.", lambda one, now: one.inbox),
    ("oldest_seconds", "Since when the longest waiting request waits.", lambda one, now: _age(one, now)),
    ("in_per_second", "Items accepted a second, over the last minute.", lambda one, now: one.came),
    ("out_per_second", "Items released a second, over the last minute.", lambda one, now: one.went),
    ("empty_seconds", "Until nothing waits, if all goes on so; +Inf where it does not empty.", lambda one, now: _empty(one)),
)  # fmt: skip
_OF_SENDER: Final = (
    ("inbox_items", "Items of a sender that wait.", lambda one, now: one.inbox),
    (
        "inbox_oldest_seconds",
        "Since when its longest waiting request waits.",
        lambda one, now: _age(one, now),
    ),
    ("unaccounted_items", "Items received and in no other figure: 0.", lambda one, now: one.unaccounted),
)


def _backlog(accounts: Accounting) -> Iterator[str]:
    for name, text, figure in _OF_INBOX:
        yield from _family(f"inbox_{name}", "gauge", text)
        yield f"throughline_inbox_{name} {figure(accounts.total, accounts.now)}"


def _senders(accounts: Accounting) -> Iterator[str]:
    for name, text, figure in _OF_SENDER:
        yield from _family(f"sender_{name}", "gauge", text)
        for one in accounts.accounts:
            yield f'throughline_sender_{name}{{sender="{_label(one.sender)}"}} {figure(one, accounts.now)}'


def _family(name: str, kind: str, text: str) -> tuple[str, str]:
    return f"# HELP throughline_{name} {text}", f"# TYPE throughline_{name} {kind}"


def _age(one: Account, now: int) -> float:
    return 0.0 if one.oldest is None else round(max(now - one.oldest, 0) / 1e9, 3)


def _empty(one: Account) -> str:
    return "+Inf" if one.empty_in is None else str(one.empty_in)


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
