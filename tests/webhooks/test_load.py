"""Many deliveries at once: fast to one receiver, and not delayed by receivers that hang."""

from __future__ import annotations

import asyncio
import statistics
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import httpx

from base.database import ADMIN, Database
from jobs.outbox import enqueue_deliveries
from signals.pubsub import DELIVERIES, Live
from tests.stack.processes import Stack, until
from tests.webhooks.conftest import finished_jobs
from tests.webhooks.consumers import address, many_loopback_addresses


class Seen:
    """What the receivers have seen, asked over one connection."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._http = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)

    def close(self) -> None:
        """Ask no more."""
        self._http.close()

    def url(self, number: int) -> str:
        """Where the receiver with this number is."""
        return f"http://{address(number)}:{self.port}/"

    def messages(self) -> list[tuple[float, float]]:
        """When each came, and how late it was."""
        found: list[tuple[float, float]] = self._http.get("/").json()
        return found

    def all_of(self, count: int) -> list[tuple[float, float]]:
        """All `count` of them, once they are there."""
        until(lambda: len(self.messages()) == count, 60, pause_seconds=0.5)
        return self.messages()


@contextmanager
def receivers(hanging: int = 0) -> Iterator[Seen]:
    """Receivers, the first `hanging` of which hang."""
    command = [sys.executable, "-m", "tests.webhooks.receivers", str(hanging)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    seen = Seen(int(process.stdout.readline()))
    try:
        yield seen
    finally:
        seen.close()
        process.kill()
        process.wait()
        process.stdout.close()


async def tell(stack: Stack, urls: Sequence[str], rounds: int, at_once: int, per_second: float) -> None:
    """Make `rounds` deliveries for each URL, `at_once` in a transaction, so many a second in all."""
    pool, live = Database(stack.database_url, ADMIN), Live(stack.redis_url)
    ids = await finished_jobs(pool, uuid.UUID(stack.keys["tenant_id"]), urls)
    stack_began = time.monotonic()
    told = 0
    for _ in range(rounds):
        for begin in range(0, len(ids), at_once):
            part = ids[begin : begin + at_once]
            async with pool.session() as session:
                await enqueue_deliveries(session, part, "succeeded")
            await live.publish(DELIVERIES, "told")
            told += len(part)
            await asyncio.sleep(max(0.0, stack_began + told / per_second - time.monotonic()))
    await live.close()
    await pool.close()


def test_a_receiver_gets_five_hundred_deliveries_a_second(stack: Stack) -> None:
    with receivers() as seen:
        stack.steward(TIL_LOG_LEVEL="warning")
        asyncio.run(tell(stack, [f"http://127.0.0.1:{seen.port}/"] * 100, 40, 100, 1e9))
        told_at = time.time()
        came = sorted(at for at, _ in seen.all_of(4000) if at > told_at)
    rate = len(came) / (came[-1] - told_at)
    print(f"{rate:.0f} deliveries/s over the last {len(came)} of 4000")
    assert len(came) > 1000
    assert rate >= 500


def test_the_first_post_comes_within_30_milliseconds_when_idle(stack: Stack) -> None:
    with receivers() as seen:
        stack.steward()
        asyncio.run(tell(stack, [f"http://127.0.0.1:{seen.port}/"], 60, 1, 10))
        late = [late for _, late in seen.all_of(60)]
    print(f"p50 {statistics.median(late) * 1000:.1f} ms")
    assert statistics.median(late) <= 0.030


@many_loopback_addresses
def test_a_hundred_receivers_that_hang_delay_none_of_the_other_nine_hundred(stack: Stack) -> None:
    with receivers(hanging=100) as seen:
        stack.steward()
        asyncio.run(tell(stack, [seen.url(number) for number in range(1000)], 3, 20, 150))
        late = sorted(late for _, late in seen.all_of(2700))
    print(f"p50 {late[1350]:.3f} s, p95 {late[2565]:.3f} s, worst {late[-1]:.3f} s")
    assert late[2565] < 1
