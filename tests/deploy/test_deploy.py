"""What deploy/ says is what the product knows: settings, commands, files."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.core.management import get_commands, load_command_class

from config import env

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))
TEXTS = [
    *(path for path in sorted(DEPLOY.rglob("*")) if path.is_file() and "secrets" not in path.parts),
    ROOT / "docs" / "operating.md",
]


def _compose() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return found


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_setting_that_is_named_exists(path: Path) -> None:
    known = {setting.name for setting in env.TABLE}
    known |= {f"{setting.name}_FILE" for setting in env.TABLE if setting.secret}
    named = set(re.findall(r"\b(?:THROUGHLINE_[A-Z_]+[A-Z]|DATABASE_URL(?:_FILE)?)\b", path.read_text()))
    assert set() == named - known


@pytest.mark.parametrize("path", TEXTS, ids=lambda path: path.name)
def test_every_command_and_option_that_is_named_exists(path: Path) -> None:
    known = get_commands()
    text = path.read_text().replace('", "', " ")
    for name, rest in re.findall(r"manage\.py (?!pyproject)([a-z_]+)([^\n`&\"]*)", text):
        assert known.get(name) in ("timeline", "django.core", "django.contrib.auth"), name
        if known[name] == "timeline":
            parser = load_command_class("timeline", name).create_parser("manage.py", name)
            whole = parser.format_help()
            for action in parser._actions:
                if isinstance(action.choices, dict):  # verbs, each with a parser of its own
                    whole += "".join(verb.format_help() for verb in action.choices.values())
            for option in re.findall(r"(--[a-z-]+)", rest):
                assert option in whole, f"{name} {option}"


def test_the_settings_file_of_a_unit_is_valid_with_every_line_in_use() -> None:
    lines = (DEPLOY / "systemd" / "throughline.env").read_text().splitlines()
    settings = [line.removeprefix("#") for line in lines if re.match(r"#?[A-Z_]+=", line)]
    assert 7 == len(settings)
    found = env.read(dict(line.split("=", 1) for line in settings))
    assert "node-a" == found["THROUGHLINE_NODE"]


@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.name)
def test_units_say_what_systemd_understands_and_run_as_nobody_special(path: Path, tmp_path: Path) -> None:
    unit = configparser.RawConfigParser(strict=True)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read_string(path.read_text())
    service = unit["Service"]
    assert "throughline" == service["User"]
    assert "always" == service["Restart"]
    assert "true" == service["NoNewPrivileges"]
    assert float(service["TimeoutStopSec"]) > 30, "the supervisor takes up to 20 s, its receiver 10 more"
    verify = shutil.which("systemd-analyze")
    if verify is not None:
        copy = tmp_path / path.name
        text = path.read_text().replace("/opt/throughline/.venv/bin/python", sys.executable)
        copy.write_text(
            text.replace("User=throughline", "User=root").replace("Group=throughline", "Group=root")
        )
        done = subprocess.run([verify, "verify", "--man=no", str(copy)], capture_output=True, text=True)
        assert "" == "\n".join(line for line in done.stderr.splitlines() if path.name in line)


def test_compose_names_only_what_it_declares() -> None:
    compose = _compose()
    for name, service in compose["services"].items():
        assert set(service.get("secrets", ())) <= set(compose["secrets"]), name
        volumes = {volume.partition(":")[0] for volume in service.get("volumes", ())}
        assert volumes <= set(compose["volumes"]), name
        assert set(service.get("depends_on", ())) <= set(compose["services"]), name
        assert service.get("restart") == "unless-stopped", name
    named = [
        node["environment"]["THROUGHLINE_NODE"] for node in compose["services"].values() if "build" in node
    ]
    assert len(named) == len(set(named)) == 3


def test_every_secret_that_compose_mounts_is_made(tmp_path: Path) -> None:
    copy = tmp_path / "secrets.sh"
    shutil.copy(DEPLOY / "secrets.sh", copy)
    subprocess.run(["bash", str(copy)], check=True, capture_output=True)
    made = {f"./secrets/{path.name}" for path in (tmp_path / "secrets").iterdir()}
    compose = _compose()
    assert made == {one["file"] for part in ("secrets", "configs") for one in compose[part].values()}
    assert 0o700 == (tmp_path / "secrets").stat().st_mode & 0o777
    environment = compose["services"]["node-a"]["environment"]
    files = {
        name: str(tmp_path / "secrets" / Path(value).name)
        for name, value in environment.items()
        if name.endswith("_FILE")
    }
    found = env.read({**environment, **files})
    assert found["DATABASE_URL"].endswith("@postgres:5432/throughline")
    before = (tmp_path / "secrets" / "secret_key").read_text()
    subprocess.run(["bash", str(copy)], check=True, capture_output=True)
    assert before == (tmp_path / "secrets" / "secret_key").read_text()


def test_the_image_holds_what_it_copies_and_runs_as_nobody_special() -> None:
    text = (DEPLOY / "Dockerfile").read_text()
    allowed = {
        line[1:] for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines() if line[:1] == "!"
    }
    copied = {name for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.M) for name in line.split()}
    assert copied == allowed
    assert set() == {name for name in copied if not (ROOT / name).exists()}
    assert text.index("USER throughline") < text.index('CMD [".venv')
    assert "HEALTHCHECK" in text
