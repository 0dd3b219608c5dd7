"""Says which checks a missing program leaves out."""

from __future__ import annotations

import shutil

import pytest

collect_ignore = [] if shutil.which("terraform") else ["test_gce_terraform.py"]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One plain line where Terraform is missing."""
    if shutil.which("terraform") is None:
        terminalreporter.write_line(
            "terraform is not installed: its formatter, its own rendering of the templates and its plan"
            " of deploy/gce were not selected."
        )
