"""The depth of the queue: one row, written by the steward each second, read by every api."""

from __future__ import annotations

import math

from sqlalchemy import ColumnElement, exists, func, select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from base.tables import Json, Table, Time
from capacity.measure import LIMITS, MEASURE, WRITE
from capacity.model_depth import ModelDepth

COLD_START_SECONDS = 180.0
DRAIN_SECONDS = 300.0
TARGET_LOAD = 0.8


class QueueDepth(Table):
    """The one row of depth figures that the steward writes each second and every api reads.

    `steady_since`: since when the stewards have been writing it without a break. `counted_at`: when all that
    waits was last counted. `models`: the same figures for each model, as `capacity.model_depth` reads them.
    """

    __tablename__ = "figures"
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    at: Mapped[Time]
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

    def of(self, model: str) -> ModelDepth:
        """The figures of one model; where no steward has counted by model yet, those of all."""
        if not self.models:
            return ModelDepth(
                self.queued, self.running, self.workers, self.slots, mean_run_seconds=self.mean_run_seconds
            )
        return ModelDepth.read(self.models.get(model, {}), self.at, self.mean_run_seconds)


async def measure(session: AsyncSession, slots_per_worker: int, lease_seconds: float) -> QueueDepth:
    """Count, write the row and return it. Of a model up to 100,000 waiting rows are counted, many of them
    not each time.

    A break of more than `longest_gap_seconds` in this begins `steady_since` anew.
    """
    row = (await session.execute(MEASURE, LIMITS)).mappings().one()
    values = dict(row) | {"arrivals": float(row["arrivals"]), "gap": longest_gap_seconds(lease_seconds)}
    values["mean"] = None if row["mean"] is None else float(row["mean"])
    values["desired"] = workers_desired(
        queued=row["queued"],
        running=row["running"],
        arrivals_per_second=values["arrivals"],
        service_seconds=values["mean"] or 10.0,
        slots=slots_per_worker,
    )
    await session.execute(WRITE, values)
    return await read(session)


async def stepped_back_seconds(session: AsyncSession, lease_seconds: float) -> float:
    """How far the database's clock has stepped back since the figures were last written, 0 if it hasn't.

    The row stays locked until they are written anew, so that of two stewards one finds it.
    """
    ahead = func.extract("epoch", QueueDepth.at - func.clock_timestamp())
    seconds = (await session.execute(select(ahead).with_for_update())).scalar_one_or_none()
    return float(seconds) if seconds and seconds > longest_gap_seconds(lease_seconds) else 0.0


def longest_gap_seconds(lease_seconds: float) -> float:
    """Half a lease: a shorter outage leaves a lease, two thirds of which were left, time to be renewed."""
    return lease_seconds / 2


def steady(lease_seconds: float) -> ColumnElement[bool]:
    """The stewards have been here for a whole lease without a break: every worker could renew its own."""
    now = func.clock_timestamp()
    whole, gap = (
        func.make_interval(0, 0, 0, 0, 0, 0, seconds)
        for seconds in (lease_seconds, longest_gap_seconds(lease_seconds))
    )
    return exists().where(QueueDepth.steady_since <= now - whole, QueueDepth.at > now - gap)


async def read(session: AsyncSession) -> QueueDepth:
    """The newest figures; zeros before the steward has ever run."""
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
    )


def workers_desired(
    queued: int, running: int, arrivals_per_second: float, service_seconds: float, slots: int
) -> int:
    """The number of workers that the load asks for (the formula of the design's "Scaling by queue depth").

    max(running / C, (lambda * S + (Q + lambda * D) * S / T) / (rho * C)), each rounded up: enough for what
    runs, and for the arrivals plus a backlog that is worked off in T seconds; 0 when nothing is there.
    """
    if not queued and not running and not arrivals_per_second:
        return 0
    backlog = queued + arrivals_per_second * COLD_START_SECONDS
    busy = arrivals_per_second * service_seconds + backlog * service_seconds / DRAIN_SECONDS
    return max(math.ceil(running / slots), math.ceil(busy / (TARGET_LOAD * slots)))
