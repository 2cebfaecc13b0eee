"""Somebody who looks on while a fault is on: asks pages and API all the time and writes down what they say."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import re
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from tests.faults.ledger import unaccounted
from tests.node.harness import RunningNode

SEARCH = "/api/v1/search?q=service:nobody-sends-this&range=30s"
BOOKS = "/api/v1/senders"


@dataclass(frozen=True)
class Said:
    """One answer: its status, its JSON, how long it took (s)."""

    status: int
    body: Any
    took: float


def ask(node: RunningNode, path: str, *, timeout: float = 60) -> Said:
    """An answer of the API, an error's included; status 0 where none came."""
    began = time.monotonic()
    request = urllib.request.Request(node.web + path, headers={"Authorization": f"Bearer {node.token}"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Said(answer.status, _parsed(answer.read()), time.monotonic() - began)
    except urllib.error.HTTPError as error:
        return Said(error.code, _parsed(error.read()), time.monotonic() - began)
    except OSError:
        return Said(0, None, time.monotonic() - began)


def _parsed(body: bytes) -> Any:
    """The JSON of an answer, or the start of what came instead."""
    try:
        return json.loads(body)
    except ValueError:
        return {"detail": body[:500].decode(errors="replace")}


class Browser:
    """Somebody who is signed in and reads pages as text."""

    def __init__(self, node: RunningNode) -> None:
        self._node = node
        jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        link = node.manage("signin_link").strip()
        # signed in by then, even where the page it leads to cannot be shown
        with contextlib.suppress(urllib.error.HTTPError):
            self._opener.open(link, timeout=60).close()

    def read(self, path: str) -> tuple[int, str]:
        """The status of a page and its words."""
        try:
            with self._opener.open(self._node.web + path, timeout=60) as answer:
                return answer.status, _words(answer.read().decode())
        except urllib.error.HTTPError as error:
            return error.code, _words(error.read().decode())


def _words(page: str) -> str:
    page = re.sub(r"(?s)<(script|style|svg)\b.*?</\1>", " ", page)
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", page)).split())


@dataclass
class Watch:
    """What was said while it lasted."""

    searches: list[Said] = field(default_factory=list)
    books: list[dict[str, int]] = field(default_factory=list)

    def unbalanced(self) -> list[dict[str, int]]:
        """Moments in which an item was nowhere."""
        return [tally for tally in self.books if unaccounted(tally)]

    def most(self, kind: str) -> int:
        """The highest figure of the books."""
        return max((tally.get(kind, 0) for tally in self.books), default=0)

    def slowest(self) -> float:
        """Seconds of the slowest search."""
        return max((said.took for said in self.searches), default=0.0)

    def failures(self) -> list[Said]:
        """Searches that ended in a server error of which nobody had thought."""
        return [said for said in self.searches if said.status not in (200, 503)]

    def verdicts(self) -> set[str]:
        """The verdicts given on something that nobody sent."""
        return {said.body["verdict"] for said in self.searches if said.status == 200}

    def causes(self) -> set[str]:
        """The kinds of causes that were named."""
        return {
            cause["kind"]
            for said in self.searches
            if said.status == 200
            for cause in said.body["answer"]["causes"]
        }


@contextmanager
def watching(node: RunningNode, *, every: float = 0.3) -> Iterator[Watch]:
    """Ask for the books and for something nobody sent, again and again, while the block runs."""
    watch, stop = Watch(), threading.Event()

    def books() -> None:
        done = False
        while not done:
            said = ask(node, BOOKS)
            if said.status == 200:
                watch.books.append(said.body["tally"])
            done = stop.wait(every)

    def searches() -> None:
        done = False
        while not done:
            watch.searches.append(ask(node, SEARCH))
            done = stop.wait(every)

    threads = [threading.Thread(target=run, daemon=True) for run in (books, searches)]
    for thread in threads:
        thread.start()
    try:
        yield watch
    finally:
        stop.set()
        for thread in threads:
            thread.join(90)
