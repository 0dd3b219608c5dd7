"""The commands reencrypt and new-secret: encryption of the webhook secrets in the database."""

from __future__ import annotations

import uuid

from sqlalchemy import select

from base.database import Database
from base.errors import JobError
from base.tables import Tenant
from tenants.sealing import SecretBox
from tenants.secrets import reencrypt_tenants, rotate_webhook_secret


class NoSealingKey(JobError):
    """Set TIL_SECRET_KEYS, the newest key first; `til-server secret-key` makes one."""


async def reencrypt(database: Database, box: SecretBox) -> None:
    """Seal every webhook secret with the newest key, 100 tenants a transaction. Raises JobError."""
    if not box.seals:
        raise NoSealingKey
    after: uuid.UUID | None = None
    while True:
        async with database.session() as session:
            after = await reencrypt_tenants(session, after, box)
        if after is None:
            return


async def new_secret(database: Database, name: str, box: SecretBox) -> str:
    """Replace the tenant's webhook secret at once; the old one need not be readable. Raises JobError."""
    async with database.session() as session:
        tenant_id = await session.scalar(select(Tenant.id).where(Tenant.name == name))
        if tenant_id is None:
            raise JobError(f"There is no tenant {name}.")
        secret = await rotate_webhook_secret(session, tenant_id, 0, box)
        tenant = await session.get_one(Tenant, tenant_id)
        tenant.previous_secrets = []
    return secret
