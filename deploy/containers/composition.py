"""The compose project of one checkout on one engine."""

from __future__ import annotations

import json
import re
import subprocess
import time
from pathlib import Path
from typing import Any

from deploy.containers.engine import Broken, Engine
from deploy.containers.images import VERSION

WAIT_SECONDS = "180"
EVERY_PROFILE = ("--profile", "*")
PORTS = ("TIL_API_PORT", "FLOWER_PORT", "PROMETHEUS_PORT", "ALERTMANAGER_PORT", "GRAFANA_PORT", "KIBANA_PORT")


class Composition:
    """`folder`: a copy of the checkout. Published ports are free ports of the loopback address."""

    def __init__(self, engine: Engine, folder: Path, name: str) -> None:
        self.engine, self.folder, self.name = engine, folder, name

    def prepare(self) -> None:
        """Write .env and the secrets, as an operator does."""
        example = (self.folder / "deploy" / "compose.env.example").read_text()
        ours = dict.fromkeys(PORTS, "0") | {"TIL_VERSION": VERSION, "TIL_CHECK_BASE": self.engine.base}
        kept = re.sub(f"^({'|'.join(ours)})=.*\n", "", example, flags=re.MULTILINE)
        added = "".join(f"{name}={value}\n" for name, value in ours.items())
        (self.folder / ".env").write_text(kept + added)
        subprocess.run(["deploy/secrets.sh"], cwd=self.folder, check=True, stdout=subprocess.DEVNULL)  # noqa: S607

    def secrets(self) -> dict[str, str]:
        """The secrets that are not empty, by name; of addresses and logins only the password."""
        files = (self.folder / "deploy" / "secrets").iterdir()
        values = {path.name: path.read_text().strip() for path in files}
        found = {name: re.split(r"[ :/@]+", value) for name, value in values.items() if value}
        return {name: max(parts, key=len) for name, parts in found.items()}

    def compose(self, *arguments: str, check: bool = True, variables: dict[str, str] | None = None) -> str:
        """Run `docker compose` and return its output; `variables` override .env. Raises Broken."""
        stand_ins = ["stand-ins"] if self.engine.stand_ins else []
        files = ["docker-compose.yml"]
        files += [f"deploy/containers/{name}.yml" for name in ("not-started", *stand_ins)]
        named = [part for file in files for part in ("--file", file)]
        command = ("compose", "--project-name", self.name, *named, *arguments)
        return self.engine.docker(*command, check=check, folder=self.folder, variables=variables)

    def profiles(self) -> str:
        """The profiles' names; Docker validates the whole file first. Raises Broken."""
        self.compose(*EVERY_PROFILE, "config", "--quiet")
        return ", ".join(sorted(self.compose("config", "--profiles").split()))

    def up(self, *arguments: str) -> None:
        """Start and wait until all containers are healthy. Raises Broken with the logs of the others."""
        try:
            self.compose("up", "--detach", "--no-build", "--wait", "--wait-timeout", WAIT_SECONDS, *arguments)
        except Broken as broken:
            unhealthy = [
                one for one in self.containers() if one["State"]["Status"] != "running" or not healthy(one)
            ]
            logs = "\n".join(self.engine.tail(one["Id"]) for one in unhealthy)
            raise Broken(f"{broken}\n{[one['Name'] for one in unhealthy]}\n{logs}") from None

    def containers(self, service: str = "") -> list[dict[str, Any]]:
        """`docker inspect` of the containers of one service, or of all."""
        ids = self.compose(*EVERY_PROFILE, "ps", "--all", "--quiet", *([service] if service else [])).split()
        return list(json.loads(self.engine.docker("inspect", *ids))) if ids else []

    def address(self, service: str, port: int) -> str:
        """The address of a published port."""
        return f"http://{self.compose(*EVERY_PROFILE, 'port', service, str(port))}"

    def stop(self) -> tuple[int, dict[str, int]]:
        """Stop all. Returns the milliseconds that it took, and each container's exit code."""
        began = time.monotonic()
        self.compose(*EVERY_PROFILE, "stop")
        took = int((time.monotonic() - began) * 1000)
        return took, {
            one["Name"].removeprefix(f"/{self.name}-"): one["State"]["ExitCode"] for one in self.containers()
        }

    def none_died(self) -> None:
        """Raises Broken, with the last lines of its log, if a container was restarted."""
        for one in self.containers():
            if one["RestartCount"]:
                logs = self.engine.tail(one["Id"])
                raise Broken(f"{one['Name']} died {one['RestartCount']} times: {logs}")

    def logs(self) -> str:
        """The logs of all containers."""
        return self.compose(*EVERY_PROFILE, "logs", "--no-color")

    def remove(self) -> None:
        """Remove everything, the data too."""
        self.compose(*EVERY_PROFILE, "down", "--volumes", "--remove-orphans", check=False)


def healthy(container: dict[str, Any]) -> bool:
    """Whether its health check passes; without one, whether it runs."""
    state = container["State"]
    return bool(state.get("Health", {}).get("Status", state["Status"]) in ("healthy", "running"))
