"""Fencing: a write after the claim only happens if the claim still holds; a cancel request changes it.

The functions return conditions and values for UPDATE statements.
"""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, ClassVar

from sqlalchemy import (
    CTE,
    BigInteger,
    ColumnElement,
    Uuid,
    and_,
    case,
    exists,
    func,
    literal,
    null,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.ext.asyncio import AsyncSession

from base.arrays import among
from base.clock import NOW
from base.errors import ClaimLost
from base.states import ENDINGS, Status
from base.tables import Job, Worker
from jobs.outbox import enqueue_deliveries

USAGE_COUNTS = ("prompt_tokens", "cached_tokens", "completion_tokens", "calls")
Usage = dict[str, Any] | None
"""The counts of one run, by the names above; None: not known."""
NO_IDENTITY_MAP = {"synchronize_session": False}
"""Execution option: sessions hold no Job objects here, so SQLAlchemy need not look for changed ones."""


@dataclass(frozen=True)
class Claim:
    """One run of a job. `claim_no` rises with each claim: a write of an earlier run finds no row."""

    job_id: uuid.UUID
    claim_no: int
    worker_id: uuid.UUID


@dataclass(frozen=True)
class Claimed:
    """A claim with what is needed to run it; the request, which may be large, is fetched later.

    `run_seconds` counts from the claim. `waited_seconds`: from submit to the first start. `tokens`: an
    estimate of prompt and answer. `patience_seconds`: until the queue deadline; after it a job whose engine
    takes no calls fails instead of going back to the queue.
    """

    claim: Claim
    webhook_events: tuple[str, ...]
    run_seconds: int
    failures: int
    attempts: int
    waited_seconds: float
    tokens: int = 0
    template: str | None = None
    patience_seconds: float = 0.0

    COLUMNS: ClassVar = (
        Job.id,
        Job.claim_no,
        Job.webhook_events,
        Job.run_seconds,
        Job.failures,
        Job.attempts,
        func.extract("epoch", Job.started_at - Job.created_at).label("waited"),
        Job.tokens,
        Job.template,
        func.extract("epoch", Job.queue_deadline - NOW).label("patience"),
    )

    @classmethod
    def of(cls, row: Any, worker_id: uuid.UUID) -> Claimed:
        """From a row of `COLUMNS` that this worker has claimed."""
        job_id, claim_no, events, run_seconds, failures, attempts, waited, tokens, template, patience = row
        claim = Claim(job_id, claim_no, worker_id)
        return cls(
            claim,
            tuple(events or ()),
            run_seconds,
            failures,
            attempts,
            float(waited),
            tokens,
            template,
            float(patience),
        )


def fence(claim: Claim) -> ColumnElement[bool]:
    """The job is running, and by this claim."""
    return and_(Job.id == claim.job_id, Job.claim_no == claim.claim_no, Job.status == Status.RUNNING)


def fence_any(claims: Sequence[Claim]) -> ColumnElement[bool]:
    """The job is running, and by one of these claims."""
    return and_(
        among(Job.id, [claim.job_id for claim in claims]), Job.status == Status.RUNNING, _is_one_of(claims)
    )


def fence_alive(claim: Claim) -> ColumnElement[bool]:
    """As `fence`, and the worker's lease has not ended."""
    alive = exists().where(Worker.id == Job.worker_id, Worker.lease_expires_at > NOW)
    return and_(fence(claim), Job.worker_id == claim.worker_id, alive)


def fence_asked(claim: Claim) -> ColumnElement[bool]:
    """As `fence_alive`, and a cancel was requested."""
    return and_(fence_alive(claim), Job.cancel_requested_at.is_not(None))


def fence_unknown(worker: CTE, held: Sequence[Claim]) -> ColumnElement[bool]:
    """The job is running on this worker (a row of `id`), but by none of these claims."""
    return and_(Job.worker_id == worker.c.id, Job.status == Status.RUNNING, ~_is_one_of(held))


def _is_one_of(claims: Sequence[Claim]) -> ColumnElement[bool]:
    ids, numbers = [claim.job_id for claim in claims], [claim.claim_no for claim in claims]
    pairs = func.unnest(literal(ids, ARRAY(Uuid)), literal(numbers, ARRAY(BigInteger)))
    known = pairs.table_valued("job_id", "claim_no").render_derived(name="held")
    return exists().where(known.c.job_id == Job.id, known.c.claim_no == Job.claim_no)


def ending(status: Status) -> dict[str, Any]:
    """The values that end a job with this status, or as cancelled if a cancel was committed before."""
    ending = case((Job.cancel_requested_at.is_not(None), Status.CANCELLED.value), else_=status.value)
    return {"status": ending, "finished_at": NOW, "worker_id": None}


def back_to_queue() -> dict[str, Any]:
    """The values that put a job back into the queue, or cancel it if a cancel was committed before."""
    cancelled = Job.cancel_requested_at.is_not(None)
    return {
        "status": case((cancelled, Status.CANCELLED.value), else_=Status.QUEUED.value),
        "finished_at": case((cancelled, NOW)),
        "worker_id": None,
    }


def unless_cancelled(value: dict[str, Any]) -> Any:
    """JSON that a cancelled job does not get."""
    return case((Job.cancel_requested_at.is_(None), literal(value, JSONB)), else_=null())


def if_cancelled(value: str | None) -> Any:
    """Text that only a cancelled job gets."""
    return case((Job.cancel_requested_at.is_not(None), value), else_=null())


def if_queued(value: Any) -> Any:
    """The value if the job goes back to the queue, NULL if it ends as cancelled instead."""
    return case((Job.cancel_requested_at.is_(None), value))


def later(seconds: float) -> Any:
    """`not_before` in so many seconds if the job goes back to the queue, else NULL."""
    return if_queued(NOW + func.make_interval(0, 0, 0, 0, 0, 0, seconds))


def with_usage(usage: Usage) -> Any:
    """The job's usage: the sums over all runs with this one's added, and the length of this run."""
    sums = [
        (name, func.coalesce(Job.usage[name].astext.cast(BigInteger), 0) + (usage or {}).get(name, 0))
        for name in USAGE_COUNTS
    ]
    run = ("run_seconds", func.round(func.extract("epoch", NOW - Job.claimed_at), 3))
    return func.jsonb_build_object(*chain.from_iterable([*sums, run]))


async def write_fenced(
    session: AsyncSession, condition: ColumnElement[bool], values: dict[str, Any]
) -> Status:
    """Write a transition out of `running`. Raises ClaimLost if the condition (a fence) does not hold."""
    statement = update(Job).where(condition).values(values).returning(Job.id, Job.status)
    row = (await session.execute(statement, execution_options=NO_IDENTITY_MAP)).one_or_none()
    if row is None:
        raise ClaimLost
    if row.status in ENDINGS:
        await enqueue_deliveries(session, [row.id], row.status)
    return Status(row.status)
