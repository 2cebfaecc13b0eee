"""What the five services do all day: a second match, bets on it, and payouts when a goal falls."""

from __future__ import annotations

import random
import time
from dataclasses import dataclass
from itertools import count
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context, get_current
from opentelemetry.trace import Link, SpanKind

from examples.matchday.bets import money
from examples.matchday.live import Broker, Mirror, Service
from examples.matchday.story import SERVICES
from tracing import entity, propagation

LIVE_MATCH = "4720"
_GOAL_EVERY = 40  # feed messages
_MOST_OPEN = 500


@dataclass(frozen=True)
class _Open:
    """A bet that waits for a goal, and the context in which settlement took it."""

    bet: dict[str, Any]
    context: Context


class Company:
    """All five services over one broker; ``start`` them, ``stop`` them."""

    def __init__(self, endpoint: str, rate: float, seed: int = 4720) -> None:
        """``rate`` is bets per second, and feed messages per second."""
        self._dice = random.Random(seed)
        self._mirror = Mirror(endpoint)
        self.broker = Broker()
        self.services = {name: Service(name, self.broker, self._mirror, endpoint) for name in SERVICES}
        self._feed, self._bets = count(1), count(int(time.time()) % 10**7 * 100)
        self._goals = 0
        self._open: list[_Open] = []
        self.services["feed-gateway"].every(1 / rate, self._read_feed)
        self.services["bet-placement"].every(1 / rate, self._place)
        self.services["settlement"].on("bets", self._take)
        self.services["settlement"].on("match.events", self._follow)
        self.services["wallet"].on("bets", self._hold)
        self.services["wallet"].on("settlements", self._pay)
        self.services["notifications"].on("bets", self._push)
        self.services["notifications"].on("wallet.payouts", self._tell)

    def start(self) -> None:
        """Consumers first, so that nothing waits longer than it must."""
        self._mirror.start()
        for service in reversed(self.services.values()):
            service.start()

    def stop(self) -> None:
        """Stop the sources first; everything sent so far is flushed."""
        for name in ("feed-gateway", "bet-placement"):
            self.services[name].stop()
        for service in self.services.values():
            service.stopping.set()  # all at once: each may have to wait for a receiver that is away
        for service in self.services.values():
            service.stop()
        self._mirror.stop()

    def _read_feed(self) -> None:
        gateway, number = self.services["feed-gateway"], next(self._feed)
        goal = number % _GOAL_EVERY == 0
        self._goals += goal
        data: dict[str, Any] = {"match": LIVE_MATCH, "feed_sequence": number}
        extensions = {"score": f"{self._goals}-0"} if goal else {}
        with gateway.tracer.start_as_current_span("read feed"), entity("match", LIVE_MATCH):
            gateway.publish(
                "match.events",
                LIVE_MATCH,
                "GoalScored" if goal else "BallPossession",
                f"match/{LIVE_MATCH}",
                data | extensions,
                sequence=f"{number:06d}",
                extensions=extensions,
            )

    def _place(self) -> None:
        service, name = self.services["bet-placement"], str(next(self._bets))
        player, stake = str(self._dice.randrange(40_000, 50_000)), 50 * self._dice.randrange(4, 100)
        # the site's front end says in baggage which match its reader looks at
        came = propagation.extract({"baggage": f"throughline.entity.match={LIVE_MATCH}"})
        route = {"http.request.method": "POST", "http.route": "/bets"}
        top = service.tracer.start_as_current_span(
            "POST /bets", context=came, kind=SpanKind.SERVER, attributes=route
        )
        data = {
            "bet_id": name,
            "player_id": player,
            "match": LIVE_MATCH,
            "market": "next_goal",
            "stake": money(stake),
            "payout": money(stake * 182 // 100),
        }
        with propagation.attached(came), top, entity("bet", name, player=player):
            service.database("INSERT", "bets", 0.008)
            service.publish("bets", name, "BetPlaced", f"bet/{name}", data, schema="bet-placed/4")

    def _take(self, bet: dict[str, Any]) -> None:
        with entity("bet", bet["bet_id"], player=bet["player_id"]):
            self._open.append(_Open(bet, get_current()))
        del self._open[:-_MOST_OPEN]

    def _follow(self, tick: dict[str, Any]) -> None:
        if "score" not in tick:
            return
        service, goal = self.services["settlement"], trace.get_current_span().get_span_context()
        decided, self._open = self._open, []
        for one in decided:
            # the story of the bet goes on in its own trace; the goal is linked
            settling = service.tracer.start_as_current_span("settle bet", one.context, links=[Link(goal)])
            with propagation.attached(one.context), settling:
                service.database("UPDATE", "bets", 0.004)
                self._settle(service, one.bet, tick["score"])

    def _settle(self, service: Service, bet: dict[str, Any], score: str) -> None:
        data = bet | {"outcome": "won", "settled_by": {"type": "GoalScored", "score": score}}
        subject = f"bet/{bet['bet_id']}"
        service.publish("settlements", bet["bet_id"], "BetSettled", subject, data, schema="bet-settled/3")

    def _hold(self, bet: dict[str, Any]) -> None:
        service = self.services["wallet"]
        with entity("bet", bet["bet_id"], player=bet["player_id"]):
            service.database("UPDATE", "balances", 0.006)
            data = {"bet_id": bet["bet_id"], "player_id": bet["player_id"], "held": bet["stake"]}
            service.announce("StakeReserved", f"bet/{bet['bet_id']}", data)

    def _pay(self, bet: dict[str, Any]) -> None:
        service, subject = self.services["wallet"], f"bet/{bet['bet_id']}"
        data = {"bet_id": bet["bet_id"], "player_id": bet["player_id"], "payout": bet["payout"]}
        with entity("bet", bet["bet_id"], player=bet["player_id"]):
            service.database("UPDATE", "balances", 0.006)
            service.announce("BalanceCredited", subject, data)
            service.publish("wallet.payouts", bet["bet_id"], "PayoutCompleted", subject, data)

    def _push(self, bet: dict[str, Any]) -> None:
        service = self.services["notifications"]
        with entity("bet", bet["bet_id"], player=bet["player_id"]):
            self._notify(service)

    def _notify(self, service: Service) -> None:
        with service.tracer.start_as_current_span("POST /push", kind=SpanKind.CLIENT):
            service.stopping.wait(0.01)

    def _tell(self, payout: dict[str, Any]) -> None:
        service = self.services["notifications"]
        with entity("bet", payout["bet_id"], player=payout["player_id"]):
            self._notify(service)
            data = {"bet_id": payout["bet_id"], "player_id": payout["player_id"], "channel": "push"}
            service.announce("PlayerNotified", f"bet/{payout['bet_id']}", data)
