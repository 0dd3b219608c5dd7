"""A job as the contract shows it: to a reader of the API and, the same, to a webhook's consumer."""

from __future__ import annotations

import datetime
import math
from typing import Any

from jobs.endpoints import DISABLED
from jobs.figures import Figures
from jobs.states import Status
from jobs.tables import Delivery, Job


def job_view(
    job: Job,
    delivery: Delivery | None = None,
    position: int | None = None,
    figures: Figures | None = None,
    progress: dict[str, Any] | None = None,
    with_content: bool = True,
) -> dict[str, Any]:
    """The JSON of a job. `position` counts from 1; `delivery` is that of its latest event."""
    queued = job.status == Status.QUEUED
    return {
        "id": str(job.id),
        "status": job.status,
        "username": job.username,
        "date": job.date.isoformat(),
        "repo": job.repo,
        "language": job.language,
        "model": job.model,
        "priority": job.priority,
        "batch_id": None,
        "reused": job.reused,
        **{name: when(getattr(job, name)) for name in ("created_at", "started_at", "finished_at")},
        "attempts": job.attempts,
        "retry_of": str(job.retry_of) if job.retry_of else None,
        "replay_of": str(job.replay_of) if job.replay_of else None,
        "cancel_requested": job.cancel_requested_at is not None,
        "position": position,
        "wait": estimate(position, figures) if queued else None,
        "waiting_for": _waiting_for(job, figures) if queued else None,
        "progress": progress if job.status == Status.RUNNING else None,
        "result": job.result if with_content or not job.result else _without_content(job.result),
        "partial_text": job.partial_text,
        "error": job.error,
        "usage": _usage(job),
        "provenance": job.provenance,
        "redactions": job.redactions,
        "webhook": _webhook(job, delivery),
        "metadata": job.job_metadata,
    }


def when(time: datetime.datetime | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds."""
    if time is None:
        return None
    return time.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def estimate(position: int | None, figures: Figures | None) -> dict[str, int] | None:
    """Seconds until this place is served: rounds of all slots times the mean run. None: unknown."""
    if position is None or figures is None or not figures.slots or figures.mean_run_seconds is None:
        return None
    free = max(0, figures.slots - figures.running)
    rounds = math.ceil(max(0, position - free) / figures.slots)
    mean = figures.mean_run_seconds
    low, high = math.floor(rounds * mean * 0.5), math.ceil((rounds + 1) * mean * 1.5)
    return {"low_seconds": low, "high_seconds": high}


def _waiting_for(job: Job, figures: Figures | None) -> str:
    if job.not_before is not None:
        return "retry"
    return "capacity" if figures is None or figures.workers else "cold_start"


def _without_content(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "content"}


def _usage(job: Job) -> dict[str, Any] | None:
    if job.usage is None:
        return None
    waited = (job.started_at - job.created_at).total_seconds() if job.started_at else 0.0
    empty = {"prompt_tokens": 0, "cached_tokens": 0, "completion_tokens": 0, "calls": 0, "run_seconds": 0.0}
    return empty | job.usage | {"queue_seconds": round(max(0.0, waited), 3)}


def _webhook(job: Job, delivery: Delivery | None) -> dict[str, Any] | None:
    if job.webhook_url is None:
        return None
    state = delivery.state if delivery else "none"
    last_error = delivery.last_error if delivery else None
    return {
        "url": job.webhook_url,
        "state": state,
        "attempts": delivery.attempts if delivery else 0,
        "last_status": delivery.last_status if delivery else None,
        "last_error": DISABLED if job.webhook_disabled and state != "delivered" else last_error,
        "next_attempt_at": when(delivery.next_attempt_at) if delivery else None,
    }
