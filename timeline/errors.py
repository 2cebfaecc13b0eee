"""The two branches of failure: what must never be retried, and what must.

Every adapter maps its client's own errors onto this tree and keeps the
original as ``__cause__``. ``web.problems`` turns it into problem+json (RFC
9457), ``receive`` into ``google.rpc.Status``, and ``tasks`` into a back-off.
"""


class ThroughlineError(Exception):
    """Anything we raise on purpose; ``remedy`` says what would help."""

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class Rejected(ThroughlineError):  # noqa: N818 - reads as what became of the input
    """The input is at fault: the same bytes will fail again, so never retry."""


class MalformedPayload(Rejected):
    """Bytes that do not decode, or decode to something no rule allows."""


class UnsupportedPayload(Rejected):
    """A media type, content encoding or signal that is not offered here."""


class TooLarge(Rejected):
    """Bytes, items or nesting beyond a stated limit."""


class BadQuery(Rejected):
    """A question that cannot be read; ``column`` (1-based) points at the spot."""

    def __init__(self, message: str, *, column: int | None = None, remedy: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.column = column


class Unavailable(ThroughlineError):  # noqa: N818 - reads as a state
    """Something we depend on is away: nothing is lost, try again."""


class StoreUnavailable(Unavailable):
    """The store did not answer, or did not confirm that a write is durable.

    ``waiting`` is told to readers: requests and items that are received and cannot be searched yet.
    """

    waiting: tuple[int, int] | None = None


class QueueUnavailable(Unavailable):
    """The inbox or the broker did not take the hand-over."""
