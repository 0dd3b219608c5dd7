"""`python -m tests.faults.holder URL WORKER_ID TENANT_ID KEY`: opens a transaction that claims for the worker
and inserts the idempotency key, says so, and never ends it."""

from __future__ import annotations

import asyncio
import sys
import uuid

from base.database import WORKER, Database
from jobs.claim import claim
from jobs.submission import Submission
from jobs.submit import insert_batch
from tests.stack.processes import day
from til.request import TilRequest


async def hold(url: str, worker_id: str, tenant_id: str, key: str) -> None:
    """Hold the locks until this process is killed."""
    pool = Database(url, WORKER)
    request = TilRequest.model_validate(day())
    async with pool.session() as session:
        await claim(session, uuid.UUID(worker_id), 5)
        await insert_batch(session, [Submission(uuid.UUID(tenant_id), request, "default", key)])
        print("holding", flush=True)
        await asyncio.sleep(3600)


if __name__ == "__main__":
    asyncio.run(hold(*sys.argv[1:]))
