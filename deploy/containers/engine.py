"""A Docker engine: the one that is there, or one of our own with stand-ins for the base images."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
STAND_IN = "til-stand-in/python"


class NoEngine(Exception):
    """Why no Docker can be had here, in one sentence."""


@dataclass
class Engine:
    """`environment`: what Docker's programs need. `stand_ins`: no registry can be asked."""

    environment: dict[str, str]
    stand_ins: bool
    ours: bool = False

    def docker(self, *arguments: str, check: bool = True, folder: Path | None = None) -> str:
        """What the command prints. Raises Broken with what it said where it fails."""
        done = self._run(arguments, folder)
        if check and done.returncode:
            raise Broken(f"docker {' '.join(arguments)}: {(done.stderr or done.stdout)[-3000:]}")
        return done.stdout.strip()

    def tail(self, container: str) -> str:
        """The last lines of a container, on both of its streams."""
        done = self._run(("logs", "--tail", "40", container), None)
        return done.stdout + done.stderr

    def _run(self, arguments: tuple[str, ...], folder: Path | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own arguments
            ["docker", *arguments],  # noqa: S607 - wherever it is
            env=os.environ | self.environment,
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
        )

    def close(self) -> None:
        """End the engine, if it was started here."""
        if self.ours:
            subprocess.run([HERE / "engine.sh", "down"], check=True)  # noqa: S603 - our own program


class Broken(Exception):
    """What was found not to hold."""


def find_engine() -> Engine:
    """The engine that answers, or one started here. Raises NoEngine."""
    there = Engine({}, stand_ins=False)
    if shutil.which("docker") and there.docker("info", "--format", "{{.ServerVersion}}", check=False):
        if not there.docker("compose", "version", "--short", check=False):
            raise NoEngine("Docker runs here, but its plugin compose is missing.")
        return there
    done = subprocess.run([HERE / "engine.sh", "up"], check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if done.returncode == 2:
        raise NoEngine("no Docker runs here, and none can be started (see above).")
    if done.returncode:
        raise Broken(f"engine.sh ended with {done.returncode}.")
    return Engine(dict(re.findall(r"(\w+)=(\S+)", done.stdout)), stand_ins=True, ours=True)
