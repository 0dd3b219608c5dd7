"""The depth of the queue: one row, written by the steward each second, read by every api."""

from __future__ import annotations

import math

from sqlalchemy import ColumnElement, exists, func, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Mapped, mapped_column

from base.tables import Table, Time

COUNT_LIMIT = 100_000
CHEAP_LIMIT = 5_000
"""So many waiting jobs are counted each second; more of them, up to `COUNT_LIMIT`, every ten seconds."""
LIMITS = {"few_limit": CHEAP_LIMIT, "most_limit": COUNT_LIMIT}
COLD_START_SECONDS = 180.0
DRAIN_SECONDS = 300.0
TARGET_LOAD = 0.8


class QueueDepth(Table):
    """The one row of depth figures that the steward writes each second and every api reads.

    `steady_since`: since when the stewards have been writing it without a break. `counted_at`: when all that
    waits was last counted.
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


MEASURE = text("""
WITH clock AS (SELECT clock_timestamp() AS now), w AS (
    SELECT count(*) AS workers, coalesce(sum(slots), 0) AS slots,
           coalesce(sum(tokens_per_second), 0) AS tokens_per_second
    FROM workers WHERE lease_expires_at > clock_timestamp() AND NOT draining
), few AS (
    SELECT count(*) AS queued, min(created_at) AS oldest FROM (
        SELECT created_at FROM jobs WHERE status = 'queued' ORDER BY created_at LIMIT :few_limit
    ) AS waiting
), last AS (
    SELECT max(queued) AS queued, coalesce(max(counted_at) > max(now) - interval '10 s', false) AS fresh,
           max(counted_at) AS counted_at
    FROM figures, clock WHERE id = 1 AND counted_at <= now
), q AS (
    SELECT oldest, CASE WHEN few.queued = :few_limit AND fresh THEN counted_at ELSE now END AS counted_at,
        CASE WHEN few.queued < :few_limit THEN few.queued
             WHEN fresh THEN greatest(last.queued, few.queued)
             ELSE (SELECT count(*) FROM (SELECT FROM jobs WHERE status = 'queued'
                                         ORDER BY created_at LIMIT :most_limit) AS most) END AS queued
    FROM few, last, clock
), r AS (SELECT count(*) AS running FROM jobs WHERE status = 'running'),
newest AS (SELECT coalesce(max(id), 0) AS id FROM job_events),
minute AS (
    SELECT coalesce(min(back), 20000) AS back FROM unnest(ARRAY[100, 1000, 5000]) AS back, newest
    WHERE (SELECT at FROM job_events WHERE id <= newest.id - back ORDER BY id DESC LIMIT 1)
        < statement_timestamp() - interval '1 minute'
), a AS (
    SELECT count(*) / 60.0 AS arrivals FROM job_events
    WHERE id > (SELECT newest.id - back FROM newest, minute)
      AND verb = 'submit' AND at > statement_timestamp() - interval '1 minute' AND at <= statement_timestamp()
), s AS (
    SELECT avg(greatest(0, extract(epoch FROM finished_at - claimed_at))) AS mean FROM (
        SELECT finished_at, claimed_at FROM jobs
        WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 200
    ) AS recent WHERE claimed_at IS NOT NULL
)
SELECT now AS at, counted_at, queued, running, workers, slots, oldest, tokens_per_second, mean, arrivals
FROM clock, w, q, r, a, s
""")

WRITE = text("""
INSERT INTO figures (id, at, steady_since, counted_at, queued, running, workers, slots, oldest_queued_at,
                     tokens_per_second, mean_run_seconds, arrivals_per_second, workers_desired)
VALUES (1, :at, :at, :counted_at, :queued, :running, :workers, :slots, :oldest,
        :tokens_per_second, :mean, :arrivals, :desired)
ON CONFLICT (id) DO UPDATE SET
    steady_since = CASE WHEN figures.at < excluded.at - make_interval(secs => :gap)
                          OR figures.at > excluded.at + make_interval(secs => :gap)
                        THEN excluded.at ELSE figures.steady_since END,
    at = excluded.at, counted_at = excluded.counted_at,
    queued = excluded.queued, running = excluded.running, workers = excluded.workers,
    slots = excluded.slots, oldest_queued_at = excluded.oldest_queued_at,
    tokens_per_second = excluded.tokens_per_second, mean_run_seconds = excluded.mean_run_seconds,
    arrivals_per_second = excluded.arrivals_per_second, workers_desired = excluded.workers_desired
""")


async def measure(session: AsyncSession, slots_per_worker: int, lease_seconds: float) -> QueueDepth:
    """Count, write the row and return it. Waiting rows are counted up to 100,000, many of them not each time.

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
