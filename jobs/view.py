"""The JSON of a job, for the API's answers and for webhooks."""

from __future__ import annotations

import datetime
from typing import Any

from base.states import DISABLED, Status
from base.tables import Delivery, Job
from capacity.model_depth import ModelDepth
from capacity.queue_depth import QueueDepth
from capacity.wait import estimate
from til.redaction.summary import MOST, summed

DROPPED_IN_A_LIST = 10


def job_view(
    job: Job,
    delivery: Delivery | None = None,
    position: int | None = None,
    depth: QueueDepth | None = None,
    progress: dict[str, Any] | None = None,
    in_a_list: bool = False,
    in_a_webhook: bool = False,
) -> dict[str, Any]:
    """The JSON of a job. `position` counts from 1; `delivery` is that of its latest event.

    `in_a_list`: without `result.content`, with a few entries of `provenance.dropped`. In a list and in a
    webhook its redactions are summed up by kind.
    """
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
        **_wait(job, position, depth.of(job.model) if depth else None),
        "progress": progress if job.status == Status.RUNNING else None,
        "result": _without_content(job.result) if in_a_list and job.result else job.result,
        "partial_text": job.partial_text,
        "error": job.error,
        "usage": _usage(job),
        "provenance": _few_dropped(job.provenance) if in_a_list else job.provenance,
        "redactions": summed(job.redactions, 0 if in_a_list or in_a_webhook else MOST),
        "webhook": _webhook(job, delivery),
        "metadata": job.job_metadata,
    }


def when(time: datetime.datetime | None) -> str | None:
    """RFC 3339 in UTC, with milliseconds."""
    if time is None:
        return None
    return time.astimezone(datetime.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _wait(job: Job, position: int | None, depth: ModelDepth | None) -> dict[str, Any]:
    if job.status != Status.QUEUED:
        return {"wait": None, "waiting_for": None}
    return {"wait": estimate(position, depth), "waiting_for": _waiting_for(job, depth)}


def _waiting_for(job: Job, depth: ModelDepth | None) -> str:
    if job.not_before is not None:
        return "retry"
    if depth is not None and depth.workers_failing:
        return "worker_failing"
    return "capacity" if depth is None or depth.workers else "cold_start"


def _without_content(result: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in result.items() if name != "content"}


def _few_dropped(provenance: dict[str, Any] | None) -> dict[str, Any] | None:
    dropped = (provenance or {}).get("dropped", ())
    if provenance is None or len(dropped) <= DROPPED_IN_A_LIST:
        return provenance
    return provenance | {"dropped": [*dropped[:DROPPED_IN_A_LIST], "and more"]}


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
