"""Which address shows what."""

from __future__ import annotations

from django.urls import path

from timeline.web import (
    account,
    flows,
    key_pages,
    operators,
    pages,
    quarantine_pages,
    redaction_pages,
    searching,
    seen,
    traces,
)

page_patterns = [
    path("", pages.home, name="home"),
    path("search", pages.search, name="search"),
    path("search/tail", searching.tail, name="tail"),
    path("search/usual", searching.usual, name="usual"),
    path("saved", searching.saved, name="saved"),
    path("saved/add", searching.save, name="save"),
    path("saved/recent/remove", searching.forget_recent, name="forget_recent"),
    path("saved/<int:pk>/remove", searching.forget, name="forget"),
    path("watches", searching.watches, name="watches"),
    path("watches/add", searching.watch, name="watch"),
    path("watches/news", searching.news, name="news"),
    path("watches/<int:pk>/remove", searching.withdraw, name="withdraw"),
    path("facts/<str:fact_id>", pages.fact, name="fact"),
    path("facts/<str:fact_id>/around", searching.around, name="around"),
    path("traces/<str:trace_id>", traces.trace, name="trace"),
    path("traces/<str:trace_id>/rows", traces.trace_rows, name="trace_rows"),
    path("traces/<str:trace_id>/sequence.svg", traces.sequence_svg, name="sequence_svg"),
    path("e/<str:kind>/<path:name>", pages.entity, name="entity"),
    path("flows", flows.flows, name="flows"),
    path("flows/<path:name>", flows.destination, name="destination"),
    path("seen", seen.seen, name="seen"),
    path("senders", operators.senders, name="senders"),
    path("senders/declare", operators.declare, name="declare"),
    path("senders/quarantine", quarantine_pages.listed, name="quarantine"),
    path("senders/quarantine/decide", quarantine_pages.decide_all, name="decide_all"),
    path("senders/quarantine/<int:pk>", quarantine_pages.item, name="quarantined"),
    path("senders/quarantine/<int:pk>/bytes", quarantine_pages.bytes_of, name="quarantined_bytes"),
    path("senders/quarantine/<int:pk>/decide", quarantine_pages.decide, name="decide"),
    path("settings/keys", key_pages.keys_view, name="keys"),
    path("settings/keys/create", key_pages.create, name="create_key"),
    path("settings/keys/<int:pk>/rotate", key_pages.rotate, name="rotate_key"),
    path("settings/keys/<int:pk>/revoke", key_pages.revoke, name="revoke_key"),
    path("settings/redaction", redaction_pages.rules_view, name="redaction"),
    path("settings/redaction/create", redaction_pages.create, name="create_rule"),
    path("settings/redaction/<int:pk>/end", redaction_pages.end, name="end_rule"),
    path("help", pages.help_page, name="help"),
    path("signin", account.signin, name="signin"),
    path("signin/<str:secret>", account.signin_by_link, name="signin_by_link"),
    path("signout", account.signout, name="signout"),
]
urlpatterns = page_patterns
