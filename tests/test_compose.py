"""The compose file is valid and starts what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent
COMPOSE = ROOT / "docker-compose.yml"


def test_the_compose_file_fits_the_compose_specification() -> None:
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        "vendor.compose-spec",
        str(COMPOSE),
    ]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_service_has_a_health_check_but_the_one_that_ends() -> None:
    services = re.split(r"^services:$", COMPOSE.read_text(), flags=re.MULTILINE)[1].split("\nvolumes:")[0]
    blocks = re.split(r"^  (?=[a-z-]+:$)", services, flags=re.MULTILINE)[1:]
    names = {block.split(":")[0]: "healthcheck:" in block for block in blocks}
    assert {"postgres", "redis", "migrate", "api", "worker", "steward", "flower"} <= names.keys()
    assert [name for name, healthy in names.items() if not healthy] == ["migrate"]


def test_every_secret_it_needs_is_in_the_example() -> None:
    needed = set(re.findall(r"\$\{([A-Z_]+):\?", COMPOSE.read_text()))
    example = (ROOT / "deploy" / "compose.env.example").read_text()
    assert needed == set(re.findall(r"^([A-Z_]+(?:PASSWORD|AUTH))=", example, re.MULTILINE))


def test_the_modules_it_starts_are_there() -> None:
    for module in re.findall(r"command: \[python3, -m, ([a-z.]+)\]", COMPOSE.read_text()):
        path = ROOT / module.replace(".", "/")
        assert (path / "__main__.py").exists() or path.with_suffix(".py").exists()
