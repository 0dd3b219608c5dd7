"""A server that can't be used stops a process with one sentence; an unreachable one is waited for."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator

import pytest
from redis import Redis
from sqlalchemy.engine import make_url

from admin.migrate import migrate
from base.database import API, Database
from base.errors import DatabaseUnavailable, NotMigrated, UnfitServer
from base.preflight import newest_revision, postgres
from deploy.local.postgres import PostgresServer
from deploy.local.valkey import ValkeyServer, free_port
from signals.preflight import redis
from signals.servers import check_servers
from tests.conftest import execute, renamed

DOCUMENTED = "~til* ~_kombu* ~unacked* ~*.pidbox allchannels +@all -@admin -@dangerous +info"


async def notes(url: str) -> list[str]:
    pool = Database(url, API)
    try:
        return await postgres(pool)
    finally:
        await pool.close()


@pytest.fixture
def ascii_url(postgres: PostgresServer) -> Iterator[str]:
    """A database as initdb makes them in a C locale."""
    name = f"ascii_{uuid.uuid4().hex}"
    encoding = "ENCODING 'SQL_ASCII' TEMPLATE template0 LOCALE_PROVIDER libc LOCALE 'C'"
    asyncio.run(execute(postgres.url, f"CREATE DATABASE {name} {encoding}"))
    yield renamed(postgres.url, name)
    asyncio.run(execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)"))


def run(module: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a process to its end."""
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"TIL_ENGINE": "outline", "TIL_API_PORT": str(free_port())} | environment,
    )


def test_migrate_refuses_a_database_that_can_not_keep_every_text(ascii_url: str) -> None:
    done = run("admin", "migrate", DATABASE_URL=ascii_url)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "SQL_ASCII" in done.stderr
    assert "ENCODING 'UTF8'" in done.stderr


@pytest.mark.parametrize("module", ["api", "worker", "steward"])
def test_no_process_starts_on_a_database_that_can_not_keep_every_text(
    ascii_url: str, redis_url: str, module: str
) -> None:
    done = run(module, DATABASE_URL=ascii_url, REDIS_URL=redis_url)
    assert done.returncode == 1
    assert "ENCODING 'UTF8'" in done.stdout + done.stderr
    assert "Traceback" not in done.stdout + done.stderr


async def test_a_migrated_database_is_fit_and_unsafe_settings_are_warned_of(database_url: str) -> None:
    (note,) = await notes(database_url)
    assert note.startswith("fsync=off, full_page_writes=off, synchronous_commit=off")


async def test_an_older_revision_is_refused_and_a_newer_one_used(database_url: str) -> None:
    await execute(database_url, "UPDATE alembic_version SET version_num = '9999'")
    await notes(database_url)
    await execute(database_url, "UPDATE alembic_version SET version_num = '0001'")
    with pytest.raises(NotMigrated, match="run `til-server migrate`"):
        await notes(database_url)
    assert newest_revision() > "0007"


@pytest.fixture
def restricted_url(postgres: PostgresServer, database_url: str) -> Iterator[str]:
    """The address of a role with no rights at all."""
    role = f"role_{uuid.uuid4().hex}"
    asyncio.run(execute(postgres.url, f"CREATE ROLE {role} LOGIN"))
    yield make_url(database_url).set(username=role).render_as_string(hide_password=False)
    for statement in (f"DROP OWNED BY {role}", f"DROP ROLE {role}"):
        asyncio.run(execute(database_url, statement))


async def test_a_missing_right_is_named_with_the_grant_that_adds_it(
    database_url: str, restricted_url: str
) -> None:
    role = make_url(restricted_url).username
    await execute(database_url, f"GRANT SELECT, UPDATE ON ALL TABLES IN SCHEMA public TO {role}")
    with pytest.raises(UnfitServer, match="lacks INSERT on") as raised:
        await notes(restricted_url)
    await execute(database_url, str(raised.value).rpartition(": ")[2])
    await notes(restricted_url)


async def test_a_role_that_sees_no_tables_is_told_so(database_url: str, restricted_url: str) -> None:
    role = make_url(restricted_url).username
    await execute(database_url, "REVOKE USAGE ON SCHEMA public FROM PUBLIC")
    with pytest.raises(UnfitServer, match="GRANT USAGE ON SCHEMA public"):
        await notes(restricted_url)
    with pytest.raises(UnfitServer, match=f"GRANT USAGE, CREATE ON SCHEMA public TO {role}"):
        await migrate(restricted_url)


async def test_a_database_that_is_read_only_is_waited_for(database_url: str, redis_url: str) -> None:
    name = make_url(database_url).database
    await execute(database_url, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(DatabaseUnavailable, match="read-only"):
        await notes(database_url)
    pool = Database(database_url, API)
    await check_servers(pool, redis_url)
    await pool.close()


async def test_servers_that_are_away_are_waited_for() -> None:
    pool = Database(f"postgresql://til@127.0.0.1:{free_port()}/til", API)
    await check_servers(pool, f"redis://127.0.0.1:{free_port()}/0")
    await pool.close()


async def test_redis_is_fit_as_it_is_made_here(redis_url: str) -> None:
    assert await redis(redis_url) == []


@pytest.fixture
def own_valkey(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    """A Valkey whose configuration and users this test may change."""
    folder = tmp_path_factory.mktemp("valkey")
    server = ValkeyServer(folder / "data", folder / "log")
    server.start()
    yield server
    server.stop()


async def test_an_eviction_policy_that_drops_doorbells_is_warned_of(own_valkey: ValkeyServer) -> None:
    with Redis.from_url(own_valkey.url) as client:
        client.config_set("maxmemory-policy", "allkeys-lru")
    (note,) = await redis(own_valkey.url)
    assert "CONFIG SET maxmemory-policy volatile-ttl" in note


def as_user(server: ValkeyServer, rights: str) -> str:
    """The address of a user with these rights."""
    with Redis.from_url(server.url) as client:
        client.execute_command("ACL", "SETUSER", "til", "reset", "on", ">secret", *rights.split())
    return f"redis://til:secret@127.0.0.1:{server.port}/0"


@pytest.mark.parametrize(
    ("rights", "named"),
    [
        ("~* allchannels +@all -brpop", "BRPOP til.default"),
        ("~* allchannels +@all -multi", "MULTI"),
        ("~* +@all resetchannels &nothing", "PUBLISH til:ended"),
        ("~til:* allchannels +@all", "LLEN til.default"),
        ("~* allchannels +@read +@connection +@transaction", "XADD til:text:x"),
        ("", "MULTI"),
    ],
)
async def test_a_command_that_the_redis_user_may_not_use_is_named(
    own_valkey: ValkeyServer, rights: str, named: str
) -> None:
    with pytest.raises(UnfitServer, match="ACL SETUSER") as raised:
        await redis(as_user(own_valkey, rights))
    assert named in str(raised.value)


async def test_the_documented_redis_rights_are_enough_and_the_check_changes_nothing(
    own_valkey: ValkeyServer,
) -> None:
    assert await redis(as_user(own_valkey, DOCUMENTED)) == []
    with Redis.from_url(own_valkey.url) as client:
        assert client.keys("*") == []


async def test_a_redis_that_hides_its_version_is_used(own_valkey: ValkeyServer) -> None:
    (note,) = await redis(as_user(own_valkey, "~* allchannels +@all -@dangerous"))
    assert "volatile-ttl" in note


async def test_a_wrong_redis_password_is_one_sentence(own_valkey: ValkeyServer) -> None:
    as_user(own_valkey, "~* allchannels +@all")
    for user in ("til:wrong@", "", ":wrong@"):
        with pytest.raises(UnfitServer, match="REDIS_URL"):
            await redis(f"redis://{user}127.0.0.1:{own_valkey.port}/0")


def test_migrate_checks_redis_if_its_address_is_set(database_url: str, own_valkey: ValkeyServer) -> None:
    done = run("admin", "migrate", DATABASE_URL=database_url, REDIS_URL=own_valkey.url)
    assert (done.returncode, done.stderr) == (0, "")
    limited = as_user(own_valkey, "~* allchannels +@read")
    done = run("admin", "migrate", DATABASE_URL=database_url, REDIS_URL=limited)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "ACL SETUSER" in done.stderr
