"""replay: a new job with an old one's request, with the old seed and prompt template or with today's."""

from __future__ import annotations

import uuid
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from base.errors import NotFinished, RequestErased
from base.states import ENDINGS
from base.tables import Job
from jobs import own
from jobs.submission import Submission
from til.request import TilRequest


async def replay(session: AsyncSession, tenant_id: uuid.UUID, job_id: uuid.UUID, same: bool) -> Submission:
    """The job to submit. `same`: with the old one's seed, temperature and prompt template, so that the same
    engine writes the same text; else the old request as it was, with today's template.

    Raises NoSuchJob (also for another tenant's), RequestErased, and, with `same`, NotFinished: the seed of a
    job that has not ended is not known yet.
    """
    (job,) = await own.one(session, tenant_id, job_id, select(Job))
    if job.request is None:
        raise RequestErased
    if same and job.status not in ENDINGS:
        raise NotFinished
    provenance: dict[str, Any] = (job.provenance if same else None) or {}
    request = TilRequest.model_validate(job.request, extra="ignore")
    sampling: dict[str, Any] = {
        name: provenance[name] for name in ("seed", "temperature") if name in provenance
    }
    options = request.options.model_copy(update=sampling)
    return Submission(
        tenant_id,
        request.model_copy(update={"reuse": False, "options": options}),
        job.model,
        template=provenance.get("prompt_digest"),
        replay_of=job.id,
        redactions=job.redactions,
    )
