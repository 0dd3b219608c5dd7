"""What a cluster would run: the chart's ScaledObject, the workers that it scales, and settings."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from functools import cache
from typing import Any

from tests.monitoring.programs import ROOT
from tests.rehearsal.scaler import Target, read

DEPLOY_PYTHON = ROOT / ".venv-deploy" / "bin" / "python"
ELSEWHERE = {"TIL_METRICS_HOST", "TIL_METRICS_PORT", "TIL_CACHE_FOLDER", "TIL_API_HOST", "TIL_API_PORT"}
"""Settings that are another machine's: addresses and folders of a pod."""
Object = dict[str, Any]


@dataclass(frozen=True)
class Deployment:
    """The rendered deployment.

    `worker`, `steward`: `TIL_...` variables of their containers. `grace_seconds`: from a worker's SIGTERM to
    SIGKILL. `namespace`: the label that Prometheus gives to what it reads there.
    """

    target: Target
    namespace: str
    worker: dict[str, str]
    steward: dict[str, str]
    grace_seconds: float


@cache
def deployment() -> Deployment:
    """Render `values.yaml` by helm and read what the rehearsal follows."""
    command = [str(DEPLOY_PYTHON), "-m", "tests.rehearsal.render"]
    done = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    objects: list[Object] = json.loads(done.stdout)
    (scaled,) = [one for one in objects if one["kind"] == "ScaledObject"]
    workers = _deployment(objects, scaled["spec"]["scaleTargetRef"]["name"])
    steward = _deployment(objects, "til-queue-steward")
    return Deployment(
        read(scaled["spec"]),
        scaled["metadata"]["namespace"],
        _settings(workers),
        _settings(steward),
        workers["terminationGracePeriodSeconds"],
    )


def _deployment(objects: list[Object], name: str) -> Object:
    """The specification of its pods."""
    (found,) = [one for one in objects if one["kind"] == "Deployment" and one["metadata"]["name"] == name]
    pod: Object = found["spec"]["template"]["spec"]
    return pod


def _settings(pod: Object) -> dict[str, str]:
    (container,) = pod["containers"]
    return {
        one["name"]: one["value"]
        for one in container["env"]
        if one["name"].startswith("TIL_")
        and not one["name"].endswith("_FILE")
        and one["name"] not in ELSEWHERE
    }
