"""A real RabbitMQ for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import kombu

from tests.ports import free_port
from tests.servers.process import Server, program

# A quorum queue whose broker is killed within a second of its making stays without a leader after the
# start (rabbitmq/rabbitmq-server#10070). This is what its operator does then; docs/operating.md says it.
_ELECT = (
    "[ra:trigger_election({element(1, amqqueue:get_pid(Q)), node()})"
    " || Q <- rabbit_amqqueue:list(), amqqueue:get_type(Q) =:= rabbit_quorum_queue]."
)


def _itself(name: str) -> str:
    """A program of RabbitMQ's: the wrapper of the distribution would change the user."""
    found = Path("/usr/lib/rabbitmq/bin", name)
    return str(found) if found.exists() else program(name, "rabbitmq-server")


class RabbitMQ(Server):
    """One broker; ``url`` is a ``THROUGHLINE_BROKER_URL``.

    ``epmd``, which Erlang would leave behind as a daemon, is a child of its own.
    """

    name = "rabbitmq"

    def __init__(self, *, port: int = 0) -> None:
        super().__init__(port=port)
        self._names, self._talk = free_port(), free_port()
        self._epmd: subprocess.Popen[bytes] | None = None
        self._killed = False

    def start(self, *, seconds: float = 60) -> RabbitMQ:
        """As any server; after it was killed its queues have leaders again."""
        super().start(seconds=seconds)
        if self._killed:
            self.run(_itself("rabbitmqctl"), "eval", _ELECT)
            self._killed = False
        return self

    @property
    def url(self) -> str:
        """Where it answers: its one user may connect from loopback alone."""
        return f"amqp://guest:guest@127.0.0.1:{self.port}//"

    def prepare(self, folder: Path) -> None:
        """Say what it listens on."""
        (folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.local = 127.0.0.1:{self.port}\ndisk_free_limit.absolute = 50MB\n"
        )
        (folder / "plugins").write_text("[].\n")

    def environ(self, folder: Path) -> Mapping[str, str]:
        """Everything under one folder, and ports of its own."""
        return {
            "RABBITMQ_NODENAME": f"throughline{self.port}@localhost",
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "plugins"),
            "RABBITMQ_MNESIA_BASE": str(folder / "data"),
            "RABBITMQ_LOG_BASE": str(folder),
            "RABBITMQ_LOGS": "-",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_DIST_PORT": str(self._talk),
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
        }

    def command(self, folder: Path) -> Sequence[str]:
        """The server in the foreground."""
        epmd = program(
            "epmd", "rabbitmq-server", *(str(p) for p in Path("/usr/lib/erlang").glob("erts-*/bin"))
        )
        self._epmd = self.spawn([epmd, "-port", str(self._names), "-address", "127.0.0.1"])
        return [_itself("rabbitmq-server")]

    def full(self, yes: bool) -> None:
        """Raise or lower its alarm: while its disk is full it reads no more from those who publish."""
        self.run(_itself("rabbitmqctl"), "set_disk_free_limit", "100000GB" if yes else "50MB")

    def answers(self) -> bool:
        """Whether it takes a login."""
        try:
            with kombu.Connection(self.url, connect_timeout=1) as connection:
                connection.ensure_connection(max_retries=1, timeout=1)
        except (OSError, kombu.exceptions.KombuError):
            return False
        return True

    def halt(self, number: int = signal.SIGTERM) -> None:
        """End the Erlang machine; its launcher follows."""
        self._killed = number == signal.SIGKILL
        if self._folder is not None and (pid := self._folder / "pid").exists():
            with suppress(OSError, ValueError):
                os.kill(int(pid.read_text()), number)
            pid.unlink(missing_ok=True)
        process, self.process = self.process, None
        if process is not None:
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._epmd is not None:
            self._epmd.terminate()
            self._epmd.wait()
            self._epmd = None
        deadline = time.monotonic() + 10
        while Server.answers(self) and time.monotonic() < deadline:
            time.sleep(0.05)
