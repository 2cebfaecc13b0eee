"""The home page: examples to paste, the last hour, and the way in for a newcomer."""

from __future__ import annotations

from typing import Any

from timeline.answers import SearchAnswer
from timeline.web import colours
from timeline.web.contexts.frame import entity_path, link
from timeline.web.contexts.histogram import histogram
from timeline.web.contexts.search import coverage_lines

QUESTIONS = (
    ("service:wallet status:error", "what failed in one service"),
    ("duration>500ms", "what was slow"),
    ('type:BetPlaced "over_1_5_goals"', "a type and a word"),
    ("has:messaging.kafka.offset NOT service:wallet", "who else is on Kafka"),
)


def home_page(answer: SearchAnswer, receiver: str, *, keyless: bool, empty: bool) -> dict[str, Any]:
    """Everything the home template shows; ``answer`` is the last hour, whole."""
    services = next((facet.values for facet in answer.facets if facet.field == "service"), ())
    types = next((facet.values for facet in answer.facets if facet.field == "type"), ())
    hues = colours.assign(value.value for value in services)
    params = {"range": "1h"}
    return {
        "answer": answer,
        "empty": empty,
        "coverage": coverage_lines(answer.coverage),
        "histogram": histogram(answer, params),
        "total": answer.total,
        "services": [{"value": value.value, "count": value.count, "hue": hues[value.value], "href": link("/search", params, q=f'service:"{value.value}"')} for value in services],
        "types": [{"value": value.value, "count": value.count, "href": link("/search", params, q=f'type:"{value.value}"')} for value in types],
        "pastes": _pastes(answer),
        "questions": [{"text": text, "note": note, "href": link("/search", {}, q=text)} for text, note in QUESTIONS],
        "receiver": receiver,
        "keyless": keyless,
        "snippets": snippets(receiver, keyless=keyless),
    }  # fmt: skip


def _pastes(answer: SearchAnswer) -> list[dict[str, str]]:
    """Real ids from the newest facts, one of each kind, as what a reader might paste."""
    found: dict[str, dict[str, str]] = {}
    for row in answer.rows:
        if row.entities:
            found.setdefault("an entity", {"text": row.entities[0], "href": entity_path(row.entities[0])})
        if row.event_id:
            found.setdefault(
                "an event id", {"text": row.event_id, "href": link("/search", {}, q=row.event_id)}
            )
        if row.trace_id:
            found.setdefault(
                "a trace id", {"text": row.trace_id, "href": link("/search", {}, q=row.trace_id)}
            )
        if row.destination and row.partition is not None and row.offset is not None:
            place = f"{row.destination}/{row.partition}/{row.offset}"
            found.setdefault(
                "topic, partition, offset", {"text": place, "href": link("/search", {}, q=place)}
            )
    return [{"label": label, **paste} for label, paste in found.items()]


def snippets(receiver: str, *, keyless: bool) -> list[dict[str, str]]:
    """How to send the first span, for each way to send."""
    key = "" if keyless else "\nexport OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20$THROUGHLINE_KEY"
    header = "" if keyless else ' \\\n  -H "Authorization: Bearer $THROUGHLINE_KEY"'
    environment = f"export OTEL_SERVICE_NAME=my-service\nexport OTEL_EXPORTER_OTLP_ENDPOINT={receiver}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf{key}"
    return [
        {"id": "env", "label": "Any SDK", "text": environment},
        {
            "id": "python",
            "label": "Python",
            "text": f"pip install opentelemetry-distro opentelemetry-exporter-otlp-proto-http\n{environment}\nopentelemetry-instrument python your_service.py",
        },
        {
            "id": "js",
            "label": "JavaScript",
            "text": f"npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\n{environment}\nnode --require @opentelemetry/auto-instrumentations-node/register app.js",
        },
        {
            "id": "curl",
            "label": "curl",
            "text": f"curl -i {receiver}/v1/events \\\n  -H 'Content-Type: application/cloudevents+json'{header} \\\n"
            """  -d '{"specversion":"1.0","id":"1","source":"/first","type":"FirstEvent","subject":"order/1","data":{"hello":"world"}}'""",
        },
    ]
