"""Queries about webhooks, for tests of the whole stack."""

from __future__ import annotations

import asyncio
from typing import Any

from sqlalchemy import text

from base.database import ADMIN, Database
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack

QUICK = {"TIL_WEBHOOK_SCHEDULE_SECONDS": "0.2,0.2,60"}


def deliveries(jobs: Jobs, job_id: str) -> list[dict[str, Any]]:
    """The job's deliveries with their attempts, as the API tells."""
    found: list[dict[str, Any]] = jobs.client.get(f"/v1/jobs/{job_id}/deliveries").json()["deliveries"]
    return found


def run(stack: Stack, statement: str, **values: object) -> None:
    """A statement on the stack's database: to make things older, or many."""

    async def one() -> None:
        pool = Database(stack.database_url, ADMIN)
        async with pool.session() as session:
            await session.execute(text(statement), values)
        await pool.close()

    asyncio.run(one())
