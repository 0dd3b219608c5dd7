"""The scaling signal: what has happened since the last look, and how many workers each model should have."""

from __future__ import annotations

import datetime
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Row
from sqlalchemy.ext.asyncio import AsyncSession

from capacity.model_depth import ModelDepth
from capacity.rates import Rates, Seen, next_rates, with_need
from capacity.scaling import ScalingSettings, desired_workers, needed_workers
from capacity.seen import ENDED, MOST, MOST_ENDS, SEEN

LONGEST_LOOK_SECONDS = 10.0
"""Time in which nobody looked does not count as time in which fewer workers were needed."""
FAILING_ENDS, FAILING_SECONDS = 2, 1800.0
"""So many workers of a model have died in that time, and no job has succeeded since they were started."""
FORGET_SECONDS = 86_400.0
Ended = Sequence[Row[str, datetime.datetime]]
"""Model and start of workers that have died."""


@dataclass(frozen=True)
class Scaling:
    """What a look has found, to be stored in the row of figures.

    `models`: by model, the fields of `capacity.rates.Rates`, and `desired`, `workers_failing`, `succeeded_at`
    (the last success that was seen), `unused_seconds` (since it had a job or a worker). `seen_event_id`,
    `seen_finish`: up to where events and endings have been seen.
    """

    models: dict[str, dict[str, Any]]
    seen_event_id: int
    seen_finish: datetime.datetime

    @property
    def workers_desired(self) -> int:
        """Of all models."""
        return sum(one["desired"] for one in self.models.values())

    @property
    def arrivals_per_second(self) -> float:
        """Of all models."""
        return float(sum(one["arrivals_per_second"] for one in self.models.values()))


async def scale(
    session: AsyncSession,
    depths: Mapping[str, ModelDepth],
    settings: ScalingSettings,
    aliases: Collection[str] = (),
) -> Scaling:
    """Look, and decide for each model that has jobs or workers, or had in the last day, and for `aliases`.

    The caller holds the lock of the figures' row, so that of two stewards one looks at a time.
    """
    row = (await session.execute(SEEN, MOST)).one()
    ended = (await session.execute(ENDED, {"seconds": FAILING_SECONDS, "most": MOST_ENDS})).all()
    before, seen = json.loads(row.scaling or "{}"), json.loads(row.seen or "{}")
    models = {}
    for name in sorted({*depths, *seen, *before, *aliases}):
        was, now = before.get(name, {}), seen.get(name, {})
        depth = depths.get(name, ModelDepth())
        one = _decide(depth, was, now, row.elapsed, settings) | _workers(name, was, now, ended)
        one["unused_seconds"] = 0 if _used(depth, now) else was.get("unused_seconds", 0) + row.elapsed
        if name in aliases or one["unused_seconds"] < FORGET_SECONDS:
            models[name] = one
    return Scaling(models, row.seen_event_id, row.seen_finish)


def _decide(
    depth: ModelDepth, was: dict[str, Any], now: dict[str, Any], elapsed: float, settings: ScalingSettings
) -> dict[str, Any]:
    counted = {name: now[name] for name in Seen.__dataclass_fields__ if now.get(name)}
    per_worker = depth.slots / depth.workers if depth.workers else None
    rates = next_rates(Rates.read(was), Seen(**counted), elapsed, per_worker)
    needed = needed_workers(depth, rates, settings)
    rates = with_need(rates, needed, min(elapsed, LONGEST_LOOK_SECONDS), settings.scale_in_seconds)
    return rates.stored() | {"desired": desired_workers(depth, rates, settings)}


def _workers(name: str, was: dict[str, Any], now: dict[str, Any], ended: Ended) -> dict[str, Any]:
    """Whether the model's workers start and die without finishing a job."""
    succeeded_at = now.get("succeeded_at") or was.get("succeeded_at")
    last = datetime.datetime.fromisoformat(succeeded_at) if succeeded_at else None
    in_vain = [row for row in ended if row.model == name and (last is None or row.started_at > last)]
    return {"succeeded_at": succeeded_at, "workers_failing": len(in_vain) >= FAILING_ENDS}


def _used(depth: ModelDepth, now: dict[str, Any]) -> bool:
    return bool(depth.queued or depth.running or depth.workers or now)
