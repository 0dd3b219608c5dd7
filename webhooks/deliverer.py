"""The steward's delivery of webhooks: many at once, a few for each lane, recorded many at a time."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import random
import time
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import structlog

from base.database import Database
from base.errors import SecretUnreadable
from tenants.sealing import SecretBox
from webhooks import claim
from webhooks.claim import FALL_DUE_AT_ONCE, Due
from webhooks.concurrency import IN_FLIGHT, ConcurrencyLimiter, Lane
from webhooks.record import RecordedAttempt, observe
from webhooks.recorder import Recorder
from webhooks.retry_schedule import after_attempt
from webhooks.sender import CRASHED, UNSIGNED, Attempt, Sender

CLAIM_AT_ONCE = 100
LANES_AT_ONCE = 500
POLL_SECONDS = 1.0
FALL_DUE_SECONDS = 0.25
FINISH_SECONDS = 5.0
"""For the record, after the last post has come back."""
log = structlog.get_logger()


class Deliverer:
    """Claims due deliveries, posts them, records the attempts. `wake` tells that there may be something."""

    def __init__(
        self, database: Database, sender: Sender, schedule_seconds: Sequence[float], box: SecretBox
    ) -> None:
        self._database = database
        self._sender = sender
        self._schedule = schedule_seconds
        self._box = box
        self._recorder = Recorder(database)
        self._places = ConcurrencyLimiter()
        self._woken = asyncio.Event()
        self._after: Lane | None = None
        self._fruitful = False
        self._claiming: asyncio.Task[None] | None = None
        self._posting: set[asyncio.Task[Any]] = set()

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def fall_due(self) -> None:
        """Let what has waited for its time be claimed, then pause. Raises DatabaseUnavailable."""
        async with self._database.session() as session:
            count = await claim.fall_due(session)
        if count:
            self._woken.set()
        if count < FALL_DUE_AT_ONCE:
            await asyncio.sleep(FALL_DUE_SECONDS)

    async def step(self) -> None:
        """Claim from the next lanes in turn; after a circle of them that gave nothing, wait.

        A claim under way is not cancelled with this, or nobody would post what it gets. DatabaseUnavailable.
        """
        if self._after is None:
            self._woken.clear()
            self._fruitful = False
        most = min(CLAIM_AT_ONCE, self._places.free, 2 * IN_FLIGHT - len(self._posting))
        if most > 0:
            self._claiming = asyncio.create_task(self._claim(most))
            await asyncio.shield(self._claiming)
        else:
            self._woken.clear()
            self._fruitful = True
        if most <= 0 or (self._after is None and not self._fruitful):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    async def _claim(self, most: int) -> None:
        lease = 2 * self._sender.timeout_seconds
        post_before = time.monotonic() + lease - self._sender.timeout_seconds
        after, self._after = self._after, None
        async with self._database.session() as session:
            lanes = await claim.lanes(session, after, LANES_AT_ONCE, self._places.full_tenants())
            granted, last = self._places.share(lanes, most)
            due, ended = await claim.claim(session, granted, lease, post_before) if granted else ([], 0)
        if lanes and (last != lanes[-1] or len(lanes) == LANES_AT_ONCE):
            self._after = last
        self._fruitful |= bool(due or ended)
        for one in due:
            self._fly(one, self._post(one))

    def _fly(self, due: Due, post: Coroutine[Any, Any, object]) -> None:
        self._places.began(due.lane)
        task = asyncio.create_task(post)
        self._posting.add(task)
        task.add_done_callback(self._posted)

    def _posted(self, task: asyncio.Task[Any]) -> None:
        self._posting.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("post_crashed", error=type(error).__name__)

    async def _post(self, due: Due) -> None:
        """Whatever happens to the post is an attempt that counts: no delivery is tried for ever."""
        if time.monotonic() >= due.post_before:
            log.warning("lease_over", delivery=due.message_id)
            self._places.gave_back(due.lane)
            return
        try:
            recorded = self._decided(due, await self._send(due))
        except SecretUnreadable:
            log.error("secret_unreadable", delivery=due.message_id, tenant=str(due.delivery.tenant_id))
            recorded = self._decided(due, Attempt(0, error=UNSIGNED))
        except Exception as error:  # noqa: BLE001 - the outermost place of this post
            log.error("post_crashed", delivery=due.message_id, error=type(error).__name__)
            recorded = self._decided(due, Attempt(0, error=CRASHED))
        await self._recorder.add(recorded)

    def _decided(self, due: Due, attempt: Attempt) -> RecordedAttempt:
        now = datetime.datetime.now(datetime.UTC)
        before = due.delivery.attempts - due.delivery.attempts_before
        draw = random.random()  # noqa: S311
        return RecordedAttempt(due, attempt, after_attempt(before, attempt, draw, now, self._schedule))

    async def _send(self, due: Due) -> Attempt:
        strained = True
        try:
            secrets = [self._box.open(stored) for stored in due.secrets]
            attempt = await self._sender.post(due.delivery.url, due.message_id, secrets, due.body())
            strained = attempt.strained
        finally:
            self._places.ended(due.lane, strained)
            self._woken.set()
        observe(due, attempt)
        outcome = {"status": attempt.status, "error": attempt.cause or attempt.error}
        log.info(
            "webhook",
            delivery=due.message_id,
            event_type=due.delivery.event,
            milliseconds=attempt.milliseconds,
            **outcome,
        )
        return attempt

    async def send_progress(self, told: Mapping[uuid.UUID, dict[str, Any]]) -> None:
        """Post running jobs' progress once, unless their lane has no room now; never stored or repeated."""
        post_before = time.monotonic() + self._sender.timeout_seconds
        async with self._database.session() as session:
            found = await claim.progress_of(session, told, post_before)
        for due in found:
            if self._places.room(due.lane):
                self._fly(due, self._send(due))

    async def finish(self) -> None:
        """Wait for the posts that are under way and the record of them, as long as a post may take.

        Those that are left then, or when this is cancelled, are posted again after their lease.
        """
        log.info("finishing", posts=len(self._posting))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._sender.timeout_seconds + FINISH_SECONDS):
                    if self._claiming is not None:
                        await asyncio.gather(self._claiming, return_exceptions=True)
                    while self._posting:
                        await asyncio.wait(self._posting)
        finally:
            for task in self._posting:
                task.cancel()
