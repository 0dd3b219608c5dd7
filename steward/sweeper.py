"""The steward's sweep: measure the queue, rescue and expire jobs, send doorbells for what waits."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Collection

import structlog

from base.database import Database
from base.loops import Loops
from base.metrics import FINISHED
from capacity import queue_depth, worker_starts
from capacity.exported import EXPORTED
from capacity.queue_depth import QueueDepth
from capacity.scaling import ScalingSettings
from jobs import sweep
from jobs.claim import waiting_models
from signals.doorbell import Ringer
from signals.pubsub import DELIVERIES, ENDED, SWEEP, Live
from steward.metrics import LEASE_RESCUES, WORKERS_LOST
from webhooks import endpoints

FORGET_EVERY_SECONDS = 60
MOST_RESCUES_A_TICK = 1000
log = structlog.get_logger()


class Sweeper:
    """Sweeps every `tick_seconds`, and at once when a worker reports that its engine has died.

    `aliases`: models that have figures even before their first job. `lease_seconds`: that of the workers.
    """

    def __init__(
        self,
        database: Database,
        live: Live,
        ringer: Ringer,
        scaling: ScalingSettings,
        aliases: Collection[str],
        lease_seconds: float,
        tick_seconds: float,
    ) -> None:
        self._database = database
        self._live = live
        self._ringer = ringer
        self._scaling = scaling
        self._aliases = aliases
        self._lease_seconds = lease_seconds
        self._tick_seconds = tick_seconds
        self._nudged = asyncio.Event()

    def start(self, loops: Loops) -> None:
        """Sweep from now on."""
        loops.start("tick", self._tick)
        loops.start("forget", self._forget, 3 * FORGET_EVERY_SECONDS)
        loops.start("listen_sweep", lambda: self._live.listen(SWEEP, lambda _: self._nudged.set()), None)

    async def _tick(self) -> None:
        """Measure, expire, rescue, send doorbells; then wait for `tick_seconds` or a nudge."""
        self._nudged.clear()
        depth = await self._measure()
        async with self._database.session() as session:
            expired = await sweep.expire_jobs(session)
        if expired:
            FINISHED.labels("expired").inc(expired)
            log.info("expired", jobs=expired)
            await self._live.publish(DELIVERIES, "expired")
        await self._rescue()
        await self._ring(depth.slots)
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(self._tick_seconds):
                await self._nudged.wait()

    async def _measure(self) -> QueueDepth:
        """Measure the queue. If the database's clock has stepped back, move the tables' times with it."""
        async with self._database.session() as session:
            back = await queue_depth.stepped_back_seconds(session, self._lease_seconds)
            if back:
                await sweep.clock_stepped_back(session, back)
            await sweep.shorten_leases(session, self._lease_seconds)
            depth = await queue_depth.measure(session, self._scaling, self._lease_seconds, self._aliases)
        if back:
            log.warning("database_clock_stepped_back", seconds=round(back, 1))
        EXPORTED.update(depth)
        return depth

    async def _rescue(self) -> None:
        """Rescue the jobs of all lost workers, and only then publish, which may block for a second."""
        any_lost = False
        for _ in range(MOST_RESCUES_A_TICK):
            async with self._database.session() as session:
                rescued = await sweep.rescue_one_worker(session, self._lease_seconds)
            if rescued is None:
                break
            any_lost = True
            WORKERS_LOST.inc()
            LEASE_RESCUES.inc(rescued)
            log.warning("worker_lost", jobs=rescued)
        if any_lost:
            await self._live.publish(DELIVERIES, "rescued")
            await self._live.publish(ENDED, "?")

    async def _ring(self, slots: int) -> None:
        async with self._database.session() as session:
            models = await waiting_models(session, 2 * slots + 64)
        self._ringer.set_slots(slots)
        for model, count in models.items():
            self._ringer.ring(model, ["steward"] * count)

    async def _forget(self) -> None:
        for forget in (sweep.forget_idempotency_keys, endpoints.forget_old, worker_starts.forget_old):
            async with self._database.session() as session:
                await forget(session)
        await asyncio.sleep(FORGET_EVERY_SECONDS)
