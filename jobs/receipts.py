"""What became of webhooks, for those who debug them; and sending them once more."""

from __future__ import annotations

import datetime
import uuid
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.errors import DeliveryPending, NoSuchDelivery, NoSuchJob
from jobs.fence import NOW
from jobs.tables import Delivery, DeliveryAttempt, Job
from jobs.view import when

MOST = 1000


async def deliveries(session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID) -> list[dict[str, Any]]:
    """The job's deliveries, oldest first, each with every attempt. Raises NoSuchJob."""
    known = select(Job.id).where(Job.id == job_id, Job.tenant_id == tenant_id)
    if (await session.execute(known)).scalar_one_or_none() is None:
        raise NoSuchJob
    found = list(
        await session.scalars(
            select(Delivery).where(Delivery.job_id == job_id).order_by(Delivery.event_at).limit(MOST)
        )
    )
    attempts = await session.scalars(
        select(DeliveryAttempt)
        .where(DeliveryAttempt.delivery_id.in_([delivery.id for delivery in found]))
        .order_by(DeliveryAttempt.number)
        .limit(MOST)
    )
    by_delivery: dict[uuid.UUID, list[dict[str, Any]]] = {delivery.id: [] for delivery in found}
    for attempt in attempts:
        by_delivery[attempt.delivery_id].append(_attempt_view(attempt))
    return [_view(delivery) | {"attempts": by_delivery[delivery.id]} for delivery in found]


def _view(delivery: Delivery) -> dict[str, Any]:
    return {
        "id": str(delivery.id),
        "webhook_id": f"msg_{delivery.id.hex}",
        "event": delivery.event,
        "at": when(delivery.event_at),
        "url": delivery.url,
        "state": delivery.state,
        "last_error": delivery.last_error,
        "next_attempt_at": when(delivery.next_attempt_at),
        "finished_at": when(delivery.finished_at),
    }


def _attempt_view(attempt: DeliveryAttempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "at": when(attempt.at),
        "status": attempt.status,
        "error": attempt.error,
        "milliseconds": attempt.milliseconds,
        "answer": attempt.answer,
    }


async def resend(session: AsyncSession, tenant_id: uuid.UUID, delivery_id: uuid.UUID) -> None:
    """Send this delivery now, under the same `webhook-id`. Raises NoSuchDelivery, DeliveryPending."""
    own = (Delivery.id == delivery_id, Delivery.tenant_id == tenant_id)
    if await _send_again(session, *own):
        return
    known = (await session.execute(select(Delivery.id).where(*own))).scalar_one_or_none()
    raise DeliveryPending if known else NoSuchDelivery


async def resend_many(
    session: AsyncSession,
    tenant_id: uuid.UUID,
    since: datetime.datetime,
    until: datetime.datetime,
    state: str,
) -> int:
    """Send the deliveries in this state whose event lies in [since, until) again; how many."""
    return await _send_again(
        session,
        Delivery.tenant_id == tenant_id,
        Delivery.event_at >= since,
        Delivery.event_at < until,
        Delivery.state == state,
    )


async def _send_again(session: AsyncSession, *which: ColumnElement[bool]) -> int:
    """Only what is not pending: that is sent anyway. Its schedule begins anew, its attempts count on."""
    ended = Delivery.state != "pending"
    values = {
        "state": "pending",
        "next_attempt_at": NOW,
        "finished_at": None,
        "last_error": None,
        "attempts_before": Delivery.attempts,
    }
    statement = update(Delivery).where(ended, *which).values(values).returning(Delivery.id)
    return len((await session.execute(statement)).all())
