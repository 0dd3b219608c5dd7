"""The depth of the queue: one row, written by the steward each second, read by every api."""

from __future__ import annotations

import json
from collections.abc import Collection
from typing import Any

from sqlalchemy import BigInteger, ColumnElement, Double, cast, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, column_property, mapped_column

from base.tables import Json, Table, Time
from capacity.measure import LIMITS, MEASURE, WRITE
from capacity.model_depth import ModelDepth
from capacity.scale import scale
from capacity.scaling import ScalingSettings


class QueueDepth(Table):
    """The row: counts, rates and the number of workers that they call for.

    `steady_since`: since when a steward has written it without a break. `counted_at`: the oldest of the
    counts, since large ones are reused for some seconds. `models`: the same for each model, as
    `capacity.model_depth` reads it. `scaling`, written at `scaled_at`: the state of `capacity.scale` for each
    model. `age_seconds`: of `at`, when the row was read.
    """

    __tablename__ = "figures"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Time] = mapped_column()
    steady_since: Mapped[Time]
    counted_at: Mapped[Time]
    queued: Mapped[int]
    running: Mapped[int]
    workers: Mapped[int]
    slots: Mapped[int]
    oldest_queued_at: Mapped[Time | None]
    tokens_per_second: Mapped[float]
    mean_run_seconds: Mapped[float | None]
    arrivals_per_second: Mapped[float]
    workers_desired: Mapped[int]
    models: Mapped[Json] = mapped_column(server_default="{}")
    scaling: Mapped[Json] = mapped_column(server_default="{}")
    scaled_at: Mapped[Time | None]
    seen_event_id: Mapped[int] = mapped_column(BigInteger, server_default="0")
    seen_finish: Mapped[Time | None]
    age_seconds: Mapped[float] = column_property(
        cast(func.extract("epoch", func.clock_timestamp() - at), Double)
    )

    def of(self, model: str) -> ModelDepth:
        """The depth of one model; where no steward has counted by model yet, that of all together."""
        if not self.models:
            return ModelDepth(
                self.queued, self.running, self.workers, self.slots, mean_run_seconds=self.mean_run_seconds
            )
        failing = bool(self.scaling.get(model, {}).get("workers_failing"))
        return ModelDepth.read(self.models.get(model, {}), self.at, self.mean_run_seconds, failing)


async def measure(
    session: AsyncSession, settings: ScalingSettings, lease_seconds: float, aliases: Collection[str] = ()
) -> QueueDepth:
    """Count, decide how many workers each model should have, write the row and return it.

    Up to 100,000 queued jobs of a model are counted.

    `aliases` have figures even before their first job. `steady_since` is set to now when the last row is
    older than `longest_gap_seconds`.
    """
    counted = LIMITS | {"horizon": settings.cold_start_seconds}
    row = (await session.execute(MEASURE, counted)).mappings().one()
    mean = None if row["mean"] is None else float(row["mean"])
    values: dict[str, Any] = dict(row) | {"gap": longest_gap_seconds(lease_seconds), "mean": mean}
    models = json.loads(row["models"])
    depths = {name: ModelDepth.read(stored, row["at"], mean) for name, stored in models.items()}
    found = await scale(session, depths, settings, aliases)
    values |= {
        "scaling": json.dumps(found.models),
        "arrivals": found.arrivals_per_second,
        "desired": found.workers_desired,
        "seen_event_id": found.seen_event_id,
        "seen_finish": found.seen_finish,
    }
    await session.execute(WRITE, values)
    return await read(session)


async def stepped_back_seconds(session: AsyncSession, lease_seconds: float) -> float:
    """How far the database's clock has stepped back since the row was last written, 0 if it hasn't.

    The row stays locked until it is written again, so that only one of several stewards sees the step.
    """
    ahead = func.extract("epoch", QueueDepth.at - func.clock_timestamp())
    seconds = (await session.execute(select(ahead).with_for_update())).scalar_one_or_none()
    return float(seconds) if seconds and seconds > longest_gap_seconds(lease_seconds) else 0.0


def longest_gap_seconds(lease_seconds: float) -> float:
    """A longer break between two rows counts as an outage of PostgreSQL: half a lease.

    A worker renews its lease every third of it, so after a shorter break every lease can still be renewed.
    """
    return lease_seconds / 2


def steady(lease_seconds: float) -> ColumnElement[bool]:
    """True where a steward has written the row for a whole lease without a break.

    PostgreSQL was reachable all that time, so a worker whose lease has ended is really gone.
    """
    now = func.clock_timestamp()
    whole, gap = (
        func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        for seconds in (lease_seconds, longest_gap_seconds(lease_seconds))
    )
    return exists().where(QueueDepth.steady_since <= now - whole, QueueDepth.at > now - gap)


async def read(session: AsyncSession) -> QueueDepth:
    """The row as last written; zeros before a steward has ever run."""
    found = await session.get(QueueDepth, 1, populate_existing=True)
    return found or QueueDepth(
        id=1,
        queued=0,
        running=0,
        workers=0,
        slots=0,
        tokens_per_second=0.0,
        arrivals_per_second=0.0,
        workers_desired=0,
        models={},
        scaling={},
    )
