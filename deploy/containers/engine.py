"""A Docker engine: the running one, or one started here, with stand-ins for the base images."""

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
    """No Docker is available. The message says why."""


@dataclass
class Engine:
    """`environment`: variables for Docker's programs. `stand_ins`: no registry, use local images."""

    environment: dict[str, str]
    stand_ins: bool
    started_here: bool = False

    def docker(self, *arguments: str, check: bool = True, folder: Path | None = None) -> str:
        """Run a command and return its output. Raises Broken with the error output if it fails."""
        done = self._run(arguments, folder)
        if check and done.returncode:
            raise Broken(f"docker {' '.join(arguments)}: {(done.stderr or done.stdout)[-3000:]}")
        return done.stdout.strip()

    def tail(self, container: str) -> str:
        """The last lines of a container's log, stdout and stderr."""
        done = self._run(("logs", "--tail", "40", container), None)
        return done.stdout + done.stderr

    def _run(self, arguments: tuple[str, ...], folder: Path | None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(  # noqa: S603 - our own arguments
            ["docker", *arguments],  # noqa: S607 - from PATH
            env=os.environ | self.environment,
            cwd=folder,
            check=False,
            capture_output=True,
            text=True,
        )

    def close(self) -> None:
        """Stop the engine if it was started here."""
        if self.started_here:
            subprocess.run([HERE / "engine.sh", "down"], check=True)  # noqa: S603 - our own program


class Broken(Exception):
    """A check failed. The message says which."""


def find_engine() -> Engine:
    """The running engine, or one started here. Raises NoEngine."""
    running = Engine({}, stand_ins=False)
    if shutil.which("docker") and running.docker("info", "--format", "{{.ServerVersion}}", check=False):
        if not running.docker("compose", "version", "--short", check=False):
            raise NoEngine("Docker runs here, but its plugin compose is missing.")
        return running
    done = subprocess.run([HERE / "engine.sh", "up"], check=False, stdout=subprocess.PIPE, text=True)  # noqa: S603
    if done.returncode == 2:
        raise NoEngine("no Docker runs here, and none can be started (see above).")
    if done.returncode:
        raise Broken(f"engine.sh ended with {done.returncode}.")
    return Engine(dict(re.findall(r"(\w+)=(\S+)", done.stdout)), stand_ins=True, started_here=True)
