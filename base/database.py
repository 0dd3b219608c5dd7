"""Connections to PostgreSQL, with limits for each kind of process: a frozen one must not block others."""

from __future__ import annotations

import asyncio
import json
import weakref
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass

import asyncpg
from sqlalchemy import event, text
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_sessionmaker, create_async_engine

from base.errors import BadDatabaseUrl, DatabaseUnavailable, LockTimeout, NotMigrated, UnsupportedDatabase

OLDEST_SERVER = 170_000
"""`transaction_timeout` came with PostgreSQL 17."""


PERMANENT = ("21", "22", "23", "44", "P0", "TQ")
"""Classes of SQLSTATEs (PostgreSQL, appendix A) that refuse a statement for its values, so that a retry fails
too: cardinality, data, constraints, RAISE, and the triggers of our tables (TQ). Every other error may be gone
at the next attempt: a standby, a restore, a column that a migration is about to add."""
LOCK_NOT_AVAILABLE = "55P03"
UNAVAILABLE = (
    OSError,
    TimeoutError,
    PoolTimeout,
    asyncpg.PostgresError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,
)
"""Errors that SQLAlchemy does not wrap; asyncpg's own are among them while a connection is made."""


@dataclass(frozen=True)
class Role:
    """What one kind of process may do to the database. Times in seconds."""

    name: str
    connections: int
    transaction_seconds: float
    idle_in_transaction_seconds: float
    lock_seconds: float

    def server_settings(self) -> dict[str, str]:
        """The session settings that PostgreSQL itself enforces.

        Custom plans always: a generic plan can't use a partial index, such as that of the queued jobs.
        """
        return {
            "application_name": f"til-{self.name}",
            "transaction_timeout": f"{int(self.transaction_seconds * 1000)}ms",
            "idle_in_transaction_session_timeout": f"{int(self.idle_in_transaction_seconds * 1000)}ms",
            "lock_timeout": f"{int(self.lock_seconds * 1000)}ms",
            "tcp_user_timeout": "10s",
            "tcp_keepalives_idle": "10s",
            "timezone": "UTC",
            "default_transaction_isolation": "read committed",
            "jit": "off",
            "plan_cache_mode": "force_custom_plan",
        }


API = Role("api", 10, transaction_seconds=8, idle_in_transaction_seconds=3, lock_seconds=2)
WORKER = Role("worker", 6, transaction_seconds=4, idle_in_transaction_seconds=3, lock_seconds=2)
STEWARD = Role("steward", 3, transaction_seconds=8, idle_in_transaction_seconds=3, lock_seconds=2)
DELIVERER = Role("deliverer", 5, transaction_seconds=8, idle_in_transaction_seconds=3, lock_seconds=2)
ADMIN = Role("admin", 2, transaction_seconds=600, idle_in_transaction_seconds=60, lock_seconds=10)


class Database:
    """A pool of connections for one role. `url` is `postgresql://...`; the driver is asyncpg.

    The server ends a transaction after the role's `transaction_seconds`. If a second later no error has
    arrived, the network is taken for broken: every connection is dropped, and new ones are made.
    """

    def __init__(self, url: str, role: Role) -> None:
        self.engine: AsyncEngine = create_async_engine(
            asyncpg_url(url),
            pool_size=role.connections,
            max_overflow=0,
            pool_timeout=5,
            pool_recycle=1800,
            pool_use_lifo=True,
            hide_parameters=True,
            json_serializer=as_json,
            connect_args={"server_settings": role.server_settings(), "timeout": 5},
        )
        self._limit_seconds = role.transaction_seconds + 1
        self._sessions = async_sessionmaker(self.engine, expire_on_commit=False)
        self._open: weakref.WeakSet[asyncpg.Connection] = weakref.WeakSet()
        event.listen(self.engine.sync_engine, "connect", self._opened)

    def _opened(self, connection: DBAPIConnection, _: object) -> None:
        self._open.add(connection.driver_connection)

    @asynccontextmanager
    async def session(self, limit_seconds: float | None = None) -> AsyncIterator[AsyncSession]:
        """One transaction: committed at the end of the block. Raises DatabaseUnavailable."""
        with unavailable_is_one_error():
            try:
                async with asyncio.timeout(limit_seconds or self._limit_seconds) as limit:
                    async with self._sessions() as session, session.begin():
                        yield session
            finally:
                if limit.expired():
                    await self._drop_all()

    async def _drop_all(self) -> None:
        await self.engine.dispose(close=False)
        for connection in list(self._open):
            connection.terminate()

    async def check(self) -> None:
        """Raise UnsupportedDatabase, NotMigrated or DatabaseUnavailable unless it can be used."""
        async with self.session() as session:
            version = int((await session.execute(text("SHOW server_version_num"))).scalar_one())
            if version < OLDEST_SERVER:
                raise UnsupportedDatabase
            if (await session.execute(text("SELECT to_regclass('jobs')"))).scalar_one() is None:
                raise NotMigrated

    async def close(self) -> None:
        """Close every connection."""
        await self.engine.dispose()


class JsonText(str):
    """A text that is JSON already: stored as it is."""


def as_json(value: object) -> str:
    """The value as the text of a JSON column."""
    return value if isinstance(value, JsonText) else json.dumps(value)


def asyncpg_url(url: str) -> str:
    """The URL with asyncpg as its driver. Raises BadDatabaseUrl."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise BadDatabaseUrl from error
    return parsed.set(drivername="postgresql+asyncpg").render_as_string(hide_password=False)


@contextmanager
def unavailable_is_one_error() -> Iterator[None]:
    """Turn every error by which a database is unavailable into DatabaseUnavailable."""
    try:
        yield
    except UNAVAILABLE as error:
        raise DatabaseUnavailable from error
    except DBAPIError as error:
        if sqlstate(error) == LOCK_NOT_AVAILABLE:
            raise LockTimeout from error
        if not error.connection_invalidated and sqlstate(error).startswith(PERMANENT):
            raise
        raise DatabaseUnavailable from error


def sqlstate(error: DBAPIError) -> str:
    """PostgreSQL's five-character error code, or an empty string."""
    return str(getattr(error.orig, "sqlstate", None) or "")
