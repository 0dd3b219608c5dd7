"""Delivers webhooks: claims due deliveries, sends many at once within limits, records them in batches."""

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
from webhooks.claim import MARK_DUE_AT_ONCE, ClaimedDelivery
from webhooks.concurrency import IN_FLIGHT, ConcurrencyLimiter, Destination
from webhooks.record import RecordedAttempt, observe
from webhooks.recorder import Recorder
from webhooks.retry_schedule import after_attempt
from webhooks.sender import CRASHED, UNSIGNED, Attempt, Sender

CLAIM_AT_ONCE = 100
DESTINATIONS_AT_ONCE = 500
POLL_SECONDS = 1.0
MARK_DUE_SECONDS = 0.25
FINISH_SECONDS = 5.0
"""To record the attempts after the last request has ended."""
log = structlog.get_logger()


class Deliverer:
    """Claims due deliveries, sends them and records the attempts; for several loops of one event loop."""

    def __init__(
        self, database: Database, sender: Sender, schedule_seconds: Sequence[float], box: SecretBox
    ) -> None:
        self._database = database
        self._sender = sender
        self._schedule = schedule_seconds
        self._box = box
        self._recorder = Recorder(database)
        self._limiter = ConcurrencyLimiter()
        self._woken = asyncio.Event()
        self._after: Destination | None = None
        self._found_any = False
        self._claiming: asyncio.Task[None] | None = None
        self._in_flight: set[asyncio.Task[Any]] = set()

    def wake(self) -> None:
        """Something may be due: look now instead of at the next poll."""
        self._woken.set()

    async def mark_due(self) -> None:
        """Mark deliveries whose next attempt is due as such, then pause. Raises DatabaseUnavailable."""
        async with self._database.session() as session:
            count = await claim.mark_due(session)
        if count:
            self._woken.set()
        if count < MARK_DUE_AT_ONCE:
            await asyncio.sleep(MARK_DUE_SECONDS)

    async def step(self) -> None:
        """Claim from the next destinations, in a cycle over all; after a cycle without any delivery, wait.

        Cancelling this does not cancel a claim that is under way: nobody would send what it has leased.
        Raises DatabaseUnavailable.
        """
        if self._after is None:
            self._woken.clear()
            self._found_any = False
        most = min(CLAIM_AT_ONCE, self._limiter.free, 2 * IN_FLIGHT - len(self._in_flight))
        if most > 0:
            self._claiming = asyncio.create_task(self._claim(most))
            await asyncio.shield(self._claiming)
        else:
            self._woken.clear()
            self._found_any = True
        if most <= 0 or (self._after is None and not self._found_any):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    async def _claim(self, most: int) -> None:
        lease = 2 * self._sender.timeout_seconds
        send_before = time.monotonic() + lease - self._sender.timeout_seconds
        after, self._after = self._after, None
        async with self._database.session() as session:
            full = self._limiter.full_tenants()
            destinations = await claim.destinations(session, after, DESTINATIONS_AT_ONCE, full)
            granted, last = self._limiter.grant(destinations, most)
            claimed, ended = await claim.claim(session, granted, lease, send_before) if granted else ([], 0)
        if destinations and (last != destinations[-1] or len(destinations) == DESTINATIONS_AT_ONCE):
            self._after = last
        self._found_any |= bool(claimed or ended)
        for one in claimed:
            self._start(one, self._deliver(one))

    def _start(self, claimed: ClaimedDelivery, work: Coroutine[Any, Any, object]) -> None:
        self._limiter.acquire(claimed.destination)
        task = asyncio.create_task(work)
        self._in_flight.add(task)
        task.add_done_callback(self._finished)

    def _finished(self, task: asyncio.Task[Any]) -> None:
        self._in_flight.discard(task)
        self._woken.set()
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery_crashed", error=type(error).__name__)

    async def _deliver(self, claimed: ClaimedDelivery) -> None:
        """Send and record. An error of our own counts as an attempt too, so that retries end in any case."""
        if time.monotonic() >= claimed.send_before:
            log.warning("delivery_lease_expired", delivery=claimed.message_id)
            self._limiter.release(claimed.destination)
            return
        try:
            recorded = self._decide(claimed, await self._send(claimed))
        except SecretUnreadable:
            tenant = str(claimed.delivery.tenant_id)
            log.error("secret_unreadable", delivery=claimed.message_id, tenant=tenant)
            recorded = self._decide(claimed, Attempt(0, error=UNSIGNED))
        except Exception as error:  # noqa: BLE001 - the outermost frame of this delivery
            log.error("delivery_crashed", delivery=claimed.message_id, error=type(error).__name__)
            recorded = self._decide(claimed, Attempt(0, error=CRASHED))
        await self._recorder.add(recorded)

    def _decide(self, claimed: ClaimedDelivery, attempt: Attempt) -> RecordedAttempt:
        now = datetime.datetime.now(datetime.UTC)
        before = claimed.delivery.attempts - claimed.delivery.attempts_before
        draw = random.random()  # noqa: S311
        return RecordedAttempt(claimed, attempt, after_attempt(before, attempt, draw, now, self._schedule))

    async def _send(self, claimed: ClaimedDelivery) -> Attempt:
        overloaded = True
        try:
            secrets = [self._box.open(stored) for stored in claimed.secrets]
            url, body = claimed.delivery.url, claimed.body()
            attempt = await self._sender.post(url, claimed.message_id, secrets, body)
            overloaded = attempt.overloaded
        finally:
            self._limiter.complete(claimed.destination, overloaded)
            self._woken.set()
        observe(claimed, attempt)
        outcome = {"status": attempt.status, "error": attempt.cause or attempt.error}
        log.info(
            "webhook",
            delivery=claimed.message_id,
            event_type=claimed.delivery.event,
            milliseconds=attempt.milliseconds,
            **outcome,
        )
        return attempt

    async def send_progress(self, progress: Mapping[uuid.UUID, dict[str, Any]]) -> None:
        """Send the progress of running jobs once; dropped where the limits allow no request now."""
        send_before = time.monotonic() + self._sender.timeout_seconds
        async with self._database.session() as session:
            found = await claim.progress_deliveries(session, progress, send_before)
        for one in found:
            if self._limiter.available(one.destination):
                self._start(one, self._send(one))

    async def finish(self) -> None:
        """Wait until the requests in flight have ended and are recorded, at most as long as one may take.

        Those that are left then, or when this is cancelled, are sent again when their lease has ended.
        """
        log.info("steward_stopping", deliveries=len(self._in_flight))
        try:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._sender.timeout_seconds + FINISH_SECONDS):
                    if self._claiming is not None:
                        await asyncio.gather(self._claiming, return_exceptions=True)
                    while self._in_flight:
                        await asyncio.wait(self._in_flight)
        finally:
            for task in self._in_flight:
                task.cancel()
