"""A real Elasticsearch for tests and benchmarks: one node on loopback, with a folder of its own.

The bare distribution comes from Maven once, into a cache that all users of this machine can
read, since Elasticsearch refuses to run as root. Nothing is shared between two nodes but
that cache, so any number of test runs go side by side.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import pwd
import re
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

from tests.ports import free_port
from tests.servers.process import end_with_parent
from tests.sharing import CLUSTER, together

NEWEST, OLDER = "9.5.3", "8.19.21"
COORDINATES = "org.elasticsearch.distribution.integ-test-zip:elasticsearch"
START_SECONDS, STOP_SECONDS = 240, 60
# up for a third of the work, which is what a short life needs; a benchmark says ``java_options=""``
QUICK = "-XX:TieredStopAtLevel=1 -XX:-AlwaysPreTouch"


def cache_folder() -> Path:
    """Where downloaded servers are kept: readable for the user they run as."""
    if os.getuid() == 0:
        return Path("/var/cache/throughline-servers")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "throughline-servers"


def _java(oldest: int) -> Path:
    """The home of the newest Java that is at least this old a version."""
    found = []
    homes = [Path(os.environ["JAVA_HOME"])] if os.environ.get("JAVA_HOME") else []
    for home in [*homes, *Path("/usr/lib/jvm").glob("*")]:
        release = home / "release"
        if release.is_file() and (match := re.search(r'JAVA_VERSION="(\d+)', release.read_text())):
            found.append((int(match[1]), home))
    newest = max(found, default=(0, Path()))
    if newest[0] < oldest:
        raise RuntimeError(
            f"Elasticsearch needs Java {oldest} or newer, the newest found is {newest[0] or 'none'}: "
            "apt-get install openjdk-21-jre-headless, or set JAVA_HOME"
        )
    return newest[1]


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time; others wait."""
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def download(artifact: str) -> None:
    """Have Maven put an artifact into its own store; raises ``RuntimeError`` with what would help."""
    command = ["mvn", "-q", "-B", "dependency:get", f"-Dartifact={artifact}", "-Dtransitive=false"]
    try:
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=900)
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stdout", "") or str(error)
        raise RuntimeError(
            f"{artifact} could not be downloaded: {said[-500:]}\n"
            f"It needs Maven (apt-get install maven); then try: {' '.join(command)}"
        ) from error


def installed(version: str) -> Path:
    """The home of this version, downloaded where it is not there yet."""
    cache = cache_folder()
    cache.mkdir(parents=True, exist_ok=True)
    home = cache / f"elasticsearch-{version}"
    with _alone(cache):
        if home.is_dir():
            return home
        download(f"{COORDINATES}:{version}:zip")
        repository = Path.home() / ".m2" / "repository" / Path(*COORDINATES.replace(":", ".").split("."))
        with tempfile.TemporaryDirectory(dir=cache) as draft:
            with zipfile.ZipFile(repository / version / f"elasticsearch-{version}.zip") as archive:
                archive.extractall(draft)
            unpacked = Path(draft) / f"elasticsearch-{version}"
            for program in (unpacked / "bin").iterdir():
                program.chmod(0o755)
            unpacked.rename(home)
    return home


class Elasticsearch:
    """One node; ``url`` is where it answers once ``start`` has returned."""

    def __init__(
        self, version: str = NEWEST, *, port: int = 0, heap: str = "1g", java_options: str = QUICK
    ) -> None:
        self.version, self.port, self._heap = version, port or free_port(), heap
        self._java_options = java_options
        self.url = f"http://127.0.0.1:{self.port}"
        self._folder: Path | None = None
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Elasticsearch:
        """Start and wait until the node is green; raises ``RuntimeError`` with its log."""
        home = installed(self.version)
        if self._folder is None:
            self._folder = self._prepare(home)
        java = _java(21 if int(self.version.split(".")[0]) >= 9 else 17)
        environment = {
            "PATH": os.environ["PATH"],
            "ES_JAVA_HOME": str(java),
            "ES_PATH_CONF": str(self._folder / "config"),
            "ES_JAVA_OPTS": f"-Xms{self._heap} -Xmx{self._heap} {self._java_options}",
            "ES_TMPDIR": str(self._folder / "tmp"),
            "CLI_JAVA_OPTS": "-Xmx64m",
        }
        user = pwd.getpwnam("nobody") if os.getuid() == 0 else None
        with (self._folder / "out.log").open("ab") as log:
            self.process = subprocess.Popen(
                [home / "bin" / "elasticsearch"],
                env=environment,
                cwd=self._folder,
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                user=user.pw_uid if user else None,
                group=user.pw_gid if user else None,
                extra_groups=[] if user else None,
                start_new_session=True,
                preexec_fn=end_with_parent,
            )
        self._wait()
        return self

    def _prepare(self, home: Path) -> Path:
        folder = Path(tempfile.mkdtemp(prefix="throughline-elasticsearch-"))
        shutil.copytree(home / "config", folder / "config")
        for name in ("tmp", "data", "logs"):
            (folder / name).mkdir()
        settings = {
            "cluster.name": folder.name,
            "discovery.type": "single-node",
            "xpack.security.enabled": "false",
            "network.host": "127.0.0.1",
            "http.port": self.port,
            "transport.port": free_port(),
            "path.data": folder / "data",
            "path.logs": folder / "logs",
            # a full disk of the machine is no subject of these tests
            "cluster.routing.allocation.disk.threshold_enabled": "false",
            "ingest.geoip.downloader.enabled": "false",
        }
        if not (home / "modules" / "ingest-geoip").is_dir():
            del settings["ingest.geoip.downloader.enabled"]
        if not any((home / "modules").glob("x-pack-security*")):
            del settings["xpack.security.enabled"]
        lines = [f"{name}: {value}" for name, value in settings.items()]
        (folder / "config" / "elasticsearch.yml").write_text("\n".join(lines) + "\n")
        if os.getuid() == 0:
            user = pwd.getpwnam("nobody")
            for path in (folder, *folder.rglob("*")):
                os.chown(path, user.pw_uid, user.pw_gid)
        return folder

    def _wait(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            if self.process is None or self.process.poll() is not None:
                break
            try:
                address = f"{self.url}/_cluster/health?wait_for_status=green&timeout=5s"
                with urllib.request.urlopen(address, timeout=10) as answer:
                    if answer.status == 200:
                        return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        said = self.log()[-2000:]
        self.stop()
        raise RuntimeError(f"Elasticsearch {self.version} did not start on port {self.port}:\n{said}")

    def log(self) -> str:
        """What the node has written so far."""
        return (self._folder / "out.log").read_text(errors="replace") if self._folder else ""

    def halt(self) -> None:
        """Stop the node and keep its data, for ``start`` to go on with."""
        process, self.process = self.process, None
        if process is None:
            return
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def crash(self) -> None:
        """End the node at once, as a power cut would, and keep its data for ``start``."""
        process, self.process = self.process, None
        if process is not None:
            os.killpg(process.pid, signal.SIGKILL)  # the group is the launcher and the node it started
            process.wait()
            while self._answers():
                time.sleep(0.05)

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def stop(self) -> None:
        """Stop the node and drop its data."""
        self.halt()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None

    def __enter__(self) -> Elasticsearch:
        return self.start()

    def __exit__(self, *failure: object) -> None:
        self.stop()


@cache
def shared() -> str:
    """``host:port`` of one node for this whole process, started when first asked for.

    ``TEST_ELASTICSEARCH`` names one that runs already, for working on a single test.
    """
    given = os.environ.get("TEST_ELASTICSEARCH")
    if given:
        return given
    asking = os.environ["PYTEST_CURRENT_TEST"]
    assert together(asking) == CLUSTER, f"{asking} would have a cluster of its own: see tests/sharing.py"
    node = Elasticsearch()
    atexit.register(node.stop)
    node.start()
    return f"127.0.0.1:{node.port}"


def call(address: str, method: str, path: str) -> bytes:
    """A bare request to a node, for what a test does behind the product's back."""
    request = urllib.request.Request(f"http://{address}{path}", method=method)
    with urllib.request.urlopen(request, timeout=60) as answer:
        said: bytes = answer.read()
        return said
