"""When a tenant's secrets are shown, and how they are stored."""

from __future__ import annotations

import uuid

import pytest
from pydantic import ValidationError
from sqlalchemy import text

from admin.bootstrap import bootstrap
from base.database import Database
from base.errors import SecretUnreadable, UnfitServer
from base.tables import Tenant
from tenants.sealing import SecretBox, new_sealing_key
from tenants.secrets import check_secrets, reencrypt_tenants, rotate_webhook_secret
from tenants.settings import SecretSettings
from tests.stack.sealing import BOX, SECRET_KEYS


async def test_a_webhook_secret_is_shown_once(database: Database) -> None:
    async with database.session() as session:
        first = await bootstrap(session, "acme", BOX)
        second = await bootstrap(session, "acme", BOX)
    assert first["webhook_secret"].startswith("whsec_")
    assert "webhook_secret" not in second
    assert first["tenant_id"] == second["tenant_id"]
    assert len({first["key"], first["admin_key"], second["key"], second["admin_key"]}) == 4


async def test_a_rotation_keeps_the_previous_secret_for_the_overlap(database: Database) -> None:
    async with database.session() as session:
        made = await bootstrap(session, "acme", BOX)
        tenant_id = uuid.UUID(made["tenant_id"])
        newer = await rotate_webhook_secret(session, tenant_id, 3600, BOX)
        tenant = await session.get_one(Tenant, tenant_id, populate_existing=True)
    assert BOX.open(tenant.webhook_secret) == newer
    assert [BOX.open(one["secret"]) for one in tenant.previous_secrets] == [made["webhook_secret"]]
    assert newer != made["webhook_secret"]


async def test_a_secret_lies_sealed_in_the_database_and_a_plain_one_is_read_until_it_is_sealed(
    database: Database,
) -> None:
    async with database.session() as session:
        sealed = await bootstrap(session, "acme", BOX)
        plain = await bootstrap(session, "before", SecretBox())
        await rotate_webhook_secret(session, uuid.UUID(plain["tenant_id"]), 60, SecretBox())
    everything = await stored(database)
    assert sealed["webhook_secret"] not in everything
    assert plain["webhook_secret"] in everything
    [note] = await check_secrets(database, BOX)
    assert note.startswith("1 tenants' webhook secrets are plain text")
    async with database.session() as session:
        assert await reencrypt_tenants(session, None, BOX) is not None
    assert "whsec_" not in await stored(database)
    assert await check_secrets(database, BOX) == []
    async with database.session() as session:
        tenant = await session.get_one(Tenant, uuid.UUID(plain["tenant_id"]))
    assert BOX.open(tenant.previous_secrets[0]["secret"]) == plain["webhook_secret"]


async def test_a_key_is_replaced_by_a_newer_one_without_a_moment_in_which_a_secret_can_not_be_read(
    database: Database,
) -> None:
    newer = new_sealing_key()
    both, after = SecretBox([newer, SECRET_KEYS]), SecretBox([newer])
    async with database.session() as session:
        made = await bootstrap(session, "acme", BOX)
    assert await check_secrets(database, both) == []
    with pytest.raises(UnfitServer, match="of tenant acme is sealed"):
        await check_secrets(database, after)
    with pytest.raises(UnfitServer, match="TIL_SECRET_KEYS has no key"):
        await check_secrets(database, SecretBox())
    async with database.session() as session:
        await reencrypt_tenants(session, None, both)
    assert await check_secrets(database, after) == []
    async with database.session() as session:
        tenant = await session.get_one(Tenant, uuid.UUID(made["tenant_id"]))
    assert after.open(tenant.webhook_secret) == made["webhook_secret"]


async def test_the_secrets_of_all_tenants_are_encrypted_again_in_batches(database: Database) -> None:
    async with database.session() as session:
        for number in range(7):
            await bootstrap(session, f"tenant {number}", SecretBox())
    after, rounds = None, 0
    while True:
        async with database.session() as session:
            after = await reencrypt_tenants(session, after, BOX, at_once=3)
        if after is None:
            break
        rounds += 1
    assert rounds == 3
    assert "whsec_" not in await stored(database)


def test_a_sealed_secret_is_refused_when_it_was_changed() -> None:
    sealed = BOX.seal("whsec_x")
    assert BOX.open(sealed) == "whsec_x"
    assert BOX.seal("whsec_x") != sealed
    with pytest.raises(SecretUnreadable):
        BOX.open(sealed[:-8] + "AAAAAAA=")


def test_a_setting_that_is_no_key_is_refused_and_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIL_SECRET_KEYS", f"{SECRET_KEYS}, not-a-key")
    with pytest.raises(ValidationError) as refused:
        SecretSettings()
    assert "not-a-key" not in str(refused.value)
    assert "til-server secret-key" in str(refused.value)
    monkeypatch.setenv("TIL_SECRET_KEYS", f" {SECRET_KEYS} ,{new_sealing_key()},")
    assert SecretSettings().box().open(BOX.seal("whsec_x")) == "whsec_x"
    assert SECRET_KEYS not in repr(SecretSettings())


async def stored(database: Database) -> str:
    """All that the database holds of tenants' secrets."""
    async with database.session() as session:
        found = await session.execute(text("SELECT webhook_secret, previous_secrets::text FROM tenants"))
        return str(found.all())
