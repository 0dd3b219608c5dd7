"""The files of deploy/monitoring, the rules in them, and Debian's programs that read them."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import promql_parser
import yaml

ROOT = Path(__file__).parents[3]
MONITORING = ROOT / "deploy" / "monitoring"
RULES = sorted((MONITORING / "rules").glob("*.yml"))
UNIT_TESTS = sorted((Path(__file__).parent / "rules").glob("*.yml"))
DEBIAN = ROOT / ".venv-deploy" / "debian" / "usr" / "bin"


def program(name: str) -> str:
    """Where Debian's program lies: unpacked, or on PATH."""
    found = DEBIAN / name if (DEBIAN / name).exists() else shutil.which(name)
    assert found, f"{name} is missing: it comes with Debian's prometheus and prometheus-alertmanager"
    return str(found)


def run(name: str, *arguments: object) -> str:
    """Run a program and return what it prints; fail with that where it refuses."""
    command = [program(name), *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def load(path: Path) -> Any:
    """A YAML file."""
    return yaml.safe_load(path.read_text())


def rules() -> Iterator[dict[str, Any]]:
    """Every rule of every file."""
    for path in RULES:
        for group in load(path)["groups"]:
            yield from group["rules"]


def alerts() -> dict[str, dict[str, Any]]:
    """Every alert by its name."""
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def metrics_of(expression: str) -> set[str]:
    """The metrics that an expression asks for; fails where it does not parse."""
    found: set[str] = set()

    def visit(node: Any) -> None:
        if isinstance(node, promql_parser.VectorSelector):
            found.add(node.name)

    promql_parser.walk(promql_parser.parse(expression), visit)
    return found
