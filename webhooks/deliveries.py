"""The deliveries of a job with all attempts, as the API shows them; and resending."""

from __future__ import annotations

import datetime
import uuid
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, select, tuple_, update
from sqlalchemy.ext.asyncio import AsyncSession

from base.arrays import among
from base.clock import NOW
from base.errors import EndpointDisabled, NoSuchDelivery
from base.tables import Delivery, DeliveryAttempt, Job, is_disabled
from jobs import own
from jobs.view import when

MOST = 1000
URL_DISABLED = is_disabled(Delivery.tenant_id, Delivery.url)
"""The condition that the delivery's URL is disabled."""


class Position(NamedTuple):
    """A position in a tenant's deliveries, ordered by the time of their events."""

    event_at: datetime.datetime
    delivery_id: uuid.UUID


async def deliveries(session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID) -> list[dict[str, Any]]:
    """The job's deliveries, oldest first, each with every attempt. Raises NoSuchJob."""
    await own.one(session, tenant_id, job_id, select(Job.id))
    found = list(
        await session.scalars(
            select(Delivery).where(Delivery.job_id == job_id).order_by(Delivery.event_at).limit(MOST)
        )
    )
    attempts = await session.scalars(
        select(DeliveryAttempt)
        .where(among(DeliveryAttempt.delivery_id, [delivery.id for delivery in found]))
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
    """Send this delivery now, under the same `webhook-id`; one that is being sent is left alone.

    Raises NoSuchDelivery, EndpointDisabled.
    """
    own = (Delivery.id == delivery_id, Delivery.tenant_id == tenant_id)
    disabled = (await session.execute(select(URL_DISABLED).where(*own))).scalar_one_or_none()
    if disabled is None:
        raise NoSuchDelivery
    if disabled:
        raise EndpointDisabled
    await _send_again(session, *own)
    sooner = {"phase": "due", "next_attempt_at": NOW}
    later = (Delivery.state == "pending", Delivery.phase == "later")
    await session.execute(update(Delivery).where(*own, *later).values(sooner))


async def resend_some(
    session: AsyncSession,
    tenant_id: uuid.UUID,
    since: datetime.datetime,
    until: datetime.datetime,
    state: str,
    after: Position | None,
) -> tuple[int, Position | None]:
    """Of the next thousand deliveries whose event lies in [since, until), resend those in this state.

    Returns how many, and the position to go on after, None at the end. Disabled URLs are left out.
    """
    events = select(Delivery.event_at, Delivery.id).where(
        Delivery.tenant_id == tenant_id, Delivery.event_at >= since, Delivery.event_at < until
    )
    if after:
        events = events.where(tuple_(Delivery.event_at, Delivery.id) > tuple_(*after))
    rows = (await session.execute(events.order_by(Delivery.event_at, Delivery.id).limit(MOST))).all()
    if not rows:
        return 0, None
    count = await _send_again(
        session, among(Delivery.id, [row.id for row in rows]), Delivery.state == state, ~URL_DISABLED
    )
    return count, Position(*rows[-1]) if len(rows) == MOST else None


async def _send_again(session: AsyncSession, *which: ColumnElement[bool]) -> int:
    """Only deliveries that have ended. The retry schedule begins anew; the number of attempts goes on."""
    values = {
        "state": "pending",
        "phase": "due",
        "next_attempt_at": NOW,
        "finished_at": None,
        "last_error": None,
        "attempts_before": Delivery.attempts,
    }
    statement = update(Delivery).where(Delivery.state != "pending", *which).values(values)
    return len((await session.execute(statement.returning(Delivery.id))).all())
