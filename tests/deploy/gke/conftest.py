"""Reports which checks are not selected because a program is missing."""

from __future__ import annotations

import shutil

import pytest

collect_ignore = [] if shutil.which("terraform") else ["test_gke_plan.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line if Terraform is missing."""
    if collect_ignore:
        terminalreporter.write_line(
            "terraform is not installed: its formatter and its plan of deploy/gke were not selected."
        )
