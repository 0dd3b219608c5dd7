"""A tenant's webhook URLs with failures: one that fails for five days without a success is disabled."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Collection

from sqlalchemy import (
    ColumnClause,
    ColumnElement,
    TableValuedAlias,
    Text,
    Uuid,
    any_,
    case,
    delete,
    func,
    literal,
    literal_column,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert
from sqlalchemy.ext.asyncio import AsyncSession

from base.arrays import among
from base.clock import NOW, STATEMENT_NOW
from base.states import DISABLED
from base.tables import Delivery, WebhookEndpoint

DISABLED_AFTER_DAYS = 5
DISABLED_AFTER_FAILURES = 10
BEGINS_ANEW_AFTER_DAYS = 2
"""Longer than the longest pause of the retry schedule, 24 h and a fifth."""
FORGOTTEN_AFTER_DAYS = 90
AT_ONCE = 1000
NOT_IN_MEMORY = {"synchronize_session": False}

Endpoint = tuple[uuid.UUID, str]


async def forget_failures(session: AsyncSession, endpoints: Collection[Endpoint]) -> None:
    """After a success: forget the failures of these URLs, unless they are disabled."""
    these = _table(endpoints)
    failing_only = delete(WebhookEndpoint).where(
        WebhookEndpoint.tenant_id == these.c.tenant_id,
        WebhookEndpoint.url == these.c.url,
        WebhookEndpoint.disabled_at.is_(None),
    )
    await session.execute(failing_only, execution_options=NOT_IN_MEMORY)


async def count_failures(session: AsyncSession, endpoints: Collection[Endpoint]) -> list[Endpoint]:
    """Count a failure of each. Returns those that are disabled by it."""
    anew = WebhookEndpoint.last_failed_at < _days_ago(BEGINS_ANEW_AFTER_DAYS)
    since = case((anew, NOW), else_=WebhookEndpoint.failing_since)
    failures = case((anew, 1), else_=WebhookEndpoint.failures + 1)
    for_long = (failures >= DISABLED_AFTER_FAILURES) & (since < _days_ago(DISABLED_AFTER_DAYS))
    values = {
        "failing_since": since,
        "failures": failures,
        "last_failed_at": NOW,
        "disabled_at": case((for_long, NOW)),
    }
    statement = (
        insert(WebhookEndpoint)
        .from_select(["tenant_id", "url"], select(_table(endpoints)))
        .on_conflict_do_update(
            index_elements=["tenant_id", "url"], set_=values, where=WebhookEndpoint.disabled_at.is_(None)
        )
        .returning(WebhookEndpoint.tenant_id, WebhookEndpoint.url, WebhookEndpoint.disabled_at)
    )
    return [(row.tenant_id, row.url) for row in await session.execute(statement) if row.disabled_at]


def _table(endpoints: Collection[Endpoint]) -> TableValuedAlias:
    """As rows of `tenant_id` and `url`, sorted so that two stewards don't deadlock."""
    tenants, urls = zip(*sorted(endpoints), strict=True)
    arrays = func.unnest(literal(tenants, ARRAY(Uuid)), literal(urls, ARRAY(Text)))
    return arrays.table_valued("tenant_id", "url").render_derived(name="these")


def _days_ago(days: int) -> ColumnElement[datetime.datetime]:
    return STATEMENT_NOW - func.make_interval(0, 0, 0, days)


async def end_disabled(session: AsyncSession, delivery_ids: Collection[uuid.UUID]) -> None:
    """End these deliveries without an attempt, since their URL is disabled."""
    values = {"state": "failed", "last_error": DISABLED, "next_attempt_at": None, "finished_at": NOW}
    await session.execute(update(Delivery).where(among(Delivery.id, delivery_ids)).values(values))


async def forget_old(session: AsyncSession) -> None:
    """Delete a batch of URLs that have not failed for two days, or have been disabled for 90."""
    disabled_at, last_failed_at = WebhookEndpoint.disabled_at, WebhookEndpoint.last_failed_at
    recovered = (disabled_at.is_(None), last_failed_at < _days_ago(BEGINS_ANEW_AFTER_DAYS))
    long_disabled = (disabled_at < _days_ago(FORGOTTEN_AFTER_DAYS),)
    ctid: ColumnClause[object] = literal_column("ctid")
    for condition, age in ((recovered, last_failed_at), (long_disabled, disabled_at)):
        some = select(ctid.label("row")).select_from(WebhookEndpoint).where(*condition).order_by(age)
        locked = some.limit(AT_ONCE).with_for_update(skip_locked=True)
        old = locked.cte("old").prefix_with("MATERIALIZED")
        chosen = ctid == any_(func.array(select(old.c.row).scalar_subquery()))
        await session.execute(delete(WebhookEndpoint).where(chosen), execution_options=NOT_IN_MEMORY)


async def failing(session: AsyncSession, tenant_id: uuid.UUID) -> list[WebhookEndpoint]:
    """The tenant's URLs with failures, those that have failed for longest first, a thousand at most."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.tenant_id == tenant_id)
    return list(await session.scalars(query.order_by(WebhookEndpoint.failing_since).limit(1000)))


async def enable(session: AsyncSession, tenant_id: uuid.UUID, url: str) -> bool:
    """Forget the URL's failures and enable it; False if it had none."""
    statement = delete(WebhookEndpoint).where(
        WebhookEndpoint.tenant_id == tenant_id, WebhookEndpoint.url == url
    )
    deleted = await session.execute(statement.returning(WebhookEndpoint.url))
    return deleted.scalar_one_or_none() is not None
