"""What is told of a tenant's secrets, and how often."""

from __future__ import annotations

import uuid

from admin.bootstrap import bootstrap
from base.database import Database
from base.tables import Tenant
from tenants.secrets import rotate_webhook_secret


async def test_a_webhook_secret_is_told_once(database: Database) -> None:
    async with database.session() as session:
        first = await bootstrap(session, "acme")
        second = await bootstrap(session, "acme")
    assert first["webhook_secret"].startswith("whsec_")
    assert "webhook_secret" not in second
    assert first["tenant_id"] == second["tenant_id"]
    assert len({first["key"], first["admin_key"], second["key"], second["admin_key"]}) == 4


async def test_a_rotation_keeps_the_secret_before_for_the_overlap(database: Database) -> None:
    async with database.session() as session:
        made = await bootstrap(session, "acme")
        tenant_id = uuid.UUID(made["tenant_id"])
        newer = await rotate_webhook_secret(session, tenant_id, 3600)
        tenant = await session.get_one(Tenant, tenant_id, populate_existing=True)
    assert tenant.webhook_secret == newer
    assert [one["secret"] for one in tenant.previous_secrets] == [made["webhook_secret"]]
    assert newer != made["webhook_secret"]
