"""What there is to find, by name: ids, numbers and the clock of the match day.

Times are written as they stood on the wall that day ("18:15:09.702"); ``Clock`` moves the day so
that its last minute is now. Docs and tests take every id from here.
"""

from __future__ import annotations

from dataclasses import dataclass

MINUTE = 60_000_000_000
DAY = 24 * 60 * MINUTE

MATCH = "4711"
GOALS = ("1-0", "2-0")
NEVER_SENT = "3-0"  # on air at about 18:34, never in the feed
NOT_SEEN_QUERY = f"type:GoalScored match:{MATCH} score:{NEVER_SENT}"
FEED_LENGTH = 1904  # match.events/0 holds 1 to 1,904 without a gap
GROWING_DESTINATION = "match.events"
GROWING_HEADER = "x-feed-hop"

BETS = 1000
FIRST_BET = 8000
PAID = 997
HANGING = ("8127", "8433", "8905")  # settled with keys of type int64, never paid
OLD_INSTANCE = "settlement-0"  # at 3.8.2, not restarted

DOUBLE_CREDIT = "8812"  # waited 90.012 s, credited twice, its player never told
WAIT_NS = 90_012_000_000
HARMLESS_DUPLICATE = "8350"  # delivered twice, credited once
TWO_PARTITIONS = "8640"  # one key on two partitions of bets

PLAYER = "20417"  # verified yesterday, placed bet 8812 today
DEAD_LETTERS = "settlements.dlq"
ENVIRONMENT = "prod"

QUESTIONS = (  # what to paste into the box, and what it shows
    (NOT_SEEN_QUERY, "did the feed ever send the third goal? it never did"),
    (f"bet:{DOUBLE_CREDIT}", "waited 90 s, credited twice, its player never told"),
    (f"match:{MATCH} type:GoalScored fact:event", "the two goals that were sent"),
    (f"bet:{HANGING[0]}", f"one of {BETS - PAID} bets that were settled and never paid"),
    (f"service.instance.id:{OLD_INSTANCE}", "the instance left behind, which still writes integer keys"),
    (f"bet:{TWO_PARTITIONS} destination:bets", "one key on two partitions"),
    (f"destination:{DEAD_LETTERS}", "a message that nobody could parse"),
    (f"player:{PLAYER}", "one player over two days (choose the range All): four services, three traces"),
)

VERSIONS = {
    "feed-gateway": "1.9.2",
    "bet-placement": "5.2.1",
    "settlement": "3.9.0",
    "wallet": "2.14.0",
    "notifications": "1.4.7",
}
SERVICES = tuple(VERSIONS)


@dataclass(frozen=True)
class Clock:
    """The match day's wall clock as nanoseconds UTC; kick-off is 17:00:00."""

    kickoff: int

    @classmethod
    def ending(cls, now: int) -> Clock:
        """The day whose 18:42 is the minute of ``now`` (ns)."""
        return cls(now // MINUTE * MINUTE - 102 * MINUTE)

    def at(self, wall: str, *, days: int = 0) -> int:
        """ns of "HH:MM:SS.fff"; ``days`` before (-1) or after the match day."""
        hours, minutes, seconds = wall.split(":")
        whole, _, fraction = seconds.partition(".")
        since = (int(hours) - 17) * 60 * MINUTE + int(minutes) * MINUTE
        return self.kickoff + days * DAY + since + int(whole) * 1_000_000_000 + int(f"{fraction:0<9}"[:9])
