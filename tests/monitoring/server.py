"""A real Prometheus on loopback, with one of our configurations and static targets."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

import yaml

from tests.monitoring.programs import MONITORING, find

INTERVALS = ("scrape_interval", "scrape_timeout", "evaluation_interval")


def configuration(name: str, targets: dict[str, list[str]], folder: Path) -> dict[str, Any]:
    """deploy/monitoring/prometheus/NAME with static targets by job, scraped and evaluated every second.

    Jobs without targets here, and Alertmanager, are removed; labels, rules and everything else stay.
    """
    config: dict[str, Any] = yaml.safe_load((MONITORING / "prometheus" / name).read_text())
    config["global"] |= dict.fromkeys(INTERVALS, "1s")
    config["rule_files"] = [str(_every_second(path, folder)) for path in (MONITORING / "rules").glob("*.yml")]
    del config["alerting"]
    jobs = [job for job in config["scrape_configs"] if job["job_name"] in targets]
    for job in jobs:
        for discovery in [key for key in job if key.endswith("sd_configs")]:
            del job[discovery]
        job["static_configs"] = [{"targets": targets[job["job_name"]]}]
    config["scrape_configs"] = jobs
    return config


def _every_second(rules: Path, folder: Path) -> Path:
    """A copy of the rules without intervals of groups."""
    read = yaml.safe_load(rules.read_text())
    for group in read["groups"]:
        group.pop("interval", None)
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / f"rules-{rules.name}"
    copy.write_text(yaml.safe_dump(read))
    return copy


class Prometheus:
    """A Prometheus that runs until `stop`."""

    def __init__(self, config: dict[str, Any], port: int, folder: Path) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.log = folder / "prometheus.log"
        (folder / "prometheus.yml").write_text(yaml.safe_dump(config))
        program = find("prometheus")
        assert program
        command = [
            program,
            f"--config.file={folder / 'prometheus.yml'}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
        ]
        with self.log.open("ab") as out:
            self._popen = subprocess.Popen(command, stdout=out, stderr=out, start_new_session=True)
        self._wait_ready()

    def _wait_ready(self) -> None:
        deadline = time.monotonic() + 30
        while not self._ready():
            assert self._popen.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.05)

    def _ready(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/-/ready", timeout=3) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def get(self, path: str, **parameters: str) -> Any:
        """`data` of a response of the HTTP API under /api/v1."""
        query = urllib.parse.urlencode(parameters)
        with urllib.request.urlopen(f"{self.url}/api/v1/{path}?{query}", timeout=10) as answer:
            body = json.loads(answer.read())
        assert body["status"] == "success", body
        return body["data"]

    def ask(self, expression: str) -> list[tuple[dict[str, str], float]]:
        """Labels and value of each series of an instant query."""
        result = self.get("query", query=expression)["result"]
        return [(one["metric"], float(one["value"][1])) for one in result]

    def stop(self) -> None:
        """SIGTERM, and wait for the end."""
        self._popen.terminate()
        self._popen.wait(20)
