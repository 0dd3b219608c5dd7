"""The cache of keys, valid and unknown ones."""

from __future__ import annotations

import uuid

from api.auth import CACHED_KEYS, UNKNOWN_CACHE_SECONDS, Keys
from base.database import Database
from base.tables import ApiKey
from tenants.keys import key_hash
from tests.scale.explain import recorded


async def test_an_unknown_key_costs_one_query_in_a_while(database: Database) -> None:
    now = 0.0
    keys = Keys(database, lambda: now)
    with recorded(database.engine) as sent:
        assert [await keys.caller("til_wrong") for _ in range(20)] == [None] * 20
        assert await keys.caller("til_other") is None
    assert len(sent) == 2


async def test_a_key_that_was_used_before_it_was_made_works_soon(
    database: Database, tenant_id: uuid.UUID
) -> None:
    now = 0.0
    keys = Keys(database, lambda: now)
    assert await keys.caller("til_early") is None
    async with database.session() as session:
        session.add(ApiKey(hash=key_hash("til_early"), tenant_id=tenant_id, scopes=["submit"]))
    now = UNKNOWN_CACHE_SECONDS
    found = await keys.caller("til_early")
    assert found is not None
    assert found.tenant_id == tenant_id
    with recorded(database.engine) as sent:
        assert await keys.caller("til_early") == found
    assert not sent


async def test_many_wrong_keys_take_bounded_memory_and_evict_no_valid_one(
    database: Database, tenant_id: uuid.UUID
) -> None:
    keys = Keys(database, lambda: 0.0)
    async with database.session() as session:
        session.add(ApiKey(hash=key_hash("til_right"), tenant_id=tenant_id, scopes=["submit"]))
    assert await keys.caller("til_right")
    for number in range(CACHED_KEYS + 10):
        keys._unknown.keep(key_hash(str(number)), None, 0.0)
    assert len(keys._unknown._found) == CACHED_KEYS
    with recorded(database.engine) as sent:
        assert await keys.caller("til_right")
    assert not sent
