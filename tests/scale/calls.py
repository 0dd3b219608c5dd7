"""Every function that sends statements, called as the processes call it."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Awaitable, Callable
from itertools import product
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from jobs import (
    claim,
    deliver,
    endpoints,
    fetch,
    figures,
    idempotency,
    outbox,
    read,
    receipts,
    replay,
    standing,
    submit,
    sweep,
    tenants,
    transitions,
    tried,
    workers,
)
from jobs.lanes import Lane
from jobs.read import Filter
from jobs.redeliver import Again
from jobs.submission import Submission
from jobs.webhook import Attempt
from tests.scale.world import World, submission

Call = Callable[[AsyncSession, World], Awaitable[Any]]
ERROR = {"code": "engine_failed", "message": "m", "retryable": True}
URL = "https://hooks.example.com/x"
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
    """The second of the same job of a dead worker."""
    await transitions.fail_lost(session, w.run, ERROR)
    await transitions.rescue(session, [one.claim for one in w.runs[1:]], charged=True)


async def cancel_run(session: AsyncSession, w: World) -> None:
    """Ask, then end."""
    await transitions.cancel(session, w.tenant_id, w.run.job_id)
    await transitions.cancel_run(session, w.run)


def keyed(w: World) -> Submission:
    """Under a key."""
    return submission(w.tenant_id, "key-1")


def _try(w: World) -> list[tried.Tried]:
    return [tried.Tried(w.due, Attempt(5, status=500), Again(60))]


CALLS: dict[str, Call] = {
    "claim.claim": lambda s, w: claim.claim(s, w.worker_id, 30),
    "claim.waiting": lambda s, w: claim.waiting(s, "default", 124),
    "claim.waiting_models": lambda s, w: claim.waiting_models(s, 124),
    "deliver.fall_due": lambda s, w: deliver.fall_due(s),
    "deliver.lanes": lambda s, w: deliver.lanes(s, None, 500, ()),
    "deliver.claim": lambda s, w: deliver.claim(s, {Lane(w.tenant_id, "hooks.example.com"): 64}, 30, 0),
    "deliver.progress_of": lambda s, w: deliver.progress_of(s, {w.run.job_id: {}}, 0),
    "endpoints.succeeded": lambda s, w: endpoints.succeeded(s, {(w.tenant_id, URL)}),
    "endpoints.failed": lambda s, w: endpoints.failed(s, {(w.tenant_id, URL)}),
    "endpoints.end_disabled": lambda s, w: endpoints.end_disabled(s, [w.due.delivery.id]),
    "endpoints.forget_old": lambda s, w: endpoints.forget_old(s),
    "endpoints.failing": lambda s, w: endpoints.failing(s, w.tenant_id),
    "endpoints.enable": lambda s, w: endpoints.enable(s, w.tenant_id, URL),
    "fetch.request_json": lambda s, w: fetch.request_json(s, w.run),
    "figures.measure": lambda s, w: figures.measure(s, 30, 15),
    "figures.stepped_back_seconds": lambda s, w: figures.stepped_back_seconds(s, 15),
    "figures.read": lambda s, w: figures.read(s),
    "idempotency.forget_old_keys": lambda s, w: idempotency.forget_old_keys(s, [keyed(w)]),
    "idempotency.replayed": lambda s, w: idempotency.replayed(s, w.first, w.first.row),
    "idempotency.answered": lambda s, w: idempotency.answered(s, w.done, True),
    "outbox.post_events": lambda s, w: outbox.post_events(s, [w.run.job_id], "succeeded"),
    "read.show": lambda s, w: read.show(s, w.tenant_id, w.waits.id),
    "read.history": lambda s, w: read.history(s, w.tenant_id, w.done),
    "read.latest_delivery": lambda s, w: read.latest_delivery(s, w.done),
    "read.position": lambda s, w: read.position(s, w.waits),
    "read.ended": lambda s, w: read.ended(s, [w.done, w.run.job_id]),
    "read.page": list_by_each_filter,
    "receipts.deliveries": lambda s, w: receipts.deliveries(s, w.tenant_id, w.done),
    "receipts.resend": lambda s, w: receipts.resend(s, w.tenant_id, w.due.delivery.id),
    "receipts.resend_some": lambda s, w: receipts.resend_some(s, w.tenant_id, LONG_AGO, SOON, "failed", None),
    "replay.replay": lambda s, w: replay.replay(s, w.tenant_id, w.waits.id, False),
    "standing.standing": lambda s, w: standing.standing(s, w.tenant_id, w.done),
    "standing.standings": lambda s, w: standing.standings(s, [w.done, w.run.job_id]),
    "submit.insert_batch": submit_many,
    "sweep.rescue_one_worker": lambda s, w: sweep.rescue_one_worker(s, 15),
    "sweep.shorten_leases": lambda s, w: sweep.shorten_leases(s, 15),
    "sweep.clock_stepped_back": lambda s, w: sweep.clock_stepped_back(s, 3600),
    "sweep.expire_jobs": lambda s, w: sweep.expire_jobs(s),
    "sweep.forget_idempotency_keys": lambda s, w: sweep.forget_idempotency_keys(s),
    "tenants.find_caller": lambda s, w: tenants.find_caller(s, b"x" * 32),
    "tenants.make_key": lambda s, w: tenants.make_key(s, w.tenant_id, ["submit"]),
    "tenants.rotate_webhook_secret": lambda s, w: tenants.rotate_webhook_secret(s, w.tenant_id, 60),
    "tenants.bootstrap": lambda s, w: tenants.bootstrap(s, "another"),
    "transitions.start": lambda s, w: transitions.start(s, [w.waits.id], w.worker_id),
    "transitions.succeed": lambda s, w: transitions.succeed(s, w.run, {"content": "x"}, {}, {}),
    "transitions.fail": lambda s, w: transitions.fail(s, w.run, ERROR),
    "transitions.retry": lambda s, w: transitions.retry(s, w.run, 5),
    "transitions.release": lambda s, w: transitions.release(s, w.run),
    "transitions.rescue": fail_twice,
    "transitions.fail_lost": fail_twice,
    "transitions.expire": lambda s, w: transitions.expire(s, 500, ERROR),
    "transitions.cancel": lambda s, w: transitions.cancel(s, w.tenant_id, w.waits.id),
    "transitions.cancel_run": cancel_run,
    "tried.record": lambda s, w: tried.record(s, _try(w)),
    "workers.register": lambda s, w: workers.register(s, uuid.uuid4(), "h", 30, "default", "outline", 15),
    "workers.heartbeat": lambda s, w: workers.heartbeat(s, w.worker_id, [c.claim for c in w.runs[1:]], 15, 0),
    "workers.asked_to_stop": lambda s, w: workers.asked_to_stop(s, w.worker_id),
    "workers.drain": lambda s, w: workers.drain(s, w.worker_id),
    "workers.give_up": lambda s, w: workers.give_up(s, w.worker_id),
    "workers.leave": lambda s, w: workers.leave(s, w.worker_id),
}
