"""Statements of the hot path: the same text for any number of rows, so that it is prepared once."""

from __future__ import annotations

import uuid

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from base.database import Database
from jobs import give_back
from jobs.claim import claim
from jobs.job_state import job_states
from jobs.submission import Submission
from jobs.submit import insert_batch
from tests.jobs.conftest import NewWorker
from tests.scale.explain import recorded
from tests.stack.processes import day
from til.request import TilRequest


async def test_a_statement_has_the_same_text_for_any_number_of_rows(
    database: Database, tenant_id: uuid.UUID, new_worker: NewWorker
) -> None:
    texts = []
    for count in (4, 9):
        worker_id = await new_worker()
        with recorded(database.engine) as sent:
            async with database.session() as session:
                await life(session, tenant_id, worker_id, count)
        texts.append([one.statement for one in sent])
    assert texts[0] == texts[1]


async def life(session: AsyncSession, tenant_id: uuid.UUID, worker_id: uuid.UUID, count: int) -> None:
    """Submit, claim past suspects, rescue, look."""
    request = TilRequest.model_validate(day())
    batch = [Submission(tenant_id, request, "default", f"{count} {n}") for n in range(count)]
    await insert_batch(session, batch)
    suspects = text("UPDATE jobs SET losses = 2 WHERE id = ANY (:ids)")
    await session.execute(suspects, {"ids": [one.id for one in batch[:2]]})
    claimed = await claim(session, worker_id, count)
    assert len(claimed) == count - 1
    rescued = await give_back.rescue(session, [one.claim for one in claimed], charged=True)
    assert set(rescued) == {one.claim.job_id for one in claimed}
    assert len(await job_states(session, rescued)) == count - 1
    await session.execute(text("UPDATE jobs SET status = 'cancelled', finished_at = now()"))
