"""Changes of a tenant's row don't block inserts of rows that refer to it."""

from __future__ import annotations

import uuid

from sqlalchemy import text

from base.database import Database
from jobs.submission import Submission
from jobs.submit import insert_batch
from tenants.secrets import rotate_webhook_secret
from tests.stack.processes import day
from tests.stack.sealing import BOX
from til.request import TilRequest


async def test_jobs_are_submitted_while_a_secret_is_rotated(database: Database, tenant_id: uuid.UUID) -> None:
    one = Submission(tenant_id, TilRequest.model_validate(day()), "default")
    async with database.session() as rotating:
        await rotate_webhook_secret(rotating, tenant_id, 60, BOX)
        async with database.session() as session:
            await session.execute(text("SET LOCAL lock_timeout = '200ms'"))
            assert set(await insert_batch(session, [one])) == {one.id}
