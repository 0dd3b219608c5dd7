"""The rules of the code base that a program can check."""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import jobs
from base.states import ARROWS
from tests.rooms import ROOMS

ROOT = Path(__file__).parent.parent
PACKAGES = (*ROOMS, "client", "migrations", "deploy", "tests")
MOST_FILES = 19
VIOLATIONS = {
    "rooms": [
        ("til/post.py", "jobs.read"),
        ("api/app.py", "worker.settings"),
        ("tenants/keys.py", "capacity.wait"),
    ],
    "redis": [("webhooks/sender.py", "signals.broker")],
    "signals": [("signals/broker.py", "jobs.read")],
    "worker": [("worker/settings.py", "til.redaction.redact"), ("worker/slots/run.py", "webhooks.urls")],
    "worker-rooms": [("worker/engines/openai.py", "worker.writing.schema")],
    "routes": [("api/follow.py", "api.routes.jobs")],
    "deploy": [("base/settings.py", "deploy.local.child")],
}
"""For each contract of pyproject.toml, imports that break it: a file and what it must not import."""
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


def contracts_kept(folder: Path) -> bool:
    """Whether import-linter finds nothing against the contracts in this copy of the tree."""
    command = [str(Path(sys.executable).with_name("lint-imports")), "--no-cache"]
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(
        command, cwd=folder, env=environment, check=False, capture_output=True, text=True, timeout=60
    )
    assert "Contracts: " in done.stdout, done.stdout + done.stderr
    return done.returncode == 0


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The rooms and the contracts, to be violated."""
    folder = tmp_path_factory.mktemp("rooms")
    for room in (*ROOMS, "deploy"):
        shutil.copytree(ROOT / room, folder / room, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", folder)
    return folder


def test_the_contracts_between_rooms_are_kept(copied: Path) -> None:
    assert contracts_kept(copied)


def test_every_contract_has_a_violation_that_it_finds() -> None:
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    assert {one["id"] for one in contracts} == set(VIOLATIONS)


@pytest.mark.parametrize(("path", "module"), [pair for pairs in VIOLATIONS.values() for pair in pairs])
def test_a_violation_is_found(copied: Path, path: str, module: str) -> None:
    file = copied / path
    kept = file.read_text()
    try:
        file.write_text(f"{kept}\nimport {module}\n")
        assert not contracts_kept(copied)
    finally:
        file.write_text(kept)


def test_a_room_has_few_files() -> None:
    folders = {path.parent for path in sources(*ROOMS)}
    crowded = {
        str(f.relative_to(ROOT)): n for f in folders if (n := len(list(f.glob("*.py")))) > MOST_FILES + 1
    }
    assert crowded == {}


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
    names = ("submit", "claim", "finish", "give_back", "cancel", "expire", "fence")
    allowed = {ROOT / "jobs" / f"{name}.py" for name in names}
    guilty = [p for p in sources(*ROOMS) if change.search(p.read_text())]
    assert set(guilty) <= allowed
    assert ROOT / "jobs" / "claim.py" in guilty


def test_files_are_short_enough_to_be_read_whole() -> None:
    long = {str(p.relative_to(ROOT)): n for p in sources(*PACKAGES) if (n := _lines(p)) > LONGEST_FILE}
    assert long == {}


def _lines(path: Path) -> int:
    return len(path.read_text().splitlines())


def test_functions_are_short() -> None:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    long = [
        f"{path.relative_to(ROOT)}:{node.name} {length}"
        for path in sources(*ROOMS, "client", "deploy")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, kinds) and (length := _body_lines(node)) > LONGEST_FUNCTION
    ]
    assert long == []


def _body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


def test_public_things_say_what_they_are() -> None:
    silent = []
    for path in sources(*ROOMS, "deploy"):
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
    edges = {"__main__.py", "secret_files.py", "settings.py"}
    set_vllms = {"vllm.py", "vllm_cpu.py"}
    readers = [p for p in sources(*ROOMS) if re.search(r"os\.(environ|getenv)", p.read_text())]
    assert [str(p.relative_to(ROOT)) for p in readers if p.name not in edges | set_vllms] == []
