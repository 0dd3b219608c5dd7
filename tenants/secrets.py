"""The secrets that sign a tenant's webhooks, and their rotation."""

from __future__ import annotations

import base64
import datetime
import secrets
import uuid

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from base.clock import NOW
from base.tables import Tenant

MOST_PREVIOUS_SECRETS = 5
"""As many sign beside the present one; an older one gives way, whatever its overlap."""


def new_webhook_secret() -> str:
    """256 random bits, in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def rotate_webhook_secret(session: AsyncSession, tenant_id: uuid.UUID, overlap_seconds: int) -> str:
    """A new secret, shown this once; for the overlap the one before signs too, as do those before it.

    Locked `FOR NO KEY UPDATE`, so that rows which refer to the tenant are inserted meanwhile.
    """
    row = select(Tenant, NOW).where(Tenant.id == tenant_id).with_for_update(key_share=True)
    tenant, now = (await session.execute(row)).one()
    until = now + datetime.timedelta(seconds=overlap_seconds)
    replaced = {"secret": tenant.webhook_secret, "until": until.isoformat()}
    tenant.previous_secrets = [
        one
        for one in [replaced, *tenant.previous_secrets]
        if datetime.datetime.fromisoformat(one["until"]) > now
    ][:MOST_PREVIOUS_SECRETS]
    tenant.webhook_secret = new_webhook_secret()
    await session.flush()
    return str(tenant.webhook_secret)
