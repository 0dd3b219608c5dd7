"""Every function that sends statements, called as the processes call it."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from admin import bootstrap
from base.tables import Job
from capacity import queue_depth, scale, worker_starts
from capacity.model_depth import ModelDepth
from capacity.scaling import ScalingSettings
from jobs import (
    cancel,
    claim,
    expire,
    fence,
    finish,
    give_back,
    idempotency,
    job_state,
    outbox,
    own,
    read,
    replay,
    submit,
    sweep,
    workers,
)
from jobs.fence import Claim
from jobs.read import Filter
from jobs.submission import Submission
from tenants import keys, secrets
from tests.scale.world import World, submission
from tests.stack.sealing import BOX
from webhooks import claim as webhook_claim
from webhooks import deliveries, endpoints, record
from webhooks.concurrency import Destination
from webhooks.retry_schedule import NextAttempt
from webhooks.sender import Attempt

Call = Callable[[AsyncSession, World], Awaitable[Any]]
ERROR = {"code": "engine_failed", "message": "m", "retryable": True}
HOST = "hooks.example.com"
URL = f"https://{HOST}/x"
LONG_AGO, SOON = (datetime.datetime.now(datetime.UTC) + datetime.timedelta(days=days) for days in (-2, 1))


async def submit_many(session: AsyncSession, w: World) -> None:
    """With keys and without, one of them that reuses a result, and a key once more."""
    batch = [submission(w.tenant_id, f"key-{n}", reuse=n % 2 == 0) for n in range(50)]
    await submit.insert_batch(session, batch)
    await submit.insert_batch(session, [submission(w.tenant_id, "key-1"), submission(w.tenant_id)])


async def list_by_each_filter(session: AsyncSession, w: World) -> None:
    """Every combination of the documented filters that finds much, or nothing; and the second page."""
    values = (None, "succeeded", "failed"), (None, "ada/engine", "nope"), (None, "ada", "nobody")
    bounds = [{}, {"created_after": LONG_AGO}, {"created_before": SOON}]
    for (status, repo, username), times in product(product(*values), bounds):
        wanted = Filter(status, repo, username, **times)
        found = await read.page(session, w.tenant_id, wanted, 100, None)
        if found["next_cursor"]:
            await read.page(session, w.tenant_id, wanted, 100, found["next_cursor"])


async def fail_twice(session: AsyncSession, w: World) -> None:
    """A failure of a run whose worker is lost, and a second failure of that job."""
    await finish.fail_lost(session, w.run, ERROR)
    await give_back.rescue(session, [one.claim for one in w.runs[1:]], charged=True)


async def cancel_run(session: AsyncSession, w: World) -> None:
    """Ask, then end."""
    await cancel.cancel(session, w.tenant_id, w.run.job_id)
    await finish.cancel_run(session, w.run)


def keyed(w: World) -> Submission:
    """Under a key."""
    return submission(w.tenant_id, "key-1")


def _try(w: World) -> list[record.RecordedAttempt]:
    return [record.RecordedAttempt(w.due, Attempt(5, status=500), NextAttempt(60))]


def _held(w: World) -> list[Claim]:
    return [one.claim for one in w.runs[1:]]


CALLS: dict[str, Call] = {
    "jobs.claim.claim": lambda s, w: claim.claim(s, w.worker_id, 30),
    "jobs.claim.waiting": lambda s, w: claim.waiting(s, "default", 124),
    "jobs.claim.waiting_models": lambda s, w: claim.waiting_models(s, 124),
    "webhooks.claim.mark_due": lambda s, w: webhook_claim.mark_due(s),
    "webhooks.claim.destinations": lambda s, w: webhook_claim.destinations(s, None, 500, ()),
    "webhooks.claim.claim": lambda s, w: webhook_claim.claim(
        s, {Destination(w.tenant_id, "hooks.example.com"): 64}, 30, 0
    ),
    "webhooks.claim.progress_deliveries": lambda s, w: webhook_claim.progress_deliveries(
        s, {w.run.job_id: {}}, 0
    ),
    "webhooks.endpoints.forget_failures": lambda s, w: endpoints.forget_failures(s, {(w.tenant_id, URL)}),
    "webhooks.endpoints.count_failures": lambda s, w: endpoints.count_failures(s, {(w.tenant_id, URL)}),
    "webhooks.endpoints.end_disabled": lambda s, w: endpoints.end_disabled(s, [w.due.delivery.id]),
    "webhooks.endpoints.forget_old": lambda s, w: endpoints.forget_old(s),
    "webhooks.endpoints.failing": lambda s, w: endpoints.failing(s, w.tenant_id),
    "webhooks.endpoints.enable": lambda s, w: endpoints.enable(s, w.tenant_id, URL),
    "jobs.claim.request_json": lambda s, w: claim.request_json(s, w.run),
    "capacity.queue_depth.measure": lambda s, w: queue_depth.measure(s, ScalingSettings(), 15),
    "capacity.queue_depth.stepped_back_seconds": lambda s, w: queue_depth.stepped_back_seconds(s, 15),
    "capacity.scale.scale": lambda s, w: scale.scale(s, {"default": ModelDepth(1)}, ScalingSettings()),
    "capacity.queue_depth.read": lambda s, w: queue_depth.read(s),
    "jobs.idempotency.forget_old_keys": lambda s, w: idempotency.forget_old_keys(s, [keyed(w)]),
    "jobs.idempotency.replayed": lambda s, w: idempotency.replayed(s, [w.first, keyed(w)]),
    "jobs.idempotency.answered": lambda s, w: idempotency.answered(s, w.done, True),
    "jobs.outbox.enqueue_deliveries": lambda s, w: outbox.enqueue_deliveries(s, [w.run.job_id], "succeeded"),
    "jobs.own.one": lambda s, w: own.one(s, w.tenant_id, w.done, select(Job.id)),
    "jobs.read.show": lambda s, w: read.show(s, w.tenant_id, w.waits.id),
    "jobs.read.history": lambda s, w: read.history(s, w.tenant_id, w.done),
    "jobs.read.latest_delivery": lambda s, w: read.latest_delivery(s, w.done),
    "jobs.read.position": lambda s, w: read.position(s, w.waits),
    "jobs.read.page": list_by_each_filter,
    "webhooks.deliveries.deliveries": lambda s, w: deliveries.deliveries(s, w.tenant_id, w.done),
    "webhooks.deliveries.resend": lambda s, w: deliveries.resend(s, w.tenant_id, w.due.delivery.id),
    "webhooks.deliveries.resend_some": lambda s, w: deliveries.resend_some(
        s, w.tenant_id, LONG_AGO, SOON, "failed", None
    ),
    "jobs.replay.replay": lambda s, w: replay.replay(s, w.tenant_id, w.waits.id, False),
    "jobs.job_state.job_state": lambda s, w: job_state.job_state(s, w.tenant_id, w.done),
    "jobs.job_state.job_states": lambda s, w: job_state.job_states(s, [w.done, w.run.job_id]),
    "jobs.submit.insert_batch": submit_many,
    "jobs.sweep.rescue_one_worker": lambda s, w: sweep.rescue_one_worker(s, 15),
    "jobs.sweep.shorten_leases": lambda s, w: sweep.shorten_leases(s, 15),
    "jobs.sweep.clock_stepped_back": lambda s, w: sweep.clock_stepped_back(s, 3600),
    "jobs.sweep.expire_jobs": lambda s, w: sweep.expire_jobs(s),
    "jobs.sweep.forget_idempotency_keys": lambda s, w: sweep.forget_idempotency_keys(s),
    "tenants.keys.find_caller": lambda s, w: keys.find_caller(s, b"x" * 32),
    "tenants.keys.make_key": lambda s, w: keys.make_key(s, w.tenant_id, ["submit"]),
    "tenants.secrets.rotate_webhook_secret": lambda s, w: secrets.rotate_webhook_secret(
        s, w.tenant_id, 60, BOX
    ),
    "tenants.secrets.reencrypt_tenants": lambda s, w: secrets.reencrypt_tenants(s, None, BOX),
    "admin.bootstrap.bootstrap": lambda s, w: bootstrap.bootstrap(s, "another", BOX),
    "jobs.fence.write_fenced": lambda s, w: fence.write_fenced(s, fence.fence(w.run), {"partial_text": None}),
    "jobs.finish.succeed": lambda s, w: finish.succeed(s, w.run, {"content": "x"}, {}, {}),
    "jobs.finish.fail": lambda s, w: finish.fail(s, w.run, ERROR),
    "jobs.give_back.retry": lambda s, w: give_back.retry(s, w.run, 5),
    "jobs.give_back.release": lambda s, w: give_back.release(s, w.run),
    "jobs.give_back.rescue": fail_twice,
    "jobs.finish.fail_lost": fail_twice,
    "jobs.expire.expire": lambda s, w: expire.expire(s, 500, ERROR),
    "jobs.cancel.cancel": lambda s, w: cancel.cancel(s, w.tenant_id, w.waits.id),
    "jobs.finish.cancel_run": cancel_run,
    "webhooks.record.record": lambda s, w: record.record(s, _try(w)),
    "capacity.worker_starts.begin": lambda s, w: worker_starts.begin(s, uuid.uuid4(), "h", "default"),
    "capacity.worker_starts.forget": lambda s, w: worker_starts.forget(s, uuid.uuid4()),
    "capacity.worker_starts.failed": lambda s, w: worker_starts.failed(s, uuid.uuid4()),
    "capacity.worker_starts.lost": lambda s, w: worker_starts.lost(s, w.worker_id),
    "capacity.worker_starts.forget_old": lambda s, w: worker_starts.forget_old(s),
    "jobs.workers.register": lambda s, w: workers.register(
        s, uuid.uuid4(), "h", 30, "default", "outline", 15
    ),
    "jobs.workers.heartbeat": lambda s, w: workers.heartbeat(
        s, w.worker_id, [c.claim for c in w.runs[1:]], 15, 0
    ),
    "jobs.workers.cancel_requests": lambda s, w: workers.cancel_requests(s, w.worker_id),
    "jobs.workers.drain": lambda s, w: workers.drain(s, w.worker_id),
    "jobs.workers.end_lease": lambda s, w: workers.end_lease(s, w.worker_id),
    "jobs.workers.leave": lambda s, w: workers.leave(s, w.worker_id),
}
