"""bootstrap: makes a tenant and its first keys."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from base.ids import uuid7
from base.tables import Tenant
from tenants.keys import make_key
from tenants.sealing import SecretBox
from tenants.secrets import new_webhook_secret


async def bootstrap(session: AsyncSession, name: str, box: SecretBox) -> dict[str, str]:
    """Make the tenant unless it exists, and two new keys. `webhook_secret` is there for a new tenant only."""
    secret = new_webhook_secret()
    stored = box.seal(secret)
    await session.execute(
        insert(Tenant).values(id=uuid7(), name=name, webhook_secret=stored).on_conflict_do_nothing()
    )
    tenant = (await session.execute(select(Tenant).where(Tenant.name == name))).scalar_one()
    made = {
        "tenant_id": str(tenant.id),
        "admin_key": await make_key(session, tenant.id, ["admin", "submit"]),
        "key": await make_key(session, tenant.id, ["submit"]),
    }
    return made | ({"webhook_secret": secret} if tenant.webhook_secret == stored else {})
