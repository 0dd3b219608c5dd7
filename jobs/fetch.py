"""fetch: the request of a claimed job, outside the claim's transaction."""

from __future__ import annotations

from sqlalchemy import Text, cast, select
from sqlalchemy.ext.asyncio import AsyncSession

from jobs.errors import ClaimLost
from jobs.fence import Claim, fence
from jobs.tables import Job


async def request_json(session: AsyncSession, claim: Claim) -> str:
    """The request as JSON text, "" if it isn't stored any more. Raises ClaimLost."""
    rows = (await session.execute(select(cast(Job.request, Text)).where(fence(claim)))).all()
    if not rows:
        raise ClaimLost
    return rows[0][0] or ""
