"""API keys. A key has 256 random bits, so that it is safe to store its plain SHA-256."""

from __future__ import annotations

import hashlib
import secrets
import uuid
from dataclasses import dataclass, field

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from base.tables import ApiKey, Tenant


@dataclass(frozen=True)
class Caller:
    """The tenant of a key, its scopes (`submit`, `admin`), and the tenant's HMAC key for `request_mac`."""

    tenant_id: uuid.UUID
    scopes: frozenset[str]
    request_key: bytes = field(repr=False)


def key_hash(key: str) -> bytes:
    """The 32 bytes that are stored of a key."""
    return hashlib.sha256(key.encode()).digest()


async def find_caller(session: AsyncSession, hashed: bytes) -> Caller | None:
    """The owner of the key with this hash; None if there is none, or it was revoked."""
    query = (
        select(ApiKey.tenant_id, ApiKey.scopes, Tenant.request_key)
        .join(Tenant, Tenant.id == ApiKey.tenant_id)
        .where(ApiKey.hash == hashed, ApiKey.revoked_at.is_(None))
    )
    row = (await session.execute(query)).one_or_none()
    return Caller(row.tenant_id, frozenset(row.scopes), row.request_key) if row else None


async def make_key(session: AsyncSession, tenant_id: uuid.UUID, scopes: list[str]) -> str:
    """Make a key and return it; only its hash is stored."""
    key = "til_" + secrets.token_urlsafe(32)
    session.add(ApiKey(hash=key_hash(key), tenant_id=tenant_id, scopes=scopes))
    await session.flush()
    return key
