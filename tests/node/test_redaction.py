"""10,000 secrets in 50 shapes through every door of a running node: none of them is on its disk, in its
answers, its exports or its logs."""

from __future__ import annotations

import base64
import gzip
import json
import random
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.node.harness import RunningNode, until
from tests.node.otlp import PROTOBUF, attribute, request, span

pytestmark = pytest.mark.server
EACH = 200  # secrets of a shape
RULES = (
    ("drop", "--attribute", "*password"),
    ("mask", "--attribute", "http.request.header.cookie"),
    ("mask", "--detector", "card"),
    ("hash", "--detector", "email"),
    ("mask", "--detector", "bearer"),
    ("mask", "--detector", "jwt"),
    ("mask", "--detector", "url"),
    ("drop", "--detector", "token"),
)


class Secrets:
    """Makes secrets that no other test or run makes, and knows every form that must not be found."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.forms: list[str] = []

    def word(self, size: int = 14) -> str:
        return self._keep("".join(self._random.choices("abcdefghjkmnpqrstuvwxyz23456789", k=size)))

    def card(self) -> str:
        head = "4" + "".join(self._random.choices("0123456789", k=14))
        doubled = [int(digit) * (2 if place % 2 == 0 else 1) for place, digit in enumerate(head)]
        check = -sum(one // 10 + one % 10 for one in doubled) % 10
        return self._keep(head + str(check))

    def mail(self) -> str:
        return f"{self.word()}@example.org"

    def jwt(self) -> str:
        parts = [base64.urlsafe_b64encode(self.word(20).encode()).decode().rstrip("=") for _ in range(2)]
        return f"eyJhbGciOiJI.{self._keep(parts[0])}.{self._keep(parts[1])}"

    def aws(self) -> str:
        return "AKIA" + self._keep("".join(self._random.choices("ABCDEFGHJKMNPQRSTUVWXYZ23456789", k=16)))

    def basic(self) -> str:
        return self._keep(base64.b64encode(f"u:{self.word()}".encode()).decode())

    def _keep(self, form: str) -> str:
        self.forms.append(form)
        return form


def spaced(card: str, by: str) -> str:
    return by.join(card[at : at + 4] for at in range(0, 16, 4))


def _cards(make: Secrets) -> list[Callable[[], Any]]:
    """Card numbers as people and machines write them."""

    def grouped(by: str) -> str:
        card = make.card()
        make.forms.append(spaced(card, by))
        return spaced(card, by)

    return [
        lambda: make.card(),
        lambda: f"paid with {make.card()} today",
        lambda: f"pan={make.card()};",
        lambda: f"x ({make.card()}), y",
        lambda: grouped(" "),
        lambda: grouped("-"),
        lambda: grouped("."),
        lambda: grouped("+"),
        lambda: grouped("%20"),
        lambda: int(make.card()),
        lambda: [make.card(), "beside"],
        lambda: json.dumps({"n": make.card()}),
        lambda: json.dumps({"deep": [{"n": int(make.card())}]}),
        lambda: make.card().encode(),
    ]


def _mails(make: Secrets) -> list[Callable[[], Any]]:
    """Addresses."""
    return [
        make.mail,
        lambda: f"to {make.mail()}, cc {make.mail()}",
        lambda: f"<{make.mail().upper()}>",
        lambda: make.mail().replace("@", "%40"),
        lambda: f"mailto:{make.mail()}?subject=x",
        lambda: json.dumps({"to": make.mail()}),
        lambda: {"to": {"mail": make.mail()}},
        lambda: {make.mail(): 1},
    ]


def _credentials(make: Secrets) -> list[Callable[[], Any]]:
    """What opens something."""
    return [
        lambda: f"Bearer {make.word()}",
        lambda: f"got bearer {make.word()} back",
        lambda: f"Authorization: Bearer {make.word()}",
        lambda: f"authorization=Token {make.word()}",
        lambda: json.dumps({"Authorization": f"Bearer {make.word()}"}),
        lambda: f"Bearer%20{make.word()}",
        lambda: f"Basic {make.basic()}",
        lambda: f"curl -H 'Authorization: Basic {make.basic()}' http://x",
        make.jwt,
        lambda: f"id_token: {make.jwt()}",
        lambda: f"/cb?code=1&jwt={make.jwt()}",
        lambda: f"postgres://app:{make.word()}@db:5432/x",
        lambda: f"https://{make.word()}@host/path",
        lambda: f"retry amqp://u:{make.word()}@mq/ in 5 s",
        lambda: "https%3A%2F%2Fu%3A" + make.word() + "%40host",
        lambda: f"redis://:{make.word()}@cache:6379/0",
        make.aws,
        lambda: f"aws_key={make.aws()}",
        lambda: f"ghp_{make.word(36)}",
        lambda: f"-----BEGIN PRIVATE KEY-----\n{make.word(40)}\n-----END PRIVATE KEY-----",
    ]


def _named(make: Secrets) -> list[Callable[[], Any]]:
    """Secrets that only their name gives away."""
    return [
        lambda: {"password": make.word()},
        lambda: {"db.password": {"inner": make.word()}},
        lambda: json.dumps({"user": {"password": make.word()}}),
        lambda: f"user=a&password={make.word()}&b=1",
        lambda: f"/login?Password={make.word()}",
        lambda: 'log {"password": "' + make.word() + '", "n": 1',
        lambda: [{"old_password": make.word()}],
        lambda: f"password: {make.word()}",
    ]


def shapes(make: Secrets) -> list[Callable[[], Any]]:
    """Fifty values, each with a secret in it."""
    found = [*_cards(make), *_mails(make), *_credentials(make), *_named(make)]
    assert 50 == len(found)
    return found


def _grep(patterns: Path, *places: Path) -> list[str]:
    found = subprocess.run(
        ["grep", "-raFoh", "--max-count=20", "-f", str(patterns), *map(str, places)],
        capture_output=True,
        check=False,
    )
    assert found.returncode in (0, 1), found.stderr
    return found.stdout.decode(errors="replace").splitlines()[:20]


def _events(values: list[Any], door: str, first: int) -> Iterator[dict[str, Any]]:
    for number, value in enumerate(values, first):
        plain = value.decode() if isinstance(value, bytes) else value
        yield {
            "specversion": "1.0",
            "id": f"{door}-{number}",
            "source": "/secrets",
            "type": "Planted",
            "subject": plain if isinstance(plain, str) and "\n" not in plain else "none",
            "data": plain,
        }


def _zipkin(value: Any, number: int) -> dict[str, Any]:
    text = value if isinstance(value, str) else json.dumps(value, default=bytes.decode)
    return {
        "traceId": f"{number + 1:032x}",
        "id": f"{number + 1:016x}",
        "name": "planted",
        "timestamp": time.time_ns() // 1000,
        "localEndpoint": {"serviceName": "zipkin"},
        "tags": {"value": text},
        "annotations": [{"timestamp": time.time_ns() // 1000, "value": text}],
    }


def _any(value: Any) -> Any:
    from tests.timeline.ingest.otlp_requests import any_value

    return any_value(value)


def _send(node: RunningNode, values: list[Any], first: int) -> None:
    """The same kind of secret through a door by its place in turn."""
    spans, events, old = [], [], []
    for number, value in enumerate(values, first):
        door = number % 4
        if door == 0:
            made = span(0xACE0000 + number, number + 1, name="planted")
            pair = attribute("value", "")
            pair.value.CopyFrom(_any(value))
            made.attributes.append(pair)
            made.events.add(name="note").attributes.append(pair)
            spans.append(made)
        elif door == 1:
            events.append(value)
        elif door == 2:
            old.append(_zipkin(value, number))
        else:
            (one,) = _events([value], "binary", number)
            data = one.pop("data")
            text = data if isinstance(data, str) else json.dumps(data)
            headers = {f"ce-{name}": urllib.parse.quote(str(item), safe="/:") for name, item in one.items()}
            assert 202 == node.send("/v1/events", text.encode(), "text/plain", **headers)
    assert 200 == node.send(
        "/v1/traces", gzip.compress(request("otlp", spans)), PROTOBUF, **{"Content-Encoding": "gzip"}
    )
    batch = json.dumps(list(_events(events, "batch", first)), default=bytes.decode).encode()
    assert 202 == node.send("/v1/events", batch, "application/cloudevents-batch+json")
    assert 202 == node.send("/api/v2/spans", json.dumps(old).encode(), "application/json")


def _broken(node: RunningNode, make: Secrets) -> None:
    """What is refused keeps no sample of its secrets either."""
    assert 400 == node.send("/v1/traces", make.card().encode(), "application/json")
    assert 400 == node.send(
        "/v1/events", json.dumps([{"id": make.mail()}]).encode(), "application/cloudevents-batch+json"
    )
    bad = span(0, 1, name=f"to {make.mail()}")  # a trace id of zeros
    node.send("/v1/traces", request("otlp", [bad]), PROTOBUF)
    assert 415 == node.send("/v1/traces", make.card().encode(), "text/plain")


def _in_force(node: RunningNode) -> None:
    """Wait until a rule acts; what is used for it is no secret of the test."""
    numbers = iter(range(1_000_000))

    def masked() -> bool:
        event = {
            "specversion": "1.0",
            "id": f"probe-{next(numbers)}",
            "source": "/probe",
            "type": "Probe",
            "data": {"password": "x"},
        }
        assert 202 == node.send("/v1/events", json.dumps(event).encode(), "application/cloudevents+json")
        return ", 0 values" not in node.manage("redact", "list").splitlines()[0]

    until(masked, what="the first rule in force")


def _export(node: RunningNode, form: str) -> bytes:
    asked = urllib.request.Request(
        f"{node.web}/api/v1/export/search?q=*&range=all&format={form}",
        headers={"Authorization": f"Bearer {node.token}"},
    )
    with urllib.request.urlopen(asked, timeout=120) as answer:
        return bytes(answer.read())


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[RunningNode]:
    """A node of this try alone, since rules stay."""
    running = RunningNode(tmp_path / "node")
    try:
        yield running.start()
    finally:
        running.stop()


def test_no_planted_secret_is_found_anywhere(fresh: RunningNode, tmp_path: Path) -> None:
    node = fresh
    for action, by, match in RULES:
        node.manage("redact", "add", action, by, match)
    _in_force(node)
    make = Secrets(20_261_126)
    found = shapes(make)
    (worker,) = node.processes("worker")[:1]
    worker.send_signal(signal.SIGSTOP)  # so that everything still lies in the inbox when it is looked at
    try:
        number = 0
        for _ in range(EACH // 10):
            values = [shape() for shape in found for _ in range(10)]
            _send(node, values, number)
            number += len(values)
        _broken(node, make)
        patterns = tmp_path / "patterns"
        patterns.write_text("\n".join({form for form in make.forms if len(form) > 9}))
        inbox = [file for file in node.data.iterdir() if file.name.startswith("inbox")]
        assert [] == _grep(patterns, *inbox)
    finally:
        worker.send_signal(signal.SIGCONT)
    assert 50 * EACH == number
    node.drained()
    node.searchable()
    assert number <= node.get("/api/v1/search?q=*&range=all")["total"]["value"]
    taken = tmp_path / "taken"
    taken.mkdir()
    for form in ("ndjson", "csv", "json"):
        (taken / form).write_bytes(_export(node, form))
    assert b"batch-1" in (taken / "ndjson").read_bytes()
    assert [] == _grep(patterns, taken)
    assert [] == _grep(patterns, node.data)
    mail = next(form for form in make.forms if form.isalnum() and len(form) == 14) + "@example.org"
    seen = node.get(f"/api/v1/search?range=all&q={urllib.parse.quote(mail)}")
    hidden = node.get("/api/v1/search?range=all&q=4111111111111111")
    assert ("cannot_say", "seen") == (hidden["verdict"], seen["verdict"])
    assert "card numbers" in str(hidden["answer"])
