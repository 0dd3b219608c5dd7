"""The whole loop: load, depth, the signal in a real Prometheus, a scaler, workers, and back to none."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from deploy.local.valkey import free_port
from tests.monitoring.server import Prometheus, configuration
from tests.rehearsal.checks import Outcome, check
from tests.rehearsal.deployment import Deployment, deployment
from tests.rehearsal.fleet import Fleet
from tests.rehearsal.load import Load, Phase
from tests.rehearsal.scaler import Scaler
from tests.stack.database import still_open
from tests.stack.processes import Process, Stack, until
from tests.stack.receiver import Receiver

LOOK_SECONDS = 0.2
Series = list[tuple[float, float]]
"""Seconds since the beginning, and a value."""
SHOWN = {
    "queued": 'max(til_jobs{{model="default",state="queued",namespace="{}"}})',
    "running": 'max(til_jobs{{model="default",state="running",namespace="{}"}})',
    "live": 'max(til_workers{{namespace="{}"}})',
}


@dataclass
class Rehearsed(Outcome):
    """What was seen. `series`: those of `SHOWN`, `desired`, and `replicas`, which the scaler decided."""

    seconds: float = 0.0
    started: int = 0
    drained: int = 0
    unanswered: int = 0
    series: dict[str, Series] = field(default_factory=dict)

    def peak(self, name: str) -> float:
        """The most of one of the series."""
        return max((value for _, value in self.series[name]), default=0)


class Rehearsal:
    """One api, one steward, one Prometheus that reads both, and as many workers as the scaler says."""

    def __init__(self, stack: Stack, receiver: Receiver, folder: Path) -> None:
        self.plan: Deployment = deployment()
        self.seen = Rehearsed()
        self.fleet = Fleet(stack, self.plan.worker, self.plan.grace_seconds)
        self._stack, self._receiver = stack, receiver
        processes = {"api": stack.api(), "steward": stack.steward(**self.plan.steward)}
        folder.mkdir(parents=True)
        self._prometheus = Prometheus(_watching(processes, self.plan.namespace, folder), free_port(), folder)
        self._scaler = Scaler(self.plan.target)
        self._replicas: list[tuple[float, int]] = []

    def run(
        self, phases: Sequence[Phase], patience_seconds: float, when_idle: Callable[[], None]
    ) -> Rehearsed:
        """Submit, scale, wait until all workers are gone again. `when_idle`: called once no job is left."""
        until(lambda: self._answer() is not None)
        load = Load([self._stack.api_url], self._stack.keys["key"], phases, self._receiver.url)
        began, monotonic = time.time(), time.monotonic()
        try:
            self._scale(load, monotonic + patience_seconds, when_idle)
        finally:
            load.stop()
        self.seen.seconds = time.monotonic() - monotonic
        self._read(began)
        self.seen.started, self.seen.drained = self.fleet.started, self.fleet.drained
        asyncio.run(check(self.seen, load, self._receiver, self._stack.database_url))
        self.seen.wrong += self.fleet.wrong
        return self.seen

    def close(self) -> None:
        """Stop Prometheus."""
        self._prometheus.stop()

    def _scale(self, load: Load, deadline: float, when_idle: Callable[[], None]) -> None:
        """Follow the signal at every poll, until the load is over and the last worker has ended."""
        poll_at, idle = 0.0, False
        while self.fleet.look() or not idle:
            now = time.monotonic()
            assert now < deadline, f"{self._scaler.replicas} replicas are left, {self.fleet.wrong}"
            if now >= poll_at:
                poll_at = now + self.plan.target.polling_seconds
                self._poll(now)
                if not idle and not load.running and not asyncio.run(still_open(self._stack.database_url)):
                    idle = True
                    when_idle()
            time.sleep(LOOK_SECONDS)

    def _poll(self, now: float) -> None:
        answer = self._answer()
        self.seen.unanswered += answer is None
        replicas = self._scaler.poll(now, answer)
        self._replicas.append((time.time(), replicas))
        self.fleet.scale(replicas)

    def _answer(self) -> float | None:
        """What the ScaledObject's query has now; None: no series."""
        found = self._prometheus.ask(self.plan.target.query)
        return found[0][1] if found else None

    def _read(self, began: float) -> None:
        """The series of the whole time, out of Prometheus."""
        queries = {name: query.format(self.plan.namespace) for name, query in SHOWN.items()}
        queries["desired"] = self.plan.target.query
        for name, query in queries.items():
            span = {"start": str(began), "end": str(time.time()), "step": "1"}
            matrix = self._prometheus.get("query_range", query=query, **span)["result"]
            values = matrix[0]["values"] if matrix else []
            self.seen.series[name] = [(at - began, float(value)) for at, value in values]
        self.seen.series["replicas"] = [(at - began, float(count)) for at, count in self._replicas]


def _watching(processes: dict[str, Process], namespace: str, folder: Path) -> dict[str, Any]:
    """A configuration that reads these processes, under the label that a cluster gives to their series."""
    targets = {name: [f"127.0.0.1:{process.metrics_port}"] for name, process in processes.items()}
    config = configuration("compose.yml", targets, folder)
    for job in config["scrape_configs"]:
        for static in job["static_configs"]:
            static["labels"] = {"namespace": namespace}
    return config
