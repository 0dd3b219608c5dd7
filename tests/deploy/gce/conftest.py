"""Fixtures of several test files; reports which checks are not selected because a program is missing."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from tests.deploy.gce import rendering
from tests.deploy.gce.planning import Plan, Planner
from tests.deploy.gce.rendering import MACHINES

DEBIAN = Path(__file__).parents[3] / ".venv-deploy" / "debian" / "usr" / "bin"
os.environ["PATH"] = f"{DEBIAN}{os.pathsep}{os.environ['PATH']}"

NEEDED_BY = {
    "terraform": (
        ["test_gce_terraform.py", "test_gce_alerts.py", "test_gce_ports.py", "test_gce_containers.py"],
        "its formatter, its rendering of the templates and its plan",
    ),
    "promtool": (["test_gce_scaling_rules.py"], "its evaluation of the scaling rules"),
    "systemd-analyze": (["test_gce_units.py"], "its check of the systemd units"),
}
MISSING = {program: needed for program, needed in NEEDED_BY.items() if shutil.which(program) is None}
collect_ignore = [file for files, _ in MISSING.values() for file in files]


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], str]:
    """The cloud-config of each kind of machine, by the way it was rendered: "ours" or "terraform"."""
    made = {("ours", name): rendering.user_data(parts) for name, (parts, _) in MACHINES.items()}
    if "terraform" not in MISSING:
        for name, (parts, secrets) in MACHINES.items():
            folder = tmp_path_factory.mktemp(name)
            made["terraform", name] = rendering.by_terraform(folder, parts, secrets)["user_data"]
    return made


@pytest.fixture(scope="session")
def planner(tmp_path_factory: pytest.TempPathFactory) -> Planner:
    """Terraform on a copy of deploy/gce."""
    return Planner(tmp_path_factory.mktemp("planner"))


@pytest.fixture(scope="session")
def split(planner: Planner) -> Plan:
    """The plan of the example of topology split."""
    return planner.plan("split")


@pytest.fixture(scope="session")
def together(planner: Planner) -> Plan:
    """The plan of the example of topology together."""
    return planner.plan("together")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """One line for each missing program."""
    for program, (_, what) in MISSING.items():
        terminalreporter.write_line(f"{program} is not installed: {what} were not selected (deploy/gce).")
