"""One of each thing that a statement is about, in a database that is full of others."""

from __future__ import annotations

import uuid
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession

from base.tables import Job
from jobs import outbox
from jobs.claim import claim
from jobs.fence import Claim, Claimed
from jobs.submission import Submission
from jobs.submit import insert_batch
from jobs.workers import register
from tests.scale.data import OWNER
from tests.stack.processes import day
from til.request import TilRequest
from webhooks import claim as webhook_claim
from webhooks.claim import ClaimedDelivery
from webhooks.concurrency import Destination

AS_NEW = text("UPDATE jobs SET order_at = 'epoch' WHERE id = ANY(:ids)")
WEBHOOK = {"url": "https://hooks.example.com/x", "events": ["started", "succeeded", "cancelled"]}


@dataclass(frozen=True)
class World:
    """A worker with runs, one of which is to be cancelled, jobs that wait, and a delivery that is posted."""

    tenant_id: uuid.UUID
    first: Submission
    worker_id: uuid.UUID
    runs: list[Claimed]
    waits: Job
    done: uuid.UUID
    due: ClaimedDelivery

    @property
    def run(self) -> Claim:
        """One of the runs."""
        return self.runs[0].claim


def submission(tenant_id: uuid.UUID, key: str | None = None, **more: object) -> Submission:
    """A small job."""
    return Submission(tenant_id, TilRequest.model_validate(day(webhook=WEBHOOK, **more)), "default", key)


async def make(session: AsyncSession) -> World:
    """In a transaction that will be taken back."""
    tenant_id, worker_id = uuid.UUID(OWNER), uuid.uuid4()
    await register(session, worker_id, "here", 30, "default", "outline", 60)
    made = [submission(tenant_id) for _ in range(31)]
    await insert_batch(session, made)
    await session.execute(AS_NEW, {"ids": [one.id for one in made]})
    runs = await claim(session, worker_id, 30)
    waits = await session.get_one(Job, made[-1].id)
    done = "SELECT id FROM jobs WHERE tenant_id = :owner AND status = 'succeeded' ORDER BY created_at LIMIT 1"
    ended = (await session.execute(text(done), {"owner": tenant_id})).scalar_one()
    await outbox.enqueue_deliveries(session, [runs[0].claim.job_id], "cancelled")
    lane = Destination(tenant_id, "hooks.example.com")
    (due,), _ = await webhook_claim.claim(session, {lane: 1}, 60, 0)
    return World(tenant_id, made[0], worker_id, runs, waits, ended, due)
