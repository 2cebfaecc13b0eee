"""The house rules that a machine can check."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from config.env import TABLE

ROOT = Path(__file__).resolve().parents[2]
LONGEST_FILE, LONGEST_FUNCTION = 400, 60


def _tracked(*patterns: str) -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / name for name in listed.stdout.split() if (ROOT / name).exists()]


def _ours(*patterns: str) -> list[Path]:
    return [
        path for path in _tracked(*patterns) if "vendor" not in path.parts and "migrations" not in path.parts
    ]


def _functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))


def test_no_file_is_longer_than_the_limit() -> None:
    long = {
        str(p.relative_to(ROOT)): n
        for p in _ours("*.py", "*.js", "*.css", "*.html", "*.rs")
        if (n := len(p.read_text().splitlines())) > LONGEST_FILE
    }
    assert {} == long


def test_no_function_is_longer_than_the_limit() -> None:
    long = []
    for path in _ours("*.py"):
        for function in _functions(ast.parse(path.read_text())):
            length = (function.end_lineno or 0) - function.lineno + 1
            if length > LONGEST_FUNCTION:
                long.append(f"{path.relative_to(ROOT)}:{function.lineno} {function.name} has {length} lines")
    assert [] == long


@pytest.mark.parametrize("package", ["timeline", "tracing", "config", "examples", "benchmarks"])
def _silent(path: Path) -> Iterator[str]:
    tree = ast.parse(path.read_text())
    if tree.body and not ast.get_docstring(tree):
        yield str(path.relative_to(ROOT))
    for node in ast.iter_child_nodes(tree):
        public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
        if public and not ast.get_docstring(node):  # type: ignore[arg-type]
            yield f"{path.relative_to(ROOT)}:{node.lineno}"  # type: ignore[attr-defined]


@pytest.mark.parametrize("package", ["timeline", "tracing", "config", "examples", "benchmarks"])
def test_every_public_thing_says_what_its_caller_gets(package: str) -> None:
    assert [] == [line for path in _ours(f"{package}/**.py") for line in _silent(path)]


def test_nothing_is_marked_as_left_for_later() -> None:
    marks = ("TO" + "DO", "FIX" + "ME", "XX" + "X", "NotImplemented" + "Error")
    found = [
        f"{p.relative_to(ROOT)}: {mark}"
        for p in _ours("*.py", "*.js", "*.html", "*.css", "*.rs")
        for mark in marks
        if mark in p.read_text()
    ]
    assert [] == found


def test_no_test_is_skipped() -> None:
    marks = ("pytest." + "skip", "import" + "orskip", "mark." + "skip", "mark." + "xfail")
    assert [] == [
        f"{p.relative_to(ROOT)}: {mark}"
        for p in _ours("tests/**.py")
        for mark in marks
        if mark in p.read_text()
    ]


def test_every_setting_is_documented() -> None:
    documented = (ROOT / "docs" / "settings.md").read_text()
    assert [] == [
        setting.name
        for setting in TABLE
        if f"`{setting.name}`" not in documented or setting.help not in documented
    ]


def test_templates_and_scripts_never_bypass_escaping() -> None:
    marks = (
        "|safe",
        "mark_safe",
        "autoescape off",
        "innerHTML",
        "outerHTML",
        "insertAdjacentHTML",
        "document.write",
        "eval(",
    )
    found = [
        f"{p.relative_to(ROOT)}: {mark}"
        for p in _ours("templates/**.html", "timeline/**.js", "timeline/**.py")
        for mark in marks
        if mark in p.read_text()
    ]
    assert [] == found


def test_pages_load_nothing_from_elsewhere_and_inline_nothing() -> None:
    marks = ('src="http', "src='http", "onclick=", "onload=", " style=")
    found = [
        f"{p.relative_to(ROOT)}: {mark}"
        for p in _ours("templates/**.html")
        for mark in marks
        if mark in p.read_text()
    ]
    assert [] == found


def test_the_tree_in_the_docs_is_the_tree_on_disk() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    tree = text.split("```tree\n")[1].split("```")[0]
    named = {line.split()[0] for line in tree.splitlines() if line.strip()}
    top = {f"{p.relative_to(ROOT).parts[0]}/" for p in _tracked() if len(p.relative_to(ROOT).parts) > 1}
    packages = {
        f"timeline/{p.relative_to(ROOT).parts[1]}/"
        for p in _tracked("timeline/**")
        if len(p.relative_to(ROOT).parts) > 2
    }
    assert set() == {name for name in top | packages if name not in named}
    assert set() == {name for name in named if not (ROOT / name).exists()}
