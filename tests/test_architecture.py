"""The rules of the house that a machine can hold."""

from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import pytest

import jobs
from jobs.states import ARROWS

ROOT = Path(__file__).parent.parent
PACKAGES = ("api", "worker", "jobs", "client", "migrations", "deploy", "tests")
FORBIDDEN = {
    "jobs": {"api", "worker", "deploy", "til_client"},
    "api": {"worker", "deploy", "til_client"},
    "worker": {"api", "deploy", "til_client"},
    "client": {"api", "worker", "jobs", "deploy"},
}
LONGEST_FILE = 225
LONGEST_FUNCTION = 30


def sources(*packages: str) -> list[Path]:
    return sorted(path for package in packages for path in (ROOT / package).rglob("*.py"))


def imported(path: Path) -> set[str]:
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.split(".")[0])
    return found


@pytest.mark.parametrize("package", sorted(FORBIDDEN))
def test_imports_follow_the_arrows(package: str) -> None:
    wrong = {str(p): imported(p) & FORBIDDEN[package] for p in sources(package)}
    assert sources(package)
    assert not {path: names for path, names in wrong.items() if names}


def test_the_client_needs_only_httpx_typer_rich_and_standardwebhooks() -> None:
    allowed = {"httpx", "typer", "rich", "standardwebhooks", "til_client"}
    foreign = set().union(*(imported(path) for path in sources("client"))) - allowed
    assert not foreign - set(sys.stdlib_module_names)


def test_the_picture_of_a_jobs_life_shows_the_legal_arrows() -> None:
    picture = re.findall(r"^(\w+) +(\w+)? *-> (\w+)$", jobs.__doc__ or "", re.MULTILINE)
    shown = {(verb, source or None, target) for verb, source, target in picture}
    assert shown == {(v, s and str(s), str(t)) for v, s, t in ARROWS}


def test_only_the_transitions_change_a_status() -> None:
    change = re.compile(r"""\bstatus=Status\.|["']status["']: Status\.|SET status\b""")
    allowed = {ROOT / "jobs" / "transitions.py", ROOT / "jobs" / "fence.py", ROOT / "jobs" / "submit.py"}
    guilty = [p for p in sources("api", "worker", "jobs") if change.search(p.read_text())]
    assert set(guilty) <= allowed
    assert ROOT / "jobs" / "transitions.py" in guilty


def test_files_are_short_enough_to_be_read_whole() -> None:
    long = {str(p.relative_to(ROOT)): n for p in sources(*PACKAGES) if (n := _lines(p)) > LONGEST_FILE}
    assert long == {}


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_functions_are_short() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{path.relative_to(ROOT)}:{node.name} {length}"
        for path in sources("api", "worker", "jobs", "client", "deploy")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, kinds) and (length := _body_lines(node)) > LONGEST_FUNCTION
    ]
    assert long == []


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


def test_public_things_say_what_they_are() -> None:
    silent = []
    for path in sources("api", "worker", "jobs", "deploy"):
        tree = ast.parse(path.read_text())
        if not ast.get_docstring(tree) and tree.body:
            silent.append(str(path))
        silent += [
            f"{path.relative_to(ROOT)}:{node.name}"
            for node in tree.body
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and not node.name.startswith("_")
            and not ast.get_docstring(node)
        ]
    assert silent == []


def test_settings_are_read_at_the_edge_only() -> None:
    edges = {"__main__.py", "broker.py", "server.py", "settings.py", "steward.py"}
    set_vllms = {"vllm.py", "vllm_cpu.py"}
    readers = [
        p for p in sources("api", "worker", "jobs") if re.search(r"os\.(environ|getenv)", p.read_text())
    ]
    assert [str(p.relative_to(ROOT)) for p in readers if p.name not in edges | set_vllms] == []
