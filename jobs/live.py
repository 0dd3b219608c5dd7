"""What is said through Redis while it happens: nudges, endings, progress. Losing any of it loses no job."""

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

ENDED = "til:ended"
CANCEL = "til:cancel"
DELIVERIES = "til:deliveries"
SWEEP = "til:sweep"
PROGRESS = "til:progress-webhooks"
PROGRESS_KEPT_SECONDS = 120
PROGRESS_WAITS_SECONDS = 5
MOST_PROGRESS = 1000
PING_AFTER_SECONDS = 5
GIVE_UP_AFTER_SECONDS = 10
log = structlog.get_logger()


class Live:
    """Publish and read, at most `timeout_seconds` each; what can't be said is dropped."""

    def __init__(self, redis_url: str, timeout_seconds: float = 1.0) -> None:
        self._redis: Redis = Redis.from_url(
            redis_url,
            socket_timeout=timeout_seconds,
            socket_connect_timeout=timeout_seconds,
            socket_keepalive=True,
            retry=Retry(NoBackoff(), 0),
            max_connections=50,
            decode_responses=True,
        )
        self._timeout = timeout_seconds

    async def say(self, channel: str, message: str) -> None:
        """Publish `message` to who listens now."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._redis.publish(channel, message)

    async def put_progress(self, job_id: uuid.UUID, progress: dict[str, Any]) -> None:
        """Show how far a running job is; kept for two minutes after the last word of it."""
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout):
                await self._redis.set(_key(job_id), json.dumps(progress), ex=PROGRESS_KEPT_SECONDS)

    async def progress(self, job_id: uuid.UUID) -> dict[str, Any] | None:
        """How far a running job is, when anybody knows."""
        try:
            async with asyncio.timeout(self._timeout):
                found = await self._redis.get(_key(job_id))
        except (RedisError, OSError, TimeoutError):
            return None
        return dict(json.loads(found)) if found else None

    async def push_progress(self, job_id: uuid.UUID, progress: dict[str, Any]) -> None:
        """Hand a progress webhook to whichever steward is there; what nobody takes in time is dropped."""
        message = json.dumps({"job_id": str(job_id), "progress": progress})
        with contextlib.suppress(RedisError, OSError, TimeoutError):
            async with asyncio.timeout(self._timeout), self._redis.pipeline(transaction=False) as pipe:
                pipe.rpush(PROGRESS, message)
                pipe.ltrim(PROGRESS, -MOST_PROGRESS, -1)
                pipe.expire(PROGRESS, PROGRESS_WAITS_SECONDS)
                await pipe.execute()

    async def pop_progress(self, most: int) -> list[dict[str, Any]]:
        """Take up to `most` progress webhooks that wait; none while Redis is away."""
        try:
            async with asyncio.timeout(self._timeout):
                found: list[str] | None = await self._redis.lpop(PROGRESS, most)  # type: ignore[assignment]
        except (RedisError, OSError, TimeoutError):
            return []
        return [dict(json.loads(message)) for message in found or []]

    async def reachable(self) -> bool:
        """Whether Redis answers."""
        try:
            async with asyncio.timeout(self._timeout):
                return bool(await self._redis.ping())
        except (RedisError, OSError, TimeoutError):
            return False

    async def listen(self, channel: str, heard: Callable[[str], None]) -> None:
        """Call `heard` with each message, until cancelled; begins again whenever the connection is lost."""
        while True:
            try:
                async for message in self._messages(channel):
                    heard(message)
            except (RedisError, OSError, TimeoutError) as error:
                log.debug("listener_lost", channel=channel, error=type(error).__name__)
                await asyncio.sleep(1)

    async def _messages(self, channel: str) -> AsyncIterator[str]:
        """A connection silent for 5 s is pinged, and given up after 10 s: so a half-open one is found."""
        async with self._redis.pubsub() as subscription:
            await subscription.subscribe(channel)
            heard_at, pinged = time.monotonic(), False
            while True:
                message = await subscription.get_message(timeout=1)
                silent_seconds = time.monotonic() - heard_at
                if message:
                    heard_at, pinged = time.monotonic(), False
                    if message["type"] == "message":
                        yield message["data"]
                elif silent_seconds >= GIVE_UP_AFTER_SECONDS:
                    raise TimeoutError
                elif silent_seconds >= PING_AFTER_SECONDS and not pinged:
                    await subscription.ping()
                    pinged = True

    async def close(self) -> None:
        """Drop the connections."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()


def _key(job_id: uuid.UUID) -> str:
    return f"til:progress:{job_id}"
