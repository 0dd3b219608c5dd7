"""Records during the run when rescues were possible and a worker was free to take a job."""

from __future__ import annotations

import asyncio
import threading
import time
from dataclasses import dataclass

from sqlalchemy import text

from base.database import ADMIN, Database
from base.errors import DatabaseUnavailable
from tests.chaos.cluster import LEASE_SECONDS, SLOTS, Cluster

EVERY_SECONDS = 0.2
LOOK = text("""
SELECT coalesce((SELECT steady_since <= clock_timestamp() - make_interval(secs => :lease)
                        AND at > clock_timestamp() - make_interval(secs => :lease / 2)
                 FROM figures), false) AS steady,
       ARRAY(SELECT w.id::text FROM workers AS w WHERE w.lease_expires_at > clock_timestamp()
             AND :slots > (SELECT count(*) FROM jobs WHERE worker_id = w.id AND status = 'running')) AS free
""")


@dataclass(frozen=True)
class Seen:
    """One look: seconds since the epoch; whether the stewards were steady and a thawed worker had a slot."""

    at: float
    able: bool


class Recorder:
    """Looks several times a second until `close`. While PostgreSQL is away, no job can be run."""

    def __init__(self, cluster: Cluster) -> None:
        self.seen: list[Seen] = []
        self._cluster = cluster
        self._closed = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._look_on()))
        self._thread.start()

    async def _look_on(self) -> None:
        pool = Database(self._cluster.postgres.url, ADMIN)
        while not self._closed.is_set():
            began = time.time()
            try:
                self.seen.append(Seen(began, await self._look(pool)))
            except DatabaseUnavailable:
                self.seen.append(Seen(began, able=False))
            await asyncio.sleep(EVERY_SECONDS)
        await pool.close()

    async def _look(self, pool: Database) -> bool:
        async with pool.session(2) as session:
            row = (await session.execute(LOOK, {"lease": LEASE_SECONDS, "slots": SLOTS})).one()
        if not row.steady or not row.free:
            return False
        names = self._cluster.workers()
        frozen = {self._cluster.processes[name].log.stem for name in self._cluster.frozen}
        return any(names.get(worker) not in frozen for worker in row.free)

    def able_seconds(self, begin: float, end: float) -> float:
        """For how long of this time the cluster was able to run a waiting job."""
        seen = [one for one in self.seen if begin <= one.at <= end]
        later = [one.at for one in seen[1:]] + [end]
        return sum(until - one.at for one, until in zip(seen, later, strict=False) if one.able)

    def close(self) -> None:
        """Look no more."""
        self._closed.set()
        self._thread.join(10)
