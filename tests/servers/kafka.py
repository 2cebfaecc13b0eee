"""A real Kafka for tests: one KRaft node; the jars come from Maven once."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from tests.ports import free_port
from tests.servers.elasticsearch import cache_folder
from tests.servers.process import Server, program

VERSION = "4.1.1"
_POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>throughline</groupId><artifactId>kafka</artifactId><version>1</version><packaging>pom</packaging>
<dependencies><dependency><groupId>org.apache.kafka</groupId><artifactId>kafka_2.13</artifactId>
<version>{VERSION}</version></dependency></dependencies></project>
"""


def installed() -> Path:
    """The folder of its jars, downloaded where it is not there yet."""
    home = cache_folder() / f"kafka-{VERSION}"
    if home.is_dir():
        return home
    cache_folder().mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as draft:
        (Path(draft) / "pom.xml").write_text(_POM)
        command = [
            program("mvn", "maven"),
            "-q",
            "-B",
            "dependency:copy-dependencies",
            "-DoutputDirectory=lib",
        ]
        done = subprocess.run(command, cwd=draft, capture_output=True, text=True, timeout=900)
        if done.returncode:
            raise RuntimeError(
                f"Kafka {VERSION} could not be downloaded by {' '.join(command)}:\n{done.stdout[-800:]}"
            )
        if not home.is_dir():
            (Path(draft) / "lib").rename(home)
    return home


class Kafka(Server):
    """One broker; ``url`` is a ``bootstrap.servers``."""

    name = "kafka"

    @property
    def url(self) -> str:
        """Where clients begin."""
        return f"127.0.0.1:{self.port}"

    def prepare(self, folder: Path) -> None:
        """Write its settings and format its storage."""
        lines = self.lines(folder, free_port())
        (folder / "server.properties").write_text("".join(f"{key}={value}\n" for key, value in lines.items()))
        self.run(
            *(*self._java(), "kafka.tools.StorageTool", "format"),
            *("-t", "rS4tTp1kQ0q5dCzq0y3v1g", "-c", str(folder / "server.properties")),
        )

    def lines(self, folder: Path, controller: int) -> dict[str, object]:
        """Its settings."""
        return {
            "process.roles": "broker,controller",
            "node.id": 1,
            "controller.quorum.voters": f"1@127.0.0.1:{controller}",
            "listeners": f"PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"PLAINTEXT://127.0.0.1:{self.port}",
            "controller.listener.names": "CONTROLLER",
            "log.dirs": folder / "data",
            "offsets.topic.replication.factor": 1,
            "offsets.topic.num.partitions": 4,
            "transaction.state.log.replication.factor": 1,
            "transaction.state.log.min.isr": 1,
            "group.initial.rebalance.delay.ms": 0,
        }

    def _java(self) -> list[str]:
        quick = ("-Xmx384m", "-XX:TieredStopAtLevel=1")  # as a short life needs it
        return [program("java", "openjdk-17-jre-headless"), *quick, "-cp", f"{installed()}/*"]

    def command(self, folder: Path) -> Sequence[str]:
        """``kafka.Kafka`` in the foreground."""
        return [*self._java(), "kafka.Kafka", str(folder / "server.properties")]

    def environ(self, folder: Path) -> Mapping[str, str]:
        """Nothing of the caller's Java."""
        return {"JAVA_TOOL_OPTIONS": ""}

    def answers(self) -> bool:
        """Whether it tells about itself."""
        try:
            found = AdminClient({"bootstrap.servers": self.url, "log_level": 0}).list_topics(timeout=2)
        except KafkaException:
            return False
        return bool(found.brokers)


class GuardedKafka(Kafka):
    """One that asks for names and passwords (SASL/PLAIN), and allows nobody but ``admin`` anything that no
    ACL grants."""

    name = "guarded-kafka"
    people: Mapping[str, str] = {"admin": "admin-secret", "tap": "tap-secret", "nobody": "nobody-secret"}

    def login(self, name: str) -> dict[str, str]:
        """The client settings of one of them."""
        return {
            "bootstrap.servers": self.url,
            "security.protocol": "SASL_PLAINTEXT",
            "sasl.mechanisms": "PLAIN",
            "sasl.username": name,
            "sasl.password": self.people[name],
        }

    def lines(self, folder: Path, controller: int) -> dict[str, object]:
        """With a listener that asks, and an authorizer."""
        users = " ".join(f'user_{name}="{word}"' for name, word in self.people.items())
        login = f'username="admin" password="{self.people["admin"]}" {users};'
        return {
            **super().lines(folder, controller),
            "listeners": f"SASL_PLAINTEXT://127.0.0.1:{self.port},CONTROLLER://127.0.0.1:{controller}",
            "advertised.listeners": f"SASL_PLAINTEXT://127.0.0.1:{self.port}",
            "listener.security.protocol.map": "CONTROLLER:PLAINTEXT,SASL_PLAINTEXT:SASL_PLAINTEXT",
            "security.inter.broker.protocol": "SASL_PLAINTEXT",
            "sasl.mechanism.inter.broker.protocol": "PLAIN",
            "sasl.enabled.mechanisms": "PLAIN",
            "listener.name.sasl_plaintext.plain.sasl.jaas.config": "org.apache.kafka.common.security.plain."
            f"PlainLoginModule required {login}",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": "User:admin;User:ANONYMOUS",
        }

    def answers(self) -> bool:
        """Whether it tells its operator about itself."""
        try:
            return bool(AdminClient({**self.login("admin"), "log_level": 0}).list_topics(timeout=2).brokers)
        except KafkaException:
            return False
