"""Reading jobs: one, a page of many, the history, the position in the queue. A tenant sees only its own."""

from __future__ import annotations

import base64
import binascii
import datetime
import uuid
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Row, Subquery, Text, func, literal, select, true, tuple_
from sqlalchemy.dialects.postgresql import ARRAY, distinct_on
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from base.arrays import among
from base.states import Status
from base.tables import Delivery, Job, JobEvent
from capacity import queue_depth
from jobs import own
from jobs.view import job_view, when

FURTHEST_POSITION = 1000
MOST_EVENTS = 1000


class BadCursor(ValueError):
    """The cursor is not one that this API gave out."""


@dataclass(frozen=True)
class Filter:
    """Which of a tenant's jobs to list; None means any."""

    status: str | None = None
    repo: str | None = None
    username: str | None = None
    created_after: datetime.datetime | None = None
    created_before: datetime.datetime | None = None

    def equalities(self) -> dict[str, str]:
        """The conditions of the form `column = value`."""
        names = {"status": self.status, "repo": self.repo, "username": self.username}
        return {name: value for name, value in names.items() if value is not None}


async def show(
    session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID, progress: dict[str, Any] | None = None
) -> dict[str, Any]:
    """The job as the contract shows it. Raises NoSuchJob, also for another tenant's."""
    (job,) = await own.one(session, tenant_id, job_id, select(Job).options(defer(Job.request)))
    delivery = await latest_delivery(session, job_id)
    if job.status != Status.QUEUED:
        return job_view(job, delivery, progress=progress)
    return job_view(job, delivery, await position(session, job), await queue_depth.read(session))


async def history(session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID) -> list[dict[str, Any]]:
    """What happened to the job, oldest first. Raises NoSuchJob, also for another tenant's."""
    await own.one(session, tenant_id, job_id, select(Job.id))
    events = await session.scalars(
        select(JobEvent).where(JobEvent.job_id == job_id).order_by(JobEvent.id).limit(MOST_EVENTS)
    )
    return [
        {
            "at": when(event.at),
            "event": event.verb,
            "status": event.status,
            "claim_no": event.claim_no,
            "worker_id": str(event.worker_id) if event.worker_id else None,
        }
        for event in events
    ]


async def latest_delivery(session: AsyncSession, job_id: uuid.UUID) -> Delivery | None:
    """The delivery of the job's latest event, if its webhook asked for any so far."""
    query = select(Delivery).where(Delivery.job_id == job_id).order_by(Delivery.event_at.desc()).limit(1)
    return (await session.execute(query)).scalar_one_or_none()


async def position(session: AsyncSession, job: Job) -> int | None:
    """The job's place among those to be claimed next, from 1; approximate, None beyond 1,000."""
    before = (
        select(Job.id)
        .where(
            Job.status == Status.QUEUED,
            Job.not_before.is_(None),
            Job.model == job.model,
            tuple_(Job.order_at, Job.id) < tuple_(job.order_at, job.id),
        )
        .order_by(Job.order_at, Job.id)
        .limit(FURTHEST_POSITION)
    )
    count = (await session.execute(select(func.count()).select_from(before.subquery()))).scalar_one()
    return int(count) + 1 if count < FURTHEST_POSITION else None


async def page(
    session: AsyncSession, tenant_id: uuid.UUID, wanted: Filter, limit: int, cursor: str | None
) -> dict[str, Any]:
    """One page, newest first, and the next page's cursor; jobs added meanwhile shift nothing. BadCursor."""
    found = _newest(_conditions(tenant_id, wanted, cursor), wanted, limit + 1)
    query = select(Job).options(defer(Job.request)).join(found, found.c.id == Job.id)
    newest_first = query.order_by(found.c.created_at.desc(), found.c.id.desc()).limit(limit + 1)
    rows = list((await session.scalars(newest_first)).all())
    deliveries = await _latest_deliveries(session, [job.id for job in rows[:limit]])
    return {
        "jobs": [job_view(job, deliveries.get(job.id), in_a_list=True) for job in rows[:limit]],
        "next_cursor": encode_cursor(rows[limit - 1]) if len(rows) > limit else None,
    }


def _conditions(tenant_id: uuid.UUID, wanted: Filter, cursor: str | None) -> list[ColumnElement[bool]]:
    conditions = [Job.tenant_id == tenant_id]
    conditions += [getattr(Job, name) == value for name, value in wanted.equalities().items()]
    if wanted.created_after:
        conditions.append(Job.created_at > wanted.created_after)
    if wanted.created_before:
        conditions.append(Job.created_at < wanted.created_before)
    if cursor:
        conditions.append(tuple_(Job.created_at, Job.id) < tuple_(*decode_cursor(cursor)))
    return conditions


def _newest(conditions: list[ColumnElement[bool]], wanted: Filter, most: int) -> Subquery:
    """Ids and times of the newest matching jobs, read in the order of an index without reading others.

    The indexes on repo and username have the status before the time, so without a wanted status the newest of
    each status are read.
    """
    order = (Job.created_at.desc(), Job.id.desc())
    newest = select(Job.id, Job.created_at).where(*conditions).order_by(*order).limit(most)
    if wanted.status is not None or not wanted.equalities():
        return newest.subquery()
    statuses = func.unnest(literal([str(one) for one in Status], ARRAY(Text)))
    every = statuses.table_valued("status").render_derived()
    of_each = newest.where(Job.status == every.c.status).lateral()
    return select(of_each).select_from(every.join(of_each, true())).subquery()


async def _latest_deliveries(session: AsyncSession, job_ids: list[uuid.UUID]) -> dict[uuid.UUID, Delivery]:
    query = (
        select(Delivery)
        .ext(distinct_on(Delivery.job_id))
        .where(among(Delivery.job_id, job_ids))
        .order_by(Delivery.job_id, Delivery.event_at.desc())
    )
    return {delivery.job_id: delivery for delivery in await session.scalars(query)}


def encode_cursor(job: Job | Row[Any]) -> str:
    """The cursor of the page that begins after this job."""
    text = f"{job.created_at.isoformat()}|{job.id}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def decode_cursor(cursor: str) -> tuple[datetime.datetime, uuid.UUID]:
    """The inverse of `encode_cursor`. Raises BadCursor."""
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        time, _, job_id = text.partition("|")
        parsed = datetime.datetime.fromisoformat(time)
        if parsed.tzinfo is None:
            raise BadCursor(BadCursor.__doc__)
        return parsed.astimezone(datetime.UTC), uuid.UUID(job_id)
    except (ValueError, OverflowError, binascii.Error) as error:
        raise BadCursor(BadCursor.__doc__) from error
