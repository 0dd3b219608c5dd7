"""The scaling signal: measure arrivals and run times by model, and decide how many workers each needs."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from capacity.model_depth import ModelDepth
from capacity.rates import Observed, Rates, next_rates, with_need
from capacity.recent_events import DEAD_WORKERS, LIMITS, MOST_DEAD, RECENT_EVENTS
from capacity.scaling import ScalingSettings, desired_workers, needed_workers

LONGEST_STEP_SECONDS = 10.0
"""Of the time between two measurements at most so much counts towards `scale_in_seconds`: an outage of the
stewards must not end with a scale-in."""
FAILING_WORKERS, FAILING_SECONDS = 2, 1800.0
"""A model's workers are failing if so many died in that time without a success since they were started."""
FORGET_SECONDS = 86_400.0
DeadWorkers = Sequence[Row[str, datetime.datetime]]
"""(model, started_at) of workers that died lately."""


@dataclass(frozen=True)
class Scaling:
    """The result of a measurement, to be stored in the row of figures.

    `models`: by model, the fields of `capacity.rates.Rates`, and `desired`, `workers_failing`, `succeeded_at`
    (of the last success), `unused_seconds` (since it last had a job or a worker). `seen_event_id`,
    `seen_finish`: the newest event and the newest finish that have been counted.
    """

    models: dict[str, dict[str, Any]]
    seen_event_id: int
    seen_finish: datetime.datetime

    @property
    def workers_desired(self) -> int:
        """The sum over all models."""
        return sum(state["desired"] for state in self.models.values())

    @property
    def arrivals_per_second(self) -> float:
        """The sum over all models."""
        return float(sum(state["arrivals_per_second"] for state in self.models.values()))


async def scale(
    session: AsyncSession,
    depths: Mapping[str, ModelDepth],
    settings: ScalingSettings,
    aliases: Collection[str] = (),
) -> Scaling:
    """Decide for each model that has jobs or workers, or had in the last day, and for `aliases`.

    The caller holds the lock of the row of figures, so that only one steward measures at a time.
    """
    row = (await session.execute(RECENT_EVENTS, LIMITS)).one()
    dead = (await session.execute(DEAD_WORKERS, {"seconds": FAILING_SECONDS, "most": MOST_DEAD})).all()
    all_stored, all_observed = json.loads(row.scaling or "{}"), json.loads(row.observed or "{}")
    models = {}
    for name in sorted({*depths, *all_observed, *all_stored, *aliases}):
        stored, observed = all_stored.get(name, {}), all_observed.get(name, {})
        depth = depths.get(name, ModelDepth())
        state = _decide(depth, stored, observed, row.elapsed, settings)
        state |= _failing(name, stored, observed, dead)
        unused = 0 if _used(depth, observed) else stored.get("unused_seconds", 0) + row.elapsed
        if name in aliases or unused < FORGET_SECONDS:
            models[name] = state | {"unused_seconds": unused}
    return Scaling(models, row.seen_event_id, row.seen_finish)


def _decide(
    depth: ModelDepth,
    stored: dict[str, Any],
    observed: dict[str, Any],
    elapsed: float,
    settings: ScalingSettings,
) -> dict[str, Any]:
    """The new rates of one model, and `desired`."""
    counted = {name: observed[name] for name in Observed.__dataclass_fields__ if observed.get(name)}
    per_worker = depth.slots / depth.workers if depth.workers else None
    rates = next_rates(Rates.read(stored), Observed(**counted), elapsed, per_worker)
    needed = needed_workers(depth, rates, settings)
    rates = with_need(rates, needed, min(elapsed, LONGEST_STEP_SECONDS), settings.scale_in_seconds)
    return rates.stored() | {"desired": desired_workers(depth, rates, settings)}


def _failing(
    name: str, stored: dict[str, Any], observed: dict[str, Any], dead: DeadWorkers
) -> dict[str, Any]:
    """`succeeded_at`, and whether the model's workers die without a success since they were started."""
    succeeded_at = observed.get("succeeded_at") or stored.get("succeeded_at")
    last = datetime.datetime.fromisoformat(succeeded_at) if succeeded_at else None
    failed = [row for row in dead if row.model == name and (last is None or row.started_at > last)]
    return {"succeeded_at": succeeded_at, "workers_failing": len(failed) >= FAILING_WORKERS}


def _used(depth: ModelDepth, observed: dict[str, Any]) -> bool:
    return bool(depth.queued or depth.running or depth.workers or observed)
