"""Redis between processes: pub/sub nudges (look at PostgreSQL now), and streams with running jobs' text.

Losing any of it loses no job.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
import uuid
from collections.abc import AsyncIterator, Callable
from typing import Any

import structlog
from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from signals.streams import PROGRESS_WEBHOOKS, LiveText

ENDED = "til:ended"
CANCEL = "til:cancel"
DELIVERIES = "til:deliveries"
SWEEP = "til:sweep"
PING_AFTER_SECONDS = 5
BROKEN_AFTER_SECONDS = 10
log = structlog.get_logger()


class Live:
    """A process's client of Redis. A call takes `timeout_seconds` at the most; what fails is dropped."""

    def __init__(self, redis_url: str, timeout_seconds: float = 1.0) -> None:
        self._redis: Redis = Redis.from_url(
            redis_url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            max_connections=50,
            decode_responses=True,
            encoding_errors="replace",
        )
        self._timeout = timeout_seconds
        self.text = LiveText(self._redis, timeout_seconds)

    async def publish(self, channel: str, message: str) -> None:
        """Send `message` to all that listen to the channel now."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._redis.publish(channel, message)

    async def progress(self, job_id: uuid.UUID) -> dict[str, Any] | None:
        """The progress of a running job, as last reported; None: nothing is known."""
        entry = await self.text.latest(job_id)
        return entry.progress if entry else None

    async def pop_progress(self, most: int) -> dict[uuid.UUID, dict[str, Any]]:
        """Take up to `most` waiting progress webhooks off their list, by job; none while Redis is away."""
        try:
            async with asyncio.timeout(self._timeout):
                found: list[str] | None = await self._redis.lpop(PROGRESS_WEBHOOKS, most)  # type: ignore[assignment]
        except (RedisError, OSError, TimeoutError):
            return {}
        return dict(parsed for message in found or () if (parsed := _progress_webhook(message)))

    async def reachable(self) -> bool:
        """Whether Redis answers."""
        try:
            async with asyncio.timeout(self._timeout):
                return bool(await self._redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def listen(self, channel: str, on_message: Callable[[str], None]) -> None:
        """Call `on_message` with each message until the connection breaks, wait a second and return.

        The caller calls it again.
        """
        try:
            async for message in self._messages(channel):
                on_message(message)
        except (RedisError, OSError, TimeoutError) as error:
            log.debug("listener_lost", channel=channel, error=type(error).__name__)
            await asyncio.sleep(1)

    async def _messages(self, channel: str) -> AsyncIterator[str]:
        """To find half-open connections, one that is silent for 5 s is pinged; after 10 s it is broken."""
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(channel)
            received_at, pinged = time.monotonic(), False
            while True:
                message = await subscription.get_message(timeout=1)
                silent_seconds = time.monotonic() - received_at
                if message:
                    received_at, pinged = time.monotonic(), False
                    if message["type"] == "message":
                        yield message["data"]
                elif silent_seconds >= BROKEN_AFTER_SECONDS:
                    raise TimeoutError
                elif silent_seconds >= PING_AFTER_SECONDS and not pinged:
                    await subscription.ping()
                    pinged = True

    async def close(self) -> None:
        """Close the connections."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()


def _progress_webhook(message: str) -> tuple[uuid.UUID, dict[str, Any]] | None:
    """A job and its progress; None if the message is malformed."""
    try:
        parsed = json.loads(message)
        return uuid.UUID(parsed["job_id"]), dict(parsed["progress"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return None
