"""Doorbells that arrive together are answered by one claim."""

from __future__ import annotations

import asyncio
import uuid

import structlog

from jobs.claim import claim, waiting
from jobs.database import Database
from jobs.errors import DatabaseUnavailable, WorkerGone
from jobs.ring import Ringer
from worker.holdings import Holdings, Run

log = structlog.get_logger()


class Claimer:
    """Takes jobs for the slots of one worker; `worker_id` changes when it has to register anew."""

    def __init__(
        self, database: Database, holdings: Holdings, ringer: Ringer, alias: str, worker_id: uuid.UUID
    ) -> None:
        self.worker_id = worker_id
        self.draining = False
        self.dead = False
        self._database = database
        self._holdings = holdings
        self._ringer = ringer
        self._alias = alias
        self._waiting: list[asyncio.Future[Run | None]] = []
        self._claiming: asyncio.Task[None] | None = None

    async def next(self) -> Run | None:
        """The job that this doorbell brings, or None: another doorbell had it, or there is none."""
        future: asyncio.Future[Run | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(future)
        if self._claiming is None or self._claiming.done():
            self._claiming = asyncio.create_task(self._claim_all())
        return await future

    def ring(self) -> None:
        """A job went back to the queue: another worker may take it now."""
        self._ringer.ring(self._alias, ["released"])

    async def _claim_all(self) -> None:
        while self._waiting:
            async with self._holdings.lock:
                asking, self._waiting = self._waiting, []
                runs = await self._claim(len(asking))
            for index, future in enumerate(asking):
                future.set_result(runs[index] if index < len(runs) else None)
            if len(runs) == len(asking):
                await self._ring_for_more(len(asking))

    async def _claim(self, k: int) -> list[Run]:
        if self.draining or self.dead:
            return []
        try:
            async with self._database.session() as session:
                claimed = await claim(session, self.worker_id, k)
        except (DatabaseUnavailable, WorkerGone) as error:
            log.warning("not_claimed", error=type(error).__name__, cause=repr(error.__cause__)[:200])
            return []
        return [self._holdings.take(one) for one in claimed]

    async def _ring_for_more(self, k: int) -> None:
        """Every doorbell found a job, so there may be more jobs than doorbells."""
        try:
            async with self._database.session() as session:
                more = await waiting(session, self._alias, k)
        except DatabaseUnavailable:
            return
        self._ringer.ring(self._alias, ["more"] * more)
