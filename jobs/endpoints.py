"""A tenant's webhook URLs that keep failing: after five days without one success nothing is sent there."""

from __future__ import annotations

import uuid
from collections.abc import Collection

from sqlalchemy import delete, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.fence import NOW
from jobs.tables import Delivery, WebhookEndpoint

DISABLED_AFTER_DAYS = 5
DISABLED = "endpoint_disabled"
"""`last_error` of a delivery that was not even tried for that."""

Endpoint = tuple[uuid.UUID, str]


async def succeeded(session: AsyncSession, endpoints: Collection[Endpoint]) -> None:
    """These have answered well: whatever was held against them is forgotten, except a disabling by rule."""
    pair = tuple_(WebhookEndpoint.tenant_id, WebhookEndpoint.url)
    well = delete(WebhookEndpoint).where(pair.in_(sorted(endpoints)), WebhookEndpoint.disabled_at.is_(None))
    await session.execute(well)


async def failed(session: AsyncSession, endpoints: Collection[Endpoint]) -> list[Endpoint]:
    """Hold a failure against each; those that are disabled by that, whose pending deliveries fail too."""
    rows = [{"tenant_id": tenant_id, "url": url} for tenant_id, url in sorted(endpoints)]
    await session.execute(insert(WebhookEndpoint).values(rows).on_conflict_do_nothing())
    pair = tuple_(WebhookEndpoint.tenant_id, WebhookEndpoint.url)
    long_ago = NOW - func.make_interval(0, 0, 0, DISABLED_AFTER_DAYS)
    disabling = (
        update(WebhookEndpoint)
        .where(
            pair.in_(sorted(endpoints)),
            WebhookEndpoint.disabled_at.is_(None),
            WebhookEndpoint.failing_since < long_ago,
        )
        .values(disabled_at=NOW)
        .returning(WebhookEndpoint.tenant_id, WebhookEndpoint.url)
    )
    disabled = [(row.tenant_id, row.url) for row in await session.execute(disabling)]
    for tenant_id, url in disabled:
        pending = (Delivery.tenant_id == tenant_id, Delivery.url == url, Delivery.state == "pending")
        gone = {"state": "failed", "last_error": DISABLED, "next_attempt_at": None, "finished_at": NOW}
        await session.execute(update(Delivery).where(*pending).values(gone))
    return disabled


async def failing(session: AsyncSession, tenant_id: uuid.UUID) -> list[WebhookEndpoint]:
    """The tenant's URLs that fail or are disabled, the longest first, a thousand at most."""
    query = select(WebhookEndpoint).where(WebhookEndpoint.tenant_id == tenant_id)
    return list(await session.scalars(query.order_by(WebhookEndpoint.failing_since).limit(1000)))


async def enable(session: AsyncSession, tenant_id: uuid.UUID, url: str) -> bool:
    """Send to this URL again; False when nothing was held against it."""
    statement = delete(WebhookEndpoint).where(
        WebhookEndpoint.tenant_id == tenant_id, WebhookEndpoint.url == url
    )
    gone = await session.execute(statement.returning(WebhookEndpoint.url))
    return gone.scalar_one_or_none() is not None
