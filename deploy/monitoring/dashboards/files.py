"""All dashboards and their JSON."""

from __future__ import annotations

import json
from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.monitoring.dashboards import cost, engine, gpu, service

FOLDER = Path(__file__).parents[1] / "grafana" / "dashboards"


def all_dashboards() -> dict[str, str]:
    """JSON for Grafana's provisioning, by file name."""
    boards = {"service": service.board(), "engine": engine.board(), "gpu": gpu.board(), "cost": cost.board()}
    return {
        f"{name}.json": json.dumps(one.build(), cls=JSONEncoder, indent=2, sort_keys=True) + "\n"
        for name, one in boards.items()
    }
