"""finish: running -> succeeded, failed or cancelled, by the holder of the claim."""

from __future__ import annotations

from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from base.states import Status
from base.tables import Job
from jobs.fence import (
    Claim,
    Usage,
    ending,
    fence,
    fence_alive,
    fence_asked,
    if_cancelled,
    unless_cancelled,
    with_usage,
    write_fenced,
)


async def succeed(
    session: AsyncSession,
    claim: Claim,
    result: dict[str, Any],
    usage: dict[str, Any],
    provenance: dict[str, Any],
) -> Status:
    """running -> succeeded, or cancelled if a cancel was committed first. Raises ClaimLost."""
    return await _end(
        session,
        claim,
        Status.SUCCEEDED,
        result=unless_cancelled(result),
        usage=with_usage(usage),
        provenance=provenance,
        partial_text=if_cancelled(result.get("content")),
    )


async def fail(
    session: AsyncSession,
    claim: Claim,
    error: dict[str, Any],
    partial_text: str | None = None,
    usage: Usage = None,
) -> Status:
    """running -> failed, or cancelled if a cancel was committed first. Raises ClaimLost."""
    return await _end(
        session,
        claim,
        Status.FAILED,
        error=unless_cancelled(error),
        partial_text=partial_text,
        failures=Job.failures + 1,
        usage=with_usage(usage),
    )


async def cancel_run(
    session: AsyncSession, claim: Claim, partial_text: str | None = None, usage: Usage = None
) -> None:
    """running -> cancelled, once the worker has stopped the run after a cancel request. Raises ClaimLost."""
    values = ending(Status.CANCELLED) | {"partial_text": partial_text, "usage": with_usage(usage)}
    await write_fenced(session, fence_asked(claim), values)


async def fail_lost(session: AsyncSession, claim: Claim, error: dict[str, Any]) -> None:
    """running -> failed, by the steward, for a suspect whose worker is lost again. Raises ClaimLost."""
    values = ending(Status.FAILED) | {"error": unless_cancelled(error), "losses": Job.losses + 1}
    await write_fenced(session, fence(claim), values)


async def _end(session: AsyncSession, claim: Claim, status: Status, **values: Any) -> Status:
    return await write_fenced(session, fence_alive(claim), ending(status) | values)
