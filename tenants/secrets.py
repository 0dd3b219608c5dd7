"""The secrets that sign a tenant's webhooks, and their rotation."""

from __future__ import annotations

import base64
import datetime
import secrets
import uuid

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from base.clock import NOW
from base.database import Database
from base.errors import SecretUnreadable, UnfitServer
from base.tables import Tenant
from tenants.sealing import SEALED, SecretBox

MOST_PREVIOUS_SECRETS = 5
"""At most so many previous secrets sign beside the current one; if there are more, the oldest is dropped."""
TENANTS_AT_ONCE = 100
CHECKED_TENANTS = 1000


def new_webhook_secret() -> str:
    """256 random bits, in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def rotate_webhook_secret(
    session: AsyncSession, tenant_id: uuid.UUID, overlap_seconds: int, box: SecretBox
) -> str:
    """Make a new secret and return it. The replaced one signs too for `overlap_seconds`; earlier ones until
    their own overlap ends.

    The row is locked `FOR NO KEY UPDATE`, which doesn't block inserts of rows that refer to the tenant.
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
    secret = new_webhook_secret()
    tenant.webhook_secret = box.seal(secret)
    await session.flush()
    return secret


async def reencrypt_tenants(
    session: AsyncSession, after: uuid.UUID | None, box: SecretBox, at_once: int = TENANTS_AT_ONCE
) -> uuid.UUID | None:
    """Encrypt the secrets of the `at_once` tenants after the id `after` with the newest key.

    Returns the last one's id, None when there was none. Raises SecretUnreadable.
    """
    some = select(Tenant).order_by(Tenant.id).limit(at_once).with_for_update(key_share=True)
    tenants = (await session.scalars(some if after is None else some.where(Tenant.id > after))).all()
    for tenant in tenants:
        tenant.webhook_secret = box.seal(box.open(tenant.webhook_secret))
        tenant.previous_secrets = [
            one | {"secret": box.seal(box.open(one["secret"]))} for one in tenant.previous_secrets
        ]
    await session.flush()
    return tenants[-1].id if tenants else None


async def check_secrets(database: Database, box: SecretBox) -> list[str]:
    """Warnings for the operator about the stored secrets. Raises UnfitServer if one can't be decrypted."""
    sealed = Tenant.webhook_secret.startswith(SEALED)
    async with database.session() as session:
        plain = await session.scalar(select(func.count()).select_from(Tenant).where(~sealed))
        for tenant in await session.scalars(select(Tenant).where(sealed).limit(CHECKED_TENANTS)):
            _must_open(tenant, box)
    if not box.seals:
        return [
            "TIL_SECRET_KEYS is not set: webhook secrets are stored as plain text. `til-server secret-key`."
        ]
    return [f"{plain} tenants' webhook secrets are plain text: run `til-server reencrypt`."] if plain else []


def _must_open(tenant: Tenant, box: SecretBox) -> None:
    try:
        for stored in (tenant.webhook_secret, *(one["secret"] for one in tenant.previous_secrets)):
            box.open(stored)
    except SecretUnreadable as error:
        raise UnfitServer(f"The webhook secret of tenant {tenant.name} is sealed. {error}") from None
