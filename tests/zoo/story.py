"""What happens to one order, step by step: who handles what, and what that makes.

placed (paid for at the second try, watched by audit too), packed, announced, sent on by a courier; with fifty
items counted in one batch, and an invoice nobody can read that ends among the dead letters. One service works
after the other, each handling at least ``WORK`` long: from that follow the least waits in ``expected.py``.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from opentelemetry.sdk.trace import TracerProvider

from tests.tracing.kit.transport import RefusedError, Taken, Transport

ITEMS = 50
WORK, ITEM_WORK = 30, 1  # ms that a handler works, and the handler of one item of the batch
RETRY = 100  # ms between the two tries, where a transport can be told to wait
GROUPS = {
    "orders": ("payments", "audit"),
    "paid": ("packing",),
    "parcels": ("mail",),
    "late": ("courier",),
    "items": ("counting",),
    "invoices": ("billing",),
    "graveyard": ("undertaker",),
}


@dataclass(frozen=True)
class Stage:
    """One service at work: its transport, its own spans, and where destinations really are."""

    transport: Transport
    provider: TracerProvider
    place: Callable[[str], str]
    order: str
    without: frozenset[str] = frozenset()  # destinations that nothing can reach here

    @contextmanager
    def doing(self, what: str, work: int = WORK) -> Iterator[None]:
        """A span of the application's own, about the order, in which it has worked for so many ms."""
        about = {"throughline.entity.order": self.order}
        with self.provider.get_tracer("story").start_as_current_span(what, attributes=about):
            until = time.time_ns() + work * 1_000_000  # by the clock that spans have
            while (left := until - time.time_ns()) > 0:
                time.sleep(left / 1e9)
            yield

    def send(self, destination: str, *bodies: bytes, headers: object = None) -> None:
        """Send to a destination of the story."""
        self.transport.send(self.place(destination), *bodies, headers=headers)

    def handle(
        self, destination: str, handler: Callable[[Taken], None], *, group: str, count: int = 1
    ) -> None:
        """Handle what a destination of the story holds."""
        if destination in self.without:
            return
        self.transport.handle(self.place(destination), handler, group=group, count=count, together=count > 1)


Service = Callable[[str], AbstractContextManager[Stage]]
Door = Callable[[Stage, Callable[[], None]], None]


def tell(service: Service, enter: Door) -> None:
    """The whole story; ``service(name)`` sets the stage, ``enter`` is how the order comes into the shop."""
    with service("shop") as shop:

        def check_out() -> None:
            with shop.doing("check out"):
                shop.send("orders", b"placed")
                shop.send("items", *(f"item {number}".encode() for number in range(ITEMS)))
                shop.send("invoices", b"\x00")

        enter(shop, check_out)
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
        counting.handle("items", _just(counting, "count", ITEM_WORK), group="counting", count=ITEMS)
    with service("billing") as billing:

        def bill(taken: Taken) -> None:
            with billing.doing("read the invoice"):
                billing.transport.dead_letter(taken, billing.place("graveyard"), ValueError("not an invoice"))

        billing.handle("invoices", bill, group="billing")
    with service("undertaker") as undertaker:
        undertaker.handle("graveyard", _just(undertaker, "bury"), group="undertaker")


def _just(stage: Stage, what: str, work: int = WORK) -> Callable[[Taken], None]:
    def handler(taken: Taken) -> None:
        with stage.doing(what, work):
            pass

    return handler
