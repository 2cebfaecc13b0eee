"""OTLP JSON as people write it, for what no protobuf library would send."""

from __future__ import annotations

from typing import Any

from tests.timeline.ingest.otlp_requests import (
    JSON,
    accepted,
)

TRACE, SPAN = "5B8EFFF798038103D269B633813FC60C", "EEE19B7EC3C1B174"


def spans(*fields: dict[str, Any], **group: Any) -> dict[str, Any]:
    """A request of spans with good ids and a name, in OTLP JSON."""
    made = [{"traceId": TRACE, "spanId": SPAN, "name": "n"} | one for one in fields]
    return {"resourceSpans": [{"scopeSpans": [{"spans": made}]} | group]}


def records(*fields: dict[str, Any]) -> dict[str, Any]:
    """A request of log records in OTLP JSON."""
    return {"resourceLogs": [{"scopeLogs": [{"logRecords": list(fields)}]}]}


def text(body: str, signal: str = "traces") -> Any:
    """JSON text that no encoder would write, as accepted."""
    return accepted({}, signal, body=body.encode("utf-8", "surrogatepass"), headers=JSON)
