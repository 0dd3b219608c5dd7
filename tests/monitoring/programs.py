"""Debian's Prometheus programs, unpacked by `make deploy-check` or installed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).parents[2]
MONITORING = ROOT / "deploy" / "monitoring"
DEBIAN = ROOT / ".venv-deploy" / "debian" / "usr" / "bin"


def find(name: str) -> str | None:
    """The path of the program: unpacked, or on PATH."""
    unpacked = DEBIAN / name
    return str(unpacked) if unpacked.exists() else shutil.which(name)


def run(name: str, *arguments: object, stdin: str = "") -> str:
    """Run the program, which must succeed, and return its output."""
    program = find(name)
    assert program, f"{name} is missing: it comes with Debian's prometheus and prometheus-alertmanager"
    command = [program, *map(str, arguments)]
    done = subprocess.run(command, check=False, input=stdin, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr
