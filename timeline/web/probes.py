"""Is the process up, could it answer, and what do the counters say."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.http import HttpRequest, HttpResponse

from timeline import wiring
from timeline.errors import ThroughlineError
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
    backlog, tallies = wiring.inbox().snapshot()
    lines = [
        "# HELP throughline_items_total Items by what became of them.",
        "# TYPE throughline_items_total counter",
        *(
            f'throughline_items_total{{sender="{_label(t.sender)}",what="{_label(t.what)}",reason="{_label(t.reason)}"}} {t.items}'
            for t in tallies
        ),
        "# HELP throughline_inbox_requests Requests accepted and not yet released.",
        "# TYPE throughline_inbox_requests gauge",
        f"throughline_inbox_requests {backlog.requests}",
        "# HELP throughline_inbox_items Items accepted and not yet released.",
        "# TYPE throughline_inbox_items gauge",
        f"throughline_inbox_items {backlog.items}",
        *(f"throughline_store_{name} {value}" for name, value in wiring.reader().size().items()),
    ]
    return HttpResponse("\n".join(lines) + "\n", content_type="text/plain; version=0.0.4; charset=utf-8")


def _label(text: str) -> str:
    return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
