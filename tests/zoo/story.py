"""What happens to one order, step by step: who handles what, and what that makes.

placed (paid for at the second try, watched by audit too), packed, announced, sent on by a courier; with fifty
items counted in one batch, and an invoice nobody can read that ends among the dead letters.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass

from opentelemetry.trace import Tracer

from tests.tracing.kit.transport import RefusedError, Taken, Transport

ITEMS = 50
DESTINATIONS = ("orders", "paid", "parcels", "late", "items", "invoices", "graveyard")


@dataclass(frozen=True)
class Stage:
    """One service at work: its transport, its own spans, and where destinations really are."""

    transport: Transport
    tracer: Tracer
    place: Callable[[str], str]
    order: str

    def doing(self, what: str) -> AbstractContextManager[object]:
        """A span of the application's own, about the order."""
        return self.tracer.start_as_current_span(what, attributes={"throughline.entity.order": self.order})

    def send(self, destination: str, *bodies: bytes, headers: object = None) -> None:
        """Send to a destination of the story."""
        self.transport.send(self.place(destination), *bodies, headers=headers)

    def handle(
        self, destination: str, handler: Callable[[Taken], None], *, group: str, count: int = 1
    ) -> None:
        """Handle what a destination of the story holds."""
        self.transport.handle(self.place(destination), handler, group=group, count=count, together=count > 1)


def tell(service: Callable[[str], AbstractContextManager[Stage]]) -> None:
    """The whole story; ``service(name)`` sets the stage for one service."""
    with service("shop") as shop, shop.doing("check out"):
        shop.send("orders", b"placed")
        shop.send("items", *(f"item {number}".encode() for number in range(ITEMS)))
        shop.send("invoices", b"\x00")
    tries: list[int] = []

    with service("payments") as payments:

        def pay(taken: Taken) -> None:
            with payments.doing("charge the card"):
                tries.append(1)
                if len(tries) == 1:
                    raise RefusedError("the bank did not answer")
                payments.send("paid", b"paid")

        payments.handle("orders", pay, group="payments")
    with service("audit") as audit:
        audit.handle("orders", _just(audit, "write it down"), group="audit")
    with service("packing") as packing:

        def pack(taken: Taken) -> None:
            with packing.doing("pack"):
                packing.send("parcels", b"packed")

        packing.handle("paid", pack, group="packing")
    with service("mail") as mail:

        def forward(taken: Taken) -> None:
            with mail.doing("find it late"):
                mail.send("late", taken.body, headers=taken.headers)

        mail.handle("parcels", forward, group="mail")
    with service("courier") as courier:
        courier.handle("late", _just(courier, "deliver"), group="courier")
    with service("counting") as counting:
        counting.handle("items", _just(counting, "count"), group="counting", count=ITEMS)
    with service("billing") as billing:

        def bill(taken: Taken) -> None:
            with billing.doing("read the invoice"):
                billing.transport.dead_letter(taken, billing.place("graveyard"), ValueError("not an invoice"))

        billing.handle("invoices", bill, group="billing")
    with service("undertaker") as undertaker:
        undertaker.handle("graveyard", _just(undertaker, "bury"), group="undertaker")


def _just(stage: Stage, what: str) -> Callable[[Taken], None]:
    def handler(taken: Taken) -> None:
        with stage.doing(what):
            pass

    return handler
