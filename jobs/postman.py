"""The steward's delivery of webhooks: many at once, few to each host, recorded many at a time."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import random
import uuid
from collections import Counter, OrderedDict
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import structlog

from jobs import deliver, endpoints
from jobs.database import Database
from jobs.deliver import Due, Tried
from jobs.errors import DatabaseUnavailable
from jobs.redeliver import after_attempt
from jobs.webhook import Attempt, Sender

IN_FLIGHT = 900
NARROW, USUAL, WIDE = 1, 4, 64
QUICK_MILLISECONDS = 1000
REMEMBERED_HOSTS = 10_000
CLAIM_AT_ONCE = 100
POLL_SECONDS = 1.0
RECORD_TRIES = 10
log = structlog.get_logger()


class Hosts:
    """How many posts may go to a host at once: `USUAL`, more while it is quick, one after it failed."""

    def __init__(self) -> None:
        self._width: OrderedDict[str, int] = OrderedDict()
        self._flying: Counter[str] = Counter()

    def began(self, host: str) -> None:
        """A post to this host is on its way."""
        self._flying[host] += 1

    def ended(self, host: str, well: bool) -> None:
        """It has come back: quickly and well, or not."""
        self._flying[host] -= 1
        if not self._flying[host]:
            del self._flying[host]
        width = self._width.pop(host, USUAL)
        self._width[host] = min(WIDE, width + 1) if well else NARROW
        if len(self._width) > REMEMBERED_HOSTS:
            self._width.popitem(last=False)

    def room(self) -> dict[str, int]:
        """How many more each host may get, for the hosts that differ from `USUAL`."""
        known = self._width.keys() | self._flying.keys()
        return {host: self.room_at(host) for host in known}

    def room_at(self, host: str) -> int:
        """How many more this host may get."""
        return max(0, self._width.get(host, USUAL) - self._flying[host])


class Postman:
    """Claims due deliveries, posts them, records the attempts. `wake` tells that there may be something."""

    def __init__(self, database: Database, sender: Sender, schedule_seconds: Sequence[float]) -> None:
        self._database = database
        self._sender = sender
        self._schedule = schedule_seconds
        self._hosts = Hosts()
        self._woken = asyncio.Event()
        self._posting: set[asyncio.Task[Any]] = set()
        self._done: list[Tried] = []
        self._recording: asyncio.Task[None] | None = None

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def step(self) -> None:
        """Claim what is due and room is for; when that is nothing, wait. Raises DatabaseUnavailable."""
        self._woken.clear()
        most = min(CLAIM_AT_ONCE, IN_FLIGHT - len(self._posting))
        due: list[Due] = []
        if most:
            lease = 2 * self._sender.timeout_seconds
            async with self._database.session() as session:
                due = await deliver.claim_due(session, most, lease, self._hosts.room(), USUAL)
        for one in due:
            self._fly(one.host, self._post(one))
        if len(due) < most or not most:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(POLL_SECONDS):
                    await self._woken.wait()

    def _fly(self, host: str, post: Coroutine[Any, Any, object]) -> None:
        self._hosts.began(host)
        task = asyncio.create_task(post)
        self._posting.add(task)
        task.add_done_callback(self._posted)

    def _posted(self, task: asyncio.Task[Any]) -> None:
        self._posting.discard(task)
        if not task.cancelled() and (error := task.exception()):
            log.error("delivery_crashed", error=repr(error))

    async def _post(self, due: Due) -> None:
        attempt = await self._send(due)
        now = datetime.datetime.now(datetime.UTC)
        round_attempts, draw = due.attempts - due.attempts_before, random.random()  # noqa: S311
        decision = after_attempt(round_attempts, attempt, draw, now, self._schedule)
        self._done.append(Tried(due, attempt, decision))
        if self._recording is None or self._recording.done():
            self._recording = asyncio.create_task(self._record_all())
        await asyncio.shield(self._recording)

    async def tell_progress(self, told: Mapping[uuid.UUID, dict[str, Any]]) -> None:
        """Post running jobs' progress once, unless their host has no room now; never stored or repeated."""
        async with self._database.session() as session:
            found = await deliver.progress_of(session, told)
        for due in found:
            if self._hosts.room_at(due.host) and len(self._posting) < IN_FLIGHT:
                self._fly(due.host, self._send(due))

    async def _send(self, due: Due) -> Attempt:
        well = False
        try:
            attempt = await self._sender.post(due.url, due.message_id, due.secrets, due.body)
            well = attempt.delivered and attempt.milliseconds < QUICK_MILLISECONDS
        finally:
            self._hosts.ended(due.host, well)
            self._woken.set()
        deliver.observe(due, attempt)
        outcome = {"status": attempt.status, "error": attempt.error, "milliseconds": attempt.milliseconds}
        log.info("webhook", delivery=due.message_id, event_type=due.event, **outcome)
        return attempt

    async def _record_all(self) -> None:
        """Group commit. What can't be written for long is posted again by whoever gets its lease next."""
        while self._done:
            tried, self._done = self._done, []
            for _ in range(RECORD_TRIES):
                try:
                    await self._record(tried)
                except DatabaseUnavailable as error:
                    log.warning("attempts_not_recorded", attempts=len(tried), error=error.reason)
                    await asyncio.sleep(1)
                else:
                    break
            self._woken.set()

    async def _record(self, tried: Sequence[Tried]) -> None:
        well = {(t.due.tenant_id, t.due.url) for t in tried if t.attempt.delivered}
        badly = {(t.due.tenant_id, t.due.url) for t in tried if not t.attempt.delivered} - well
        async with self._database.session() as session:
            await deliver.record(session, tried)
            if well:
                await endpoints.succeeded(session, well)
            disabled = await endpoints.failed(session, badly) if badly else []
        for tenant_id, url in disabled:
            log.warning("endpoint_disabled", tenant_id=str(tenant_id), url=url)
