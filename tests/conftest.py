"""Real servers for every test: one PostgreSQL and one Valkey a run, a clone of a migrated database a test."""

from __future__ import annotations

import asyncio
import platform
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import asyncpg
import pytest
from redis import Redis
from sqlalchemy.engine import make_url

from admin.bootstrap import bootstrap
from admin.migrate import migrate
from base.database import API, Database
from deploy.local.postgres import PostgresServer
from deploy.local.valkey import ValkeyServer
from tests.stack.database import plain_url
from tests.stack.jobs import Jobs
from tests.stack.processes import Stack
from tests.stack.proxy import Proxy, to_postgres
from tests.stack.receiver import Receiver
from tests.stack.sealing import BOX

LINUX_X86_64 = platform.system() == "Linux" and platform.machine() == "x86_64"
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the platform, which decides which tests are run."""
    here = f"{platform.system()} {platform.machine()}"
    vllm = "by `make vllm`" if LINUX_X86_64 else "on Linux x86-64 only"
    terminalreporter.write_line(f"{here}, Python {platform.python_version()}; the real vLLM is tested {vllm}")


@pytest.fixture(scope="session")
def servers() -> Iterator[Path]:
    """A folder for the servers' data; pytest's own are removed by other runs of pytest on this machine."""
    with tempfile.TemporaryDirectory(prefix="til-tests-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def server_folder(servers: Path) -> Path:
    """A folder for a server of one test's own."""
    return Path(tempfile.mkdtemp(dir=servers))


@pytest.fixture(scope="session")
def postgres(servers: Path) -> Iterator[PostgresServer]:
    """The PostgreSQL server of this test run."""
    folder = servers / "postgres"
    server = PostgresServer(folder / "data", FAST, folder / "log")
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey(servers: Path) -> Iterator[ValkeyServer]:
    """The Valkey server of this test run."""
    folder = servers / "valkey"
    server = ValkeyServer(folder / "data", folder / "log")
    server.start()
    yield server
    server.stop()


async def execute(url: str, statement: str) -> None:
    """Run one statement outside any transaction."""
    connection = await asyncpg.connect(plain_url(url))
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


def renamed(url: str, database: str) -> str:
    """The address of another database on the same server."""
    return make_url(url).set(database=database).render_as_string(hide_password=False)


@pytest.fixture(scope="session")
def template(postgres: PostgresServer) -> str:
    """The name of a migrated database that nobody is connected to."""

    async def make() -> None:
        await execute(postgres.url, "CREATE DATABASE til_template")
        await migrate(renamed(postgres.url, "til_template"))

    asyncio.run(make())
    return "til_template"


@pytest.fixture
def database_url(postgres: PostgresServer, template: str) -> Iterator[str]:
    """A migrated database of this test's own."""
    name = f"test_{uuid.uuid4().hex}"
    asyncio.run(execute(postgres.url, f"CREATE DATABASE {name} TEMPLATE {template}"))
    yield renamed(postgres.url, name)
    asyncio.run(execute(postgres.url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
def proxy(postgres: PostgresServer) -> Iterator[Proxy]:
    """On the way to this run's PostgreSQL."""
    made = Proxy(to_postgres(postgres.url))
    yield made
    made.close()


@pytest.fixture
def proxied_url(database_url: str, proxy: Proxy) -> str:
    """This test's database through the proxy."""
    return proxy.to(database_url)


@pytest.fixture
def redis_url(valkey: ValkeyServer) -> str:
    """The run's Valkey, emptied."""
    with Redis.from_url(valkey.url) as client:
        client.flushall()
    return valkey.url


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A pool of connections to this test's database."""
    pool = Database(database_url, API)
    yield pool
    await pool.close()


@pytest.fixture
async def tenant_id(database: Database) -> uuid.UUID:
    """A tenant."""
    async with database.session() as session:
        return uuid.UUID((await bootstrap(session, "tests", BOX))["tenant_id"])


@pytest.fixture
def stack(database_url: str, redis_url: str, tmp_path: Path) -> Iterator[Stack]:
    """Real api, worker and steward processes, started by the test that needs them."""
    processes = Stack(database_url, redis_url, tmp_path)
    yield processes
    processes.stop()


@pytest.fixture
def jobs(stack: Stack) -> Iterator[Jobs]:
    """The jobs of a stack whose api has been started."""
    stack.api()
    with stack.client() as client:
        yield Jobs(client)


@pytest.fixture
def receiver(stack: Stack) -> Iterator[Receiver]:
    """A consumer that verifies what the stack's tenant is sent."""
    server = Receiver(stack.keys["webhook_secret"])
    yield server
    server.close()
