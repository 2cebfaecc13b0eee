"""An Elasticsearch that dies as hardware does, and what a test does to it behind the product's back."""

from __future__ import annotations

import json
import urllib.request
from typing import Any

import psutil

from tests.servers.elasticsearch import Elasticsearch

HEAP = "512m"


class Mortal(Elasticsearch):
    """One node that can be killed; ``start`` goes on with its data."""

    def __init__(self) -> None:
        super().__init__(heap=HEAP)

    def kill(self) -> None:
        """SIGKILL the launcher and the server it launched, both at once."""
        process, self.process = self.process, None
        if process is None:
            return
        launcher = psutil.Process(process.pid)
        family = [launcher, *launcher.children(recursive=True)]
        for member in family:
            member.kill()
        process.wait()
        psutil.wait_procs(family, timeout=30)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """The node's answer, as Python values."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)
