"""The units, checked by systemd-analyze."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.deploy.gce import rendering
from tests.deploy.gce.rendering import MACHINES

NOT_INSTALLED = "is not executable: No such file"
"""Message for programs of Container-Optimized OS that are not installed here."""
OF_THE_IMAGE = {"docker.service": "[Service]\nExecStart=/bin/true\n"}
"""Units of Container-Optimized OS that ours name, and that this machine may lack."""


def errors(folder: Path, units: dict[str, str]) -> list[str]:
    for name, text in (OF_THE_IMAGE | units).items():
        (folder / name).write_text(text)
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", "--generators=no", *(str(folder / name) for name in units)],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"SYSTEMD_UNIT_PATH": f"{folder}:"},
    )
    return [line for line in done.stderr.splitlines() if NOT_INSTALLED not in line]


def units_of(parts: list[str]) -> dict[str, str]:
    files = rendering.written(rendering.user_data(parts))
    return {Path(path).name: text for path, text in files.items() if path.startswith("/etc/systemd/")}


@pytest.mark.parametrize("machine", MACHINES)
def test_every_unit_is_valid(tmp_path: Path, machine: str) -> None:
    units = units_of(MACHINES[machine][0])
    assert len(units) > 4
    assert errors(tmp_path, units) == []


def test_an_invalid_unit_is_found(tmp_path: Path) -> None:
    units = units_of(["api"])
    units["til-api.service"] = units["til-api.service"].replace("Restart=always", "Restrat=always")
    assert any("Unknown key 'Restrat'" in line for line in errors(tmp_path, units))
