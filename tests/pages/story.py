"""The match-day story that the pages are looked at with: bet:8812 on 21 November 2026.

It waits 90.012 s in the broker, its first handling fails after the account was credited,
the second credits it again, and nobody takes the payout message. All facts are made by
hand, so that what a page must show can be read here.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.builders import stored
from timeline.domain import Entity, Event, EventInfo, Fact, Link, Message, Scope, Span, SpanRef, Stored

MS = 1_000_000
TRACE = "4f1c7be29a0d4e63b85f20c7d91ae346"
FEED_TRACE = "c09d52f6a1b94c0f8e7d6a5b4c3d2e1f"
DAY = int(datetime(2026, 11, 21, tzinfo=UTC).timestamp()) * 1000 * MS
BET = (Entity(type="bet", id="8812"), Entity(type="player", id="20417"))
MATCH = (Entity(type="match", id="4711"),)


def at(text: str) -> int:
    """``"18:15:09.758"`` on the match day, in ns."""
    clock, _, fraction = text.partition(".")
    hours, minutes, seconds = (int(part) for part in clock.split(":"))
    return DAY + (hours * 3600 + minutes * 60 + seconds) * 1000 * MS + int(f"{fraction:0<9}")


NOW = at("18:44:10.232")


def _resource(service: str, instance: str, version: str) -> dict[str, Any]:
    return {
        "service.name": service,
        "service.version": version,
        "service.instance.id": instance,
        "deployment.environment.name": "prod",
        "telemetry.sdk.name": "opentelemetry",
        "telemetry.sdk.language": "python",
    }


VERSIONS = {
    "bet-placement": "5.1.0",
    "wallet": "2.14.0",
    "settlement": "3.9.0",
    "notifications": "1.8.2",
    "feed-gateway": "7.0.1",
}


def _span(
    number: int, parent: int | None, service: str, name: str, start: str, took: float, **more: Any
) -> Span:
    begin = at(start)
    instance = more.pop("instance", f"{service}-1")
    return Span(
        ref=SpanRef(trace_id=more.pop("trace", TRACE), span_id=f"{number:016x}"),
        parent=None if parent is None else f"{parent:016x}",
        name=name,
        service=service,
        instance=instance,
        version=VERSIONS[service],
        environment="prod",
        start=begin,
        end=begin + int(took * MS),
        scope=Scope(name="throughline.tracing", version="0.1.0"),
        entities=more.pop("entities", BET),
        context=more.pop("context", MATCH),
        resource=_resource(service, instance, VERSIONS[service]),
        **more,
    )


def _message(operation: str, topic: str, partition: int, offset: int, **more: Any) -> Message:
    return Message(
        system="kafka",
        operation=operation,
        destination=topic,
        partition=str(partition),
        offset=offset,
        key="8812",
        cluster="prod-eu",
        body_size=612,
        header_bytes=214,
        **more,
    )


def _event(kind: str, service: str, when: str, number: int, span: int, body: Any, **more: Any) -> Event:
    instance, entities = f"{service}-1", more.pop("entities", BET)
    return Event(
        kind="cloudevent",
        name=kind,
        service=service,
        instance=instance,
        version=VERSIONS[service],
        environment="prod",
        at=at(when),
        observed=at(when) + 300_000,
        ref=SpanRef(trace_id=more.pop("trace", TRACE), span_id=f"{span:016x}"),
        body=body,
        event=EventInfo(
            source=f"/{service}/markets",
            id=f"01JD7Z3RK4B2M9E6V0X5Q8TK{number:02d}",
            type=kind,
            subject=f"{entities[0].type}/{entities[0].id}",
            time=at(when),
            correlation_id="bet-8812",
        ),
        entities=entities,
        context=more.pop("context", MATCH),
        attributes=more.pop("attributes", {}),
        resource=_resource(service, instance, VERSIONS[service]),
        **more,
    )


SETTLED_BODY = {
    "bet_id": "8812",
    "player_id": "20417",
    "match_id": "4711",
    "market": "over_1_5_goals",
    "outcome": "won",
    "stake": {"amount": "20.00", "currency": "EUR"},
    "odds": 1.82,
    "payout": {"amount": "36.40", "currency": "EUR"},
    "settled_by": {"type": "GoalScored", "score": "2-0"},
    "settled_at": "2026-11-21T18:15:09.758123400Z",
}
BETS = ("bets", 4, 88213)
SETTLEMENTS = ("settlements", 3, 51077)
PAYOUTS = ("wallet.payouts", 4, 20931)


def _placed() -> list[Fact]:
    """The bet is placed and taken by three groups."""
    update = {"db.system.name": "postgresql", "db.operation.name": "UPDATE"}
    return [
        _span(1, None, "bet-placement", "POST /bets", "16:52:18.371", 66.2, kind="server", attributes={"http.request.method": "POST", "http.route": "/bets", "http.response.status_code": 201, "bet.id": "8812", "bet.stake": 20.0, "bet.odds": 1.82}),
        _span(2, 1, "bet-placement", "check odds", "16:52:18.375", 14.1, kind="client"),
        _span(3, 1, "bet-placement", "INSERT bets", "16:52:18.391", 9.8, kind="client"),
        _span(4, 1, "bet-placement", "send bets", "16:52:18.4061", 8.6, kind="producer", message=_message("send", *BETS, id="m-88213")),
        _event("BetPlaced", "bet-placement", "16:52:18.406", 21, 4, {"bet_id": "8812", "stake": 20.0, "odds": 1.82}, message=_message("send", *BETS, id="m-88213")),
        _span(5, 4, "wallet", "process bets", "16:52:18.431", 38.0, kind="consumer", message=_message("process", *BETS, id="m-88213", group="wallet")),
        _span(6, 5, "wallet", "UPDATE balances", "16:52:18.440", 11.2, kind="client", attributes=update),
        _event("StakeReserved", "wallet", "16:52:18.452", 22, 5, {"held": 20.0}),
        _span(7, 4, "settlement", "process bets", "16:52:18.434", 6.9, kind="consumer", message=_message("process", *BETS, id="m-88213", group="settlement")),
        _span(8, 4, "notifications", "process bets", "16:52:18.437", 54.3, kind="consumer", message=_message("process", *BETS, id="m-88213", group="notifications")),
        _span(9, 8, "notifications", "POST /push", "16:52:18.443", 41.6, kind="client"),
    ]  # fmt: skip


def _settled() -> list[Fact]:
    """The goal settles the bet; the message waits; two attempts; a payout nobody takes."""
    goal = Link(ref=SpanRef(trace_id=FEED_TRACE, span_id=f"{90:016x}"), attributes={"link.kind": "caused by"})
    process = {"kind": "consumer", "entities": BET}
    update = {"db.system.name": "postgresql", "db.operation.name": "UPDATE"}

    def taken(attempt: int) -> Message:
        return _message("process", *SETTLEMENTS, id="m-51077", group="wallet", attempt=attempt)

    return [
        _event("GoalScored", "feed-gateway", "18:15:09.702", 41, 90, {"score": "2-0"}, trace=FEED_TRACE, entities=MATCH, context=(), message=Message(system="kafka", operation="send", destination="match.events", partition="0", offset=1187)),
        _span(90, None, "feed-gateway", "send match.events", "18:15:09.702", 3.1, kind="producer", trace=FEED_TRACE, entities=MATCH, context=(), message=Message(system="kafka", operation="send", destination="match.events", partition="0", offset=1187, id="m-1187")),
        _span(10, 7, "settlement", "settle bet", "18:15:09.741", 24.9, kind="consumer", links=(goal,), message=Message(system="kafka", operation="process", destination="match.events", partition="0", offset=1187, id="m-1187", group="settlement")),
        _span(11, 10, "settlement", "UPDATE bets", "18:15:09.744", 7.1, kind="client", attributes=update),
        _span(12, 10, "settlement", "send settlements", "18:15:09.7584", 4.9, kind="producer", message=_message("send", *SETTLEMENTS, id="m-51077")),
        _event("BetSettled", "settlement", "18:15:09.7581234", 41, 12, SETTLED_BODY, message=_message("send", *SETTLEMENTS, id="m-51077", schema="bet-settled/3"), attributes={"messaging.kafka.key_type": "string", "net.peer.name": "kafka-2.prod-eu", "throughline.entity.bet": "8812"}),
        _span(13, 12, "wallet", "receive settlements", "18:16:39.775", 26606, kind="consumer", message=_message("receive", *SETTLEMENTS, id="m-51077", group="wallet", batch_count=50)),
        _span(14, 13, "wallet", "process settlements", "18:16:41.204", 10187, **process, message=taken(1), status="error", status_message="credit account timed out after 10 s"),
        _span(15, 14, "wallet", "credit account", "18:16:41.260", 10000, kind="client", status="error", status_message="deadline exceeded"),
        _span(16, 15, "wallet", "UPDATE balances", "18:16:41.302", 10042, kind="client", attributes=update),
        _event("BalanceCredited", "wallet", "18:16:51.344", 23, 14, {"amount": 36.40, "player_id": "20417"}),
        _span(17, 13, "wallet", "process settlements", "18:16:53.391", 4127, **process, message=taken(2), instance="wallet-1"),
        _span(18, 17, "wallet", "credit account", "18:16:53.402", 3758, kind="client"),
        _span(19, 18, "wallet", "UPDATE balances", "18:16:53.431", 3671, kind="client", attributes=update),
        _event("BalanceCredited", "wallet", "18:16:57.102", 24, 17, {"amount": 36.40, "player_id": "20417"}),
        _span(20, 17, "wallet", "send wallet.payouts", "18:16:57.498", 5.6, kind="producer", message=_message("send", *PAYOUTS, id="m-20931")),
        _event("PayoutCompleted", "wallet", "18:16:57.4982", 25, 20, {"amount": 36.40}, message=_message("send", *PAYOUTS, id="m-20931")),
    ]  # fmt: skip


def facts() -> list[Stored]:
    """Every fact of the story, oldest first."""
    made = [
        stored(fact, tie=number, received=(fact.at or 0) + 154_537 * 1000, request=f"request-{number // 5}")
        for number, fact in enumerate(_placed() + _settled())
    ]
    return sorted(made, key=lambda item: (item.fact.at or 0, item.receipt.tie))


__all__ = ["BET", "DAY", "FEED_TRACE", "NOW", "SETTLED_BODY", "TRACE", "at", "facts"]
