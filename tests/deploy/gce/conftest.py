"""Reports which checks are not selected because a program is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

DEBIAN = Path(__file__).parents[3] / ".venv-deploy" / "debian" / "usr" / "bin"
os.environ["PATH"] = f"{DEBIAN}{os.pathsep}{os.environ['PATH']}"

NEEDED_BY = {
    "terraform": ("test_gce_terraform.py", "its formatter, its rendering of the templates and its plan"),
    "promtool": ("test_gce_scaling_rules.py", "its evaluation of the scaling rules"),
    "systemd-analyze": ("test_gce_units.py", "its check of the systemd units"),
}
MISSING = {program: needed for program, needed in NEEDED_BY.items() if shutil.which(program) is None}
collect_ignore = [file for file, _ in MISSING.values()]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each missing program."""
    for program, (_, what) in MISSING.items():
        terminalreporter.write_line(f"{program} is not installed: {what} were not selected (deploy/gce).")
