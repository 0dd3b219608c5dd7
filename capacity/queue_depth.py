"""Queue depth: one row in table `figures`, written by the steward each second, read by every api."""

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
    """The row: counts, rates and the desired number of workers.

    `steady_since`: start of the period in which stewards have written it without a break. `counted_at`: time
    of the oldest count, since large counts are reused for some seconds. `models`: the counts by model, parsed
    by `capacity.model_depth`. `scaling`: by model, the state of `capacity.scale`, written at `scaled_at`.
    `age_seconds`: age of `at` when the row was read.
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
        """The depth of one model. If no steward has counted by model yet: the totals of all models."""
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

    Counts stop at 100,000 queued jobs of a model. `aliases`: models that get figures even before their first
    job. `steady_since` is set to now if the last row is older than `longest_gap_seconds`.
    """
    parameters = LIMITS | {"horizon": settings.cold_start_seconds}
    row = (await session.execute(MEASURE, parameters)).mappings().one()
    mean = None if row["mean"] is None else float(row["mean"])
    values: dict[str, Any] = dict(row) | {"gap": longest_gap_seconds(lease_seconds), "mean": mean}
    models = json.loads(row["models"])
    depths = {name: ModelDepth.read(stored, row["at"], mean) for name, stored in models.items()}
    scaling = await scale(session, depths, settings, aliases)
    values |= {
        "scaling": json.dumps(scaling.models),
        "arrivals": scaling.arrivals_per_second,
        "desired": scaling.workers_desired,
        "seen_event_id": scaling.seen_event_id,
        "seen_finish": scaling.seen_finish,
    }
    await session.execute(WRITE, values)
    return await read(session)


async def stepped_back_seconds(session: AsyncSession, lease_seconds: float) -> float:
    """How far the database's clock has stepped back since the row was last written; 0 if it has not.

    Locks the row until the end of the transaction, so that only one of several stewards sees the step.
    """
    ahead = func.extract("epoch", QueueDepth.at - func.clock_timestamp())
    seconds = (await session.execute(select(ahead).with_for_update())).scalar_one_or_none()
    return float(seconds) if seconds and seconds > longest_gap_seconds(lease_seconds) else 0.0


def longest_gap_seconds(lease_seconds: float) -> float:
    """Half a lease: a longer time without a write of the row counts as an outage of PostgreSQL.

    A worker renews its lease three times per lease, so after a shorter break it can still renew in time.
    """
    return lease_seconds / 2


def steady(lease_seconds: float) -> ColumnElement[bool]:
    """SQL condition: stewards have written the row for a whole lease without a break.

    PostgreSQL was reachable all that time, so a worker whose lease has ended is lost.
    """
    now = func.clock_timestamp()
    lease, gap = (
        func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        for seconds in (lease_seconds, longest_gap_seconds(lease_seconds))
    )
    return exists().where(QueueDepth.steady_since <= now - lease, QueueDepth.at > now - gap)


async def read(session: AsyncSession) -> QueueDepth:
    """The row as last written; zeros, and `at` None, before a steward has ever run."""
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
