"""Many submits at once: large ones delay no small one, and a row that is refused fails alone."""

from __future__ import annotations

import asyncio
import uuid

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from admin.bootstrap import bootstrap
from api.group_commit import Submitter
from base.database import Database
from base.errors import TooManyWaiting
from jobs.submission import Submission, Submitted
from tests.jobs.conftest import job
from tests.stack.processes import day
from tests.stack.sealing import BOX
from til.request import TilRequest

LINE = "def turn(crank):  # as code usually is\n"
TRANSACTIONS = text("SELECT count(DISTINCT xmin::text) FROM jobs WHERE username = 'ada'")


def large(tenant_id: uuid.UUID, megabytes: float = 3.9) -> Submission:
    """A job of nearly 4 MiB."""
    file = day()["files"][0] | {"latest_code": LINE * int(megabytes * 1_000_000 / len(LINE))}
    return Submission(tenant_id, TilRequest.model_validate(day(files=[file])), "default")


def small(tenant_id: uuid.UUID, username: str = "ada") -> Submission:
    return Submission(tenant_id, TilRequest.model_validate(day(username=username)), "default")


async def test_a_small_submit_does_not_wait_for_the_large_ones_before_it(
    database: Database, tenant_id: uuid.UUID
) -> None:
    async with database.session() as session:
        other = uuid.UUID((await bootstrap(session, "another", BOX))["tenant_id"])
    submitter = Submitter(database)
    asked = [asyncio.create_task(submitter.submit(large(tenant_id))) for _ in range(12)]
    await asyncio.sleep(0)
    await submitter.submit(small(other, "bob"))
    assert not any(task.done() for task in asked[4:])
    assert len({one.job_id for one in await asyncio.gather(*asked)}) == 12
    async with database.session() as session:
        assert (await session.execute(TRANSACTIONS)).scalar_one() == 6


async def test_a_large_job_is_stored_whole(database: Database, tenant_id: uuid.UUID) -> None:
    submission = large(tenant_id)
    await Submitter(database).submit(submission)
    stored = await job(database, submission.id)
    assert stored.request == submission.request.model_dump(mode="json")


async def test_more_than_can_wait_is_refused_at_once(database: Database, tenant_id: uuid.UUID) -> None:
    submitter = Submitter(database, most_waiting_bytes=4 * 2**20)
    asked = [submitter.submit(large(tenant_id, megabytes=1)) for _ in range(6)]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [type(one) for one in outcomes] == [Submitted] * 3 + [TooManyWaiting] * 3
    assert await submitter.submit(large(tenant_id, megabytes=1))


async def test_a_row_that_is_refused_does_not_fail_the_rest_of_its_batch(
    database: Database, tenant_id: uuid.UUID
) -> None:
    submitter = Submitter(database)
    bad = small(tenant_id)
    object.__setattr__(bad, "request", bad.request.model_copy(update={"username": "a\x00"}))
    asked = [submitter.submit(one) for one in (small(tenant_id), small(tenant_id), bad, small(tenant_id))]
    outcomes = await asyncio.gather(*asked, return_exceptions=True)
    assert [isinstance(one, Submitted) for one in outcomes] == [True, True, False, True]
    assert isinstance(outcomes[2], DBAPIError)
