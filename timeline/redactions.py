"""The redaction rules of each workspace: made, ended, counted, and at hand for whoever takes data in.

A rule never changes: it is made and ended, and stays known after that, since facts it hashed are looked for
by their plain value as long as they are held.
"""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections import Counter
from contextlib import suppress
from functools import lru_cache
from typing import Final

from django.db import Error, close_old_connections, transaction
from django.db.models import F

from timeline.errors import QueueUnavailable, Rejected
from timeline.models import Audit, RedactionRule, RedactionSalt
from timeline.redaction.asking import NOTHING, Asking, Term
from timeline.redaction.detectors import DETECTORS
from timeline.redaction.rules import Action, Redaction, Rule

log = logging.getLogger(__name__)
FRESH: Final = 2.0  # s for which rules are believed: a new one is in force after these
MOST: Final = 100  # rules in force in a workspace
_PERIOD: Final = 2.0  # s between writes of the counts
_LONGEST: Final = 250


class Redactions(threading.Thread):
    """What is in force in each workspace; as a thread, it keeps them fresh and writes the
    counts behind the senders' backs."""

    def __init__(self) -> None:
        super().__init__(name="redaction", daemon=True)
        self._lock = threading.Lock()
        self._known: dict[str, Redaction] | None = None  # by workspace
        self._asked = 0.0
        self._hits: Counter[int] = Counter()
        self._stop_asked = threading.Event()

    def of(self, workspace: str) -> Redaction | None:
        """The rules in force, ``None`` where there are none.

        While the database is away those known last stay in force; raises ``QueueUnavailable`` where none
        were ever read, since nothing may pass unread.
        """
        known = self._known
        if known is None or time.monotonic() - self._asked > FRESH:
            known = self._read()
        return known.get(workspace)

    def remembered(self, workspace: str) -> Redaction | None:
        """The rules known last, without asking anybody; raises ``QueueUnavailable`` where none were ever read."""
        if self._known is None:
            raise QueueUnavailable("the redaction rules are not read yet")
        return self._known.get(workspace)

    def stop(self) -> None:
        """Write what is left, then end."""
        self._stop_asked.set()
        self.join(5)

    def run(self) -> None:
        """Read and write until asked to stop."""
        while not self._stop_asked.is_set():
            with suppress(QueueUnavailable):
                self._read()
            self.write()
            self._stop_asked.wait(_PERIOD)
        self.write()

    def write(self) -> None:
        """Write the counts; while the database is away they wait."""
        with self._lock:
            for redaction in (self._known or {}).values():
                self._hits.update(redaction.counted())
            hits, self._hits = self._hits, Counter()
        now = time.time_ns()
        try:
            while hits:
                number, count = hits.popitem()
                try:
                    RedactionRule.objects.filter(pk=number).update(hits=F("hits") + count, last_hit=now)
                except Error:
                    hits[number] += count
                    raise
        except Error as error:
            log.warning("the counts of redaction rules wait for the database: %s", error)
            close_old_connections()
            with self._lock:
                self._hits.update(hits)

    def _read(self) -> dict[str, Redaction]:
        with self._lock:
            if self._known is not None and time.monotonic() - self._asked <= FRESH:
                return self._known
            try:
                found = _in_force()
            except Error as error:
                close_old_connections()
                if self._known is None:
                    raise QueueUnavailable(
                        f"the redaction rules cannot be read: {error}", remedy="send again in a second"
                    ) from error
                self._asked = time.monotonic()
                log.warning("redaction goes on by the rules known last: %s", error)
                return self._known
            self._known = self._renewed(self._known or {}, found)
            self._asked = time.monotonic()
            return self._known

    def _renewed(
        self, old: dict[str, Redaction], found: dict[str, tuple[tuple[Rule, ...], bytes]]
    ) -> dict[str, Redaction]:
        """What is in force now; where the rules are the same it goes on, since it learns the texts it meets."""
        new = {
            workspace: old[workspace]
            if workspace in old and old[workspace].rules == rules
            else Redaction(rules, salt)
            for workspace, (rules, salt) in found.items()
        }
        for workspace, redaction in old.items():
            if new.get(workspace) is not redaction:
                self._hits.update(redaction.counted())
        return new


def make(
    *, by: str, match: str, action: Action, note: str = "", who: str, workspace: str = "main"
) -> RedactionRule:
    """Put a rule in force; raises ``Rejected`` where it says nothing or is in force already."""
    match = match.strip()
    check(by, match, action)
    with transaction.atomic():
        RedactionSalt.objects.get_or_create(workspace=workspace, defaults={"salt": secrets.token_bytes(32)})
        there = RedactionRule.objects.filter(workspace=workspace, ended=None)
        if there.filter(by=by, match=match).exists():
            raise Rejected(f"a rule for {match!r} is in force", remedy="end it first")
        if there.count() >= MOST:
            raise Rejected(f"{MOST} rules are in force already", remedy="end one that is not needed")
        row = RedactionRule.objects.create(
            workspace=workspace,
            by=by,
            match=match,
            action=action,
            note=note[:300],
            who=who,
            made=time.time_ns(),
        )
        Audit.objects.create(who=who, what="redaction make", detail=f"{action} {by} {match}")
    return row


def end(number: int, *, who: str, workspace: str = "main") -> bool:
    """Take a rule out of force; whether it was."""
    with transaction.atomic():
        rows = RedactionRule.objects.filter(workspace=workspace, pk=number, ended=None)
        found = rows.first()
        if found is None:
            return False
        rows.update(ended=time.time_ns())
        detail = f"{found.action} {found.by} {found.match}"
        Audit.objects.create(who=who, what="redaction end", detail=detail)
    return True


def trial(rules: list[Rule], workspace: str = "main") -> Redaction:
    """Rules to be tried on samples: they hash as those in force do, and count for nobody."""
    row = RedactionSalt.objects.filter(workspace=workspace).first()
    return Redaction(rules, bytes(row.salt) if row else b"a trial")


def asking(workspace: str) -> Asking:
    """The rules as questions meet them; at most 2 s old. Raises the database's own error."""
    return _asking(workspace, int(time.monotonic() / FRESH))


def unsaid(text: str, workspace: str = "main") -> str:
    """A question as it may be written down: it finds the same, and names no secret that a rule knows."""
    return asking(workspace).text(text)


@lru_cache(maxsize=64)
def _asking(workspace: str, age: int) -> Asking:
    rows = RedactionRule.objects.filter(workspace=workspace).order_by("pk")
    terms = [Term(rule_of(row), row.made, row.ended) for row in rows]
    if not terms:
        return NOTHING
    return Asking(terms, bytes(RedactionSalt.objects.get(workspace=workspace).salt))


def rule_of(row: RedactionRule) -> Rule:
    """A row as the pure part knows it."""
    return Rule(number=row.pk, by=row.by, match=row.match, action=row.action)  # type: ignore[arg-type]


def check(by: str, match: str, action: str) -> None:
    """Raises ``Rejected`` where this can be no rule."""
    if by == "detector" and match not in DETECTORS:
        raise Rejected("this detector is not known", remedy=f"one of {', '.join(DETECTORS)}")
    if by not in ("attribute", "detector") or action not in ("drop", "mask", "hash"):
        raise Rejected("a rule drops, masks or hashes an attribute or what a detector finds")
    if not match.replace("*", "").strip("._- "):
        raise Rejected(
            "a rule names an attribute",
            remedy="write its key, as user.email or *.password; * stands for anything",
        )
    if len(match) > _LONGEST or match.count("*") > 4:
        raise Rejected(f"a key has at most {_LONGEST} characters and 4 stars")


def _in_force() -> dict[str, tuple[tuple[Rule, ...], bytes]]:
    rows = list(RedactionRule.objects.filter(ended=None).order_by("pk"))
    salts = {row.workspace: bytes(row.salt) for row in RedactionSalt.objects.all()} if rows else {}
    found: dict[str, tuple[Rule, ...]] = {}
    for row in rows:
        found[row.workspace] = (*found.get(row.workspace, ()), rule_of(row))
    return {workspace: (rules, salts[workspace]) for workspace, rules in found.items()}
