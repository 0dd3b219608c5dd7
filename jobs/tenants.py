"""Tenants and their keys. A key is 256 random bits, so a plain SHA-256 of it is a safe thing to store."""

from __future__ import annotations

import base64
import datetime
import hashlib
import secrets
import uuid
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.fence import NOW
from jobs.ids import uuid7
from jobs.tables import ApiKey, Tenant

MOST_PREVIOUS_SECRETS = 5
"""As many sign beside the present one; an older one gives way, whatever its overlap."""


@dataclass(frozen=True)
class Caller:
    """Whose key was shown, what it may do (`submit`, `admin`), and the tenant's key for `request_mac`."""

    tenant_id: uuid.UUID
    scopes: frozenset[str]
    request_key: bytes = field(repr=False)


def key_hash(key: str) -> bytes:
    """The 32 bytes under which a key is stored."""
    return hashlib.sha256(key.encode()).digest()


async def find_caller(session: AsyncSession, hashed: bytes) -> Caller | None:
    """The owner of the key with this hash, unless it was revoked or never existed."""
    query = (
        select(ApiKey.tenant_id, ApiKey.scopes, Tenant.request_key)
        .join(Tenant, Tenant.id == ApiKey.tenant_id)
        .where(ApiKey.hash == hashed, ApiKey.revoked_at.is_(None))
    )
    row = (await session.execute(query)).one_or_none()
    return Caller(row.tenant_id, frozenset(row.scopes), row.request_key) if row else None


async def make_key(session: AsyncSession, tenant_id: uuid.UUID, scopes: list[str]) -> str:
    """A new key; this return value is the only time that it is seen."""
    key = "til_" + secrets.token_urlsafe(32)
    session.add(ApiKey(hash=key_hash(key), tenant_id=tenant_id, scopes=scopes))
    await session.flush()
    return key


def new_webhook_secret() -> str:
    """256 random bits, in the form of Standard Webhooks."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


async def rotate_webhook_secret(session: AsyncSession, tenant_id: uuid.UUID, overlap_seconds: int) -> str:
    """A new secret, shown this once; for the overlap the one before signs too, as do those before it."""
    row = select(Tenant, NOW).where(Tenant.id == tenant_id).with_for_update()
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


async def bootstrap(session: AsyncSession, name: str) -> dict[str, str]:
    """Make the tenant unless it is there, and two new keys. Of the webhook secret only a new one is told."""
    secret = new_webhook_secret()
    await session.execute(
        insert(Tenant).values(id=uuid7(), name=name, webhook_secret=secret).on_conflict_do_nothing()
    )
    tenant = (await session.execute(select(Tenant).where(Tenant.name == name))).scalar_one()
    made = {
        "tenant_id": str(tenant.id),
        "admin_key": await make_key(session, tenant.id, ["admin", "submit"]),
        "key": await make_key(session, tenant.id, ["submit"]),
    }
    return made | ({"webhook_secret": secret} if tenant.webhook_secret == secret else {})
