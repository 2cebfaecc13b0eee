"""What lives in the relational database: people's and operators' things, never facts.

Times are ns UTC in ``BigIntegerField`` wherever they are compared with facts.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models

if TYPE_CHECKING:
    _CharField = models.CharField[str | int | None, str]
else:
    _CharField = models.CharField


class Text(_CharField):
    """Text that may come from anywhere: PostgreSQL refuses NUL and what is longer than the column."""

    def get_prep_value(self, value: Any) -> Any:
        """As it can be stored, or compared with what was."""
        prepared = super().get_prep_value(value)
        return (
            prepared.replace("\0", "\N{REPLACEMENT CHARACTER}")[: self.max_length] if prepared else prepared
        )

    def deconstruct(self) -> tuple[str, str, Any, Any]:
        """A ``CharField`` to the database."""
        name, _, args, kwargs = super().deconstruct()
        return name, "django.db.models.CharField", args, kwargs


class Token(models.Model):
    """A key for machines: ``read`` for the API, ``ingest`` for senders; hashed at rest."""

    class Scope(models.TextChoices):
        """What a token may do; never both."""

        READ = "read"
        INGEST = "ingest"

    name = Text(max_length=100)  # of the sender: keys of one name are one sender to the accounting
    team = Text(max_length=100, blank=True, db_default="")
    scope = models.CharField(max_length=6, choices=Scope.choices)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256: enough for 160 random bits
    workspace = models.CharField(max_length=64, default="main")
    environment = Text(
        max_length=100, blank=True, db_default=""
    )  # the only one it may write into; empty for any
    # a second; empty for what the settings say
    quota_items = models.BigIntegerField(null=True, blank=True)
    quota_burst = models.BigIntegerField(null=True, blank=True)  # items at once
    quota_bytes = models.BigIntegerField(null=True, blank=True)
    created = models.DateTimeField(auto_now_add=True)
    expires = models.DateTimeField(null=True, blank=True)
    revoked = models.DateTimeField(null=True, blank=True)
    last_used = models.DateTimeField(null=True, blank=True)  # within seconds

    def __str__(self) -> str:
        return f"{self.scope} {self.prefix}… ({self.name})"


class SignInLink(models.Model):
    """A one-time link that signs its opener in; hashed at rest, short-lived."""

    digest = models.CharField(max_length=64, unique=True)
    user = models.ForeignKey("auth.User", on_delete=models.CASCADE)
    expires = models.DateTimeField()
    used = models.DateTimeField(null=True, blank=True)


class Node(models.Model):
    """One process of a node, its last heartbeat, and what its inbox held at that moment."""

    name = Text(max_length=100)
    role = models.CharField(max_length=16)  # receiver, worker, consumer
    since = models.BigIntegerField()  # first start ever
    started = models.BigIntegerField()
    beat = models.BigIntegerField()
    pending_requests = models.BigIntegerField(default=0)
    pending_items = models.BigIntegerField(default=0)
    oldest_pending = models.BigIntegerField(null=True)
    tally = models.JSONField(default=list)
    waiting = models.JSONField(null=True)  # of each sender: what waits, and how fast it comes and goes
    # of the worker: since when (ns) summaries lack facts of this node, and touches it could not note
    summaries_behind = models.BigIntegerField(null=True)
    touches_lost = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "role"], name="one_row_per_process")]


class Lease(models.Model):
    """A periodic task: who does it, until when that holds, and when it was last begun and done."""

    task = Text(max_length=120, unique=True)
    node = Text(max_length=100, blank=True)  # who has, or last had it
    holder = models.CharField(max_length=64, blank=True)  # one turn of one process
    until = models.BigIntegerField(default=0)  # ns; 0: free
    done = models.BigIntegerField(default=0)


class Consumed(models.Model):
    """How far one partition of a Kafka topic is accounted for, and what became of its items."""

    group = Text(max_length=200)
    topic = Text(max_length=249)
    partition = models.IntegerField()
    next = models.BigIntegerField(default=0)  # offset
    # offsets in hand, and how often a process ended while it looked at them
    trying = models.BigIntegerField(default=0)
    up_to = models.BigIntegerField(default=0)
    attempts = models.IntegerField(default=0)
    tally = models.JSONField(default=list)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["group", "topic", "partition"], name="one_row_a_partition")
        ]


class AccessCheck(models.Model):
    """What a principal may do on a Kafka cluster, as it was tried last."""

    at = models.BigIntegerField()  # ns
    brokers = Text(max_length=500)
    principal = Text(max_length=250)
    lines = models.JSONField(default=list)  # resource, name, operation, result, detail
    commands = models.JSONField(default=list)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["brokers", "principal"], name="one_check_a_principal")]


class Outage(models.Model):
    """A stretch in which a receiver did not run: nothing sent to it then was taken."""

    node = Text(max_length=100)
    start = models.BigIntegerField()
    end = models.BigIntegerField()
    reason = Text(max_length=200)


class Declaration(models.Model):
    """Someone states that everything of this range was sent in: history, imports, backfills."""

    start = models.BigIntegerField()
    end = models.BigIntegerField()
    by = Text(max_length=150)
    note = Text(max_length=500, blank=True)
    made = models.DateTimeField(auto_now_add=True)


class Refusal(models.Model):
    """Items refused to a sender, by minute and reason, with one sample of their bytes."""

    minute = models.BigIntegerField()  # ns, start of the minute
    workspace = models.CharField(max_length=64, default="main")
    sender = Text(max_length=100)
    signal = models.CharField(max_length=16)
    reason = models.CharField(max_length=64)
    message = Text(max_length=1000)
    items = models.BigIntegerField(default=0)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    sample = models.BinaryField(default=b"")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["minute", "workspace", "sender", "signal", "reason"], name="one_refusal_a_minute"
            )
        ]


class Quarantined(models.Model):
    """Items that could not be stored: ``data``, ``encoding`` and ``headers`` are a request that holds them
    alone. Without headers it is not one: bytes of what could not be read, or of an older version."""

    class State(models.TextChoices):
        """What was done about it."""

        KEPT = "kept"
        REPLAYED = "replayed"
        DISCARDED = "discarded"

    request = models.CharField(max_length=100)
    position = models.IntegerField()
    items = models.BigIntegerField(default=1)
    at = models.BigIntegerField()  # received, ns
    workspace = models.CharField(max_length=64, default="main")
    sender = Text(max_length=100)
    signal = models.CharField(max_length=16)
    reason = models.CharField(max_length=64)
    message = Text(max_length=1000)
    data = models.BinaryField()
    headers = models.JSONField(default=dict)
    encoding = models.CharField(max_length=16, blank=True)
    environment = Text(max_length=100, blank=True)
    state = models.CharField(max_length=16, choices=State.choices, default=State.KEPT)
    who = Text(max_length=150, blank=True)
    because = Text(max_length=300, blank=True)
    changed = models.BigIntegerField(null=True)  # ns

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "position"], name="quarantined_once")]


class Arrival(models.Model):
    """One more arrival of a fact that was already stored, by another request."""

    fact = models.CharField(max_length=20, db_index=True)
    request = models.CharField(max_length=40)
    at = models.BigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["fact", "request"], name="arrived_once_a_request")]


class PartlyIndexed(models.Model):
    """A fact with more values than are indexed: absence of a value is not proven by it."""

    fact = models.CharField(max_length=20, unique=True)
    workspace = models.CharField(max_length=64, default="main")
    at = models.BigIntegerField(db_index=True)  # placed time, ns
    received = models.BigIntegerField()


class Sender(models.Model):
    """A service that sends, as far as its facts tell; ``complete`` is an operator's word."""

    workspace = models.CharField(max_length=64, default="main")
    service = Text(max_length=200)
    version = Text(max_length=100, blank=True)
    environment = Text(max_length=100, blank=True)
    sdk = Text(max_length=200, blank=True)
    facts = models.BigIntegerField(default=0)
    first = models.BigIntegerField()
    last = models.BigIntegerField()
    ahead = models.BigIntegerField(null=True)  # ns its clock ran ahead of ours, at most
    sampled_at = models.BigIntegerField(null=True)  # last evidence of sampling, ns
    complete = models.BooleanField(default=False)
    declared_by = Text(max_length=150, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "service", "version", "environment", "sdk"], name="one_row_per_sender"
            )
        ]


class EntityRule(models.Model):
    """How facts get entities: an attribute key, a destination's message key, or a subject."""

    class By(models.TextChoices):
        """What the rule looks at."""

        ATTRIBUTE = "attribute"
        MESSAGE_KEY = "message key"
        SUBJECT = "subject"

    workspace = models.CharField(max_length=64, default="main")
    by = models.CharField(max_length=16, choices=By.choices)
    match = Text(max_length=250)
    type = Text(max_length=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "by", "match", "type"], name="one_rule_each")
        ]


class RedactionRule(models.Model):
    """What is taken out of everything received, before it touches a disk; times in ns.

    A rule that ended stays: facts it hashed are found by their plain value as long as they are held.
    """

    workspace = models.CharField(max_length=64, default="main")
    by = models.CharField(max_length=16)  # attribute, detector
    match = Text(max_length=250)
    action = models.CharField(max_length=8)  # drop, mask, hash
    note = Text(max_length=300, blank=True)
    who = Text(max_length=150)
    made = models.BigIntegerField()
    ended = models.BigIntegerField(null=True)
    hits = models.BigIntegerField(default=0)  # values taken out
    last_hit = models.BigIntegerField(null=True)


class RedactionSalt(models.Model):
    """The key of a workspace's hashes: whoever has it can try values out, so it leaves the node by no page."""

    workspace = models.CharField(max_length=64, unique=True)
    salt = models.BinaryField()


class SavedSearch(models.Model):
    """A search with a name, for everybody of the workspace; ``query`` is the rest of its URL."""

    workspace = models.CharField(max_length=64, default="main")
    name = Text(max_length=80)
    text = Text(max_length=8192)
    query = models.TextField()
    note = Text(max_length=300, blank=True)
    by = Text(max_length=150)
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="one_saved_search_a_name")]


class RecentSearch(models.Model):
    """What a person asked lately, once a text, for the list under the box."""

    user = models.ForeignKey("auth.User", on_delete=models.CASCADE)
    digest = models.CharField(max_length=64)  # of the text, which may be long
    text = Text(max_length=8192)
    query = models.TextField()
    at = models.BigIntegerField()  # ns

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "digest"], name="one_recent_search_a_text")]


class Watch(models.Model):
    """A person waits for the first fact that matches: told of once, and forgotten when it expires.

    It counts what was received from ``since`` on, which is the moment up to which everything was
    searched when it was made; with ``start`` and ``end`` the fact's own time must lie between them.
    """

    user = models.ForeignKey("auth.User", on_delete=models.CASCADE)
    workspace = models.CharField(max_length=64, default="main")
    text = Text(max_length=8192)
    environment = Text(max_length=100, blank=True)
    start = models.BigIntegerField(null=True)
    end = models.BigIntegerField(null=True)
    since = models.BigIntegerField()
    made = models.BigIntegerField()
    expires = models.BigIntegerField(db_index=True)
    arrived = models.BigIntegerField(null=True)  # received time of the first match, ns
    fact = models.CharField(max_length=20, blank=True)
    problem = Text(max_length=500, blank=True)  # why it can be looked for no more


class Marker(models.Model):
    """A deploy or a change, by its time: drawn wherever time is."""

    workspace = models.CharField(max_length=64, default="main")
    at = models.BigIntegerField(db_index=True)  # ns
    until = models.BigIntegerField(null=True)
    kind = models.CharField(max_length=20)
    title = Text(max_length=200)
    service = Text(max_length=200, blank=True)
    version = Text(max_length=100, blank=True)
    environment = Text(max_length=100, blank=True)
    url = Text(max_length=1000, blank=True)
    by = Text(max_length=150, blank=True)
    digest = models.CharField(max_length=64)  # of all it says: told twice is told once
    made = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "digest"], name="one_marker_each")]


class Audit(models.Model):
    """Who saw, took away or declared what."""

    at = models.DateTimeField(auto_now_add=True)
    who = Text(max_length=150)
    what = Text(max_length=50)
    detail = Text(max_length=1000)
    rows = models.BigIntegerField(null=True)
