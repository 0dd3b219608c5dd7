"""Many deliveries at once: fast to one receiver, and never late because other receivers hang."""

from __future__ import annotations

import asyncio
import json
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx
from sqlalchemy import text

from jobs import transitions
from jobs.claim import claim
from jobs.database import ADMIN, Database
from jobs.live import DELIVERIES, Live
from jobs.outbox import post_events
from jobs.request import TilRequest
from jobs.submit import Submission, Submitter
from jobs.workers import register
from tests.stack.processes import Stack, day, until

RESULT = {"title": "t", "keywords": ["k"], "content": "# t\n" * 200, "sections": []}


@contextmanager
def receivers(count: int, hanging: int = 0) -> Iterator[list[int]]:
    """The ports of so many receivers; `late_seconds` asks the last one."""
    command = [sys.executable, "-m", "tests.webhooks.receivers", str(count), str(hanging)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        yield json.loads(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


class Seen:
    """What the receivers have seen, asked over one connection."""

    def __init__(self, ports: list[int]) -> None:
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{ports[-1]}", timeout=10)

    def messages(self) -> list[tuple[float, float]]:
        """When each came, and how late it was."""
        found: list[tuple[float, float]] = self._http.get("/").json()
        return found

    def all_of(self, count: int) -> list[tuple[float, float]]:
        """All `count` of them, once they are there."""
        until(lambda: len(self.messages()) == count, 60, pause_seconds=0.5)
        return self.messages()


async def finished_jobs(pool: Database, tenant_id: uuid.UUID, ports: Sequence[int]) -> list[uuid.UUID]:
    """A job that has succeeded for each port, whose delivery is still to be made."""
    hooks = [{"url": f"http://127.0.0.1:{port}/"} for port in ports]
    requests = [TilRequest.model_validate(day(webhook=hook)) for hook in hooks]
    submitter, worker = Submitter(pool), uuid.uuid4()
    await asyncio.gather(*(submitter.submit(Submission(tenant_id, r, "default")) for r in requests))
    async with pool.session() as session:
        await register(session, worker, "here", len(ports), "default", "outline", 300)
        claimed = await claim(session, worker, len(ports))
        for one in claimed:
            await transitions.succeed(session, one.claim, RESULT, {}, {})
        await session.execute(text("DELETE FROM deliveries"))
    return [one.claim.job_id for one in claimed]


async def tell(stack: Stack, ports: Sequence[int], rounds: int, at_once: int, per_second: float) -> None:
    """Make `rounds` deliveries for each port, `at_once` in a transaction, so many a second in all."""
    pool, live = Database(stack.database_url, ADMIN), Live(stack.redis_url)
    ids = await finished_jobs(pool, uuid.UUID(stack.keys["tenant_id"]), ports)
    stack_began = time.monotonic()
    told = 0
    for _ in range(rounds):
        for begin in range(0, len(ids), at_once):
            part = ids[begin : begin + at_once]
            async with pool.session() as session:
                await post_events(session, part, "succeeded")
            await live.say(DELIVERIES, "told")
            told += len(part)
            await asyncio.sleep(max(0.0, stack_began + told / per_second - time.monotonic()))
    await live.close()
    await pool.close()


def test_a_receiver_gets_five_hundred_deliveries_a_second(stack: Stack) -> None:
    with receivers(1) as ports:
        stack.steward(TIL_LOG_LEVEL="warning")
        asyncio.run(tell(stack, ports * 100, 40, 100, 1e9))
        told_at = time.time()
        came = sorted(at for at, _ in Seen(ports).all_of(4000) if at > told_at)
    rate = len(came) / (came[-1] - told_at)
    print(f"{rate:.0f} deliveries/s over the last {len(came)} of 4000")
    assert len(came) > 1000
    assert rate >= 500


def test_the_first_post_comes_within_30_milliseconds_when_idle(stack: Stack) -> None:
    with receivers(1) as ports:
        stack.steward()
        asyncio.run(tell(stack, ports, 60, 1, 10))
        late = [late for _, late in Seen(ports).all_of(60)]
    print(f"p50 {statistics.median(late) * 1000:.1f} ms")
    assert statistics.median(late) <= 0.030


def test_a_hundred_receivers_that_hang_delay_none_of_the_other_nine_hundred(stack: Stack) -> None:
    with receivers(1000, hanging=100) as ports:
        stack.steward()
        asyncio.run(tell(stack, ports, 3, 20, 150))
        late = sorted(late for _, late in Seen(ports).all_of(2700))
    print(f"p50 {late[1350]:.3f} s, p95 {late[2565]:.3f} s, worst {late[-1]:.3f} s")
    assert late[2565] < 1
