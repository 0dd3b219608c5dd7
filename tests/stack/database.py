"""The database of a stack: its address, and looks into it, each over a connection of its own."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from sqlalchemy import text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncSession

from base.database import ADMIN, Database

OPEN = text("""
SELECT (SELECT count(*) FROM jobs WHERE finished_at IS NULL)
     + (SELECT count(*) FROM deliveries WHERE state = 'pending')
""")


def plain_url(url: str) -> str:
    """The same address without SQLAlchemy's driver in it, as drivers themselves take it."""
    return make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)


@asynccontextmanager
async def transaction(url: str) -> AsyncIterator[AsyncSession]:
    """A transaction on the database at this address."""
    pool = Database(url, ADMIN)
    try:
        async with pool.session() as session:
            yield session
    finally:
        await pool.close()


async def still_open(url: str) -> int:
    """Jobs that have not ended, and webhooks that have not been delivered."""
    async with transaction(url) as session:
        return int((await session.execute(OPEN)).scalar_one())
