"""What is said through Redis while it happens: nudges, endings, progress. Losing any of it loses no job."""

from __future__ import annotations

import asyncio
import contextlib
import json
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
PROGRESS_KEPT_SECONDS = 120
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
        """A silent connection is pinged every 5 s, so a half-open one is found within about 10 s."""
        async with self._redis.pubsub(ignore_subscribe_messages=True) as subscription:
            await subscription.subscribe(channel)
            silent = 0
            while True:
                message = await subscription.get_message(timeout=self._timeout)
                if message and message["type"] == "message":
                    yield message["data"]
                silent = 0 if message else silent + 1
                if silent * self._timeout >= 5:
                    await self._ping(subscription)
                    silent = 0

    async def _ping(self, subscription: Any) -> None:
        await subscription.ping()
        async with asyncio.timeout(5):
            while await subscription.get_message(ignore_subscribe_messages=False, timeout=5) is None:
                pass

    async def close(self) -> None:
        """Drop the connections."""
        with contextlib.suppress(RedisError, OSError):
            await self._redis.aclose()


def _key(job_id: uuid.UUID) -> str:
    return f"til:progress:{job_id}"
