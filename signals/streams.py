"""The text of running jobs, in Redis streams: one for each job, capped and expiring."""

from __future__ import annotations

import asyncio
import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis
from redis.exceptions import RedisError

KEPT_SECONDS = 300
MOST_ENTRIES = 256
"""After so many entries a writer replaces the stream by one entry with the whole text."""
APPEND = """
local gone = {}
for i, key in ipairs(KEYS) do
  local whole, entry = ARGV[2 * i], ARGV[2 * i + 1]
  if whole == '1' then
    redis.call('XADD', key, 'MAXLEN', 1, '*', 'entry', entry)
  elseif not redis.call('XADD', key, 'NOMKSTREAM', 'MAXLEN', '~', 512, '*', 'entry', entry) then
    gone[#gone + 1] = i
  end
  redis.call('EXPIRE', key, ARGV[1])
end
return gone
"""
"""Appends to all streams in one command: a fifth of the CPU time of a pipeline, and each has an expiry.

It does not append where the stream is gone (expired or evicted), and returns the numbers of these.
"""
PROGRESS_WEBHOOKS = "til:progress-webhooks"
PROGRESS_WAITS_SECONDS = 5
MOST_PROGRESS = 1000
START = "0-0"


@dataclass(frozen=True)
class Entry:
    """Text that follows the first `offset` characters of a run's answer.

    `answer` counts from 0: a run begins another where the engine's last one could not be used.
    """

    claim_no: int
    answer: int
    offset: int
    text: str
    progress: dict[str, Any] | None = None

    def dump(self) -> str:
        """As JSON."""
        return json.dumps(
            [self.claim_no, self.answer, self.offset, self.text, self.progress], ensure_ascii=False
        )

    @classmethod
    def load(cls, dumped: str | None) -> Entry | None:
        """The inverse of `dump`; None if the text is malformed."""
        try:
            claim_no, answer, offset, text, progress = json.loads(dumped or "")
            return cls(int(claim_no), int(answer), int(offset), str(text), progress and dict(progress))
        except (ValueError, TypeError, OverflowError, RecursionError):
            return None


@dataclass(frozen=True)
class StreamUpdate:
    """An entry for a job's stream.

    `whole`: it has the answer from its beginning and replaces what the stream holds. `webhook`: it is to be
    sent as a progress webhook too.
    """

    job_id: uuid.UUID
    entry: Entry
    whole: bool
    webhook: bool = False


class LiveText:
    """Writes and reads the streams, at most `timeout_seconds` each."""

    def __init__(self, redis: Redis, timeout_seconds: float) -> None:
        self._redis = redis
        self._timeout = timeout_seconds

    async def publish(self, updates: Sequence[StreamUpdate]) -> set[uuid.UUID]:
        """Write all updates in one round trip. Returns the jobs whose update may be lost, so that their next
        one must be `whole`."""
        keys = [_key(one.job_id) for one in updates]
        entries = [part for one in updates for part in ("1" if one.whole else "", one.entry.dump())]
        webhooks = [_webhook(one) for one in updates if one.webhook]
        try:
            async with asyncio.timeout(self._timeout), self._redis.pipeline(transaction=False) as pipe:
                pipe.eval(APPEND, len(keys), *keys, str(KEPT_SECONDS), *entries)
                if webhooks:
                    pipe.rpush(PROGRESS_WEBHOOKS, *webhooks)
                    pipe.ltrim(PROGRESS_WEBHOOKS, -MOST_PROGRESS, -1)
                    pipe.expire(PROGRESS_WEBHOOKS, PROGRESS_WAITS_SECONDS)
                gone = (await pipe.execute())[0]
        except (RedisError, OSError, TimeoutError):
            return {one.job_id for one in updates}
        return {updates[number - 1].job_id for number in gone}

    async def latest(self, job_id: uuid.UUID) -> Entry | None:
        """The last entry of a job, when there is any."""
        try:
            async with asyncio.timeout(self._timeout):
                found: Any = await self._redis.xrevrange(_key(job_id), count=1)
        except (RedisError, OSError, TimeoutError):
            return None
        return _load(found[0]) if found else None

    async def read(
        self, positions: Mapping[uuid.UUID, str], wait_seconds: float = 0
    ) -> dict[uuid.UUID, tuple[str, list[Entry]]] | None:
        """By job, the new position and the entries after the given one; None while Redis is away.

        `wait_seconds`: how long to wait for the first new entry.
        """
        jobs = {_key(job_id): job_id for job_id in positions}
        after: dict[Any, Any] = {_key(job_id): position for job_id, position in positions.items()}
        block = int(wait_seconds * 1000) or None
        try:
            async with asyncio.timeout(self._timeout + wait_seconds):
                found: Any = await self._redis.xread(after, count=4 * MOST_ENTRIES, block=block)
        except (RedisError, OSError, TimeoutError):
            return None
        return {
            jobs[key]: (entries[-1][0], [entry for one in entries if (entry := _load(one))])
            for key, entries in found or ()
        }

    async def ahead(self, positions: Mapping[uuid.UUID, str]) -> set[uuid.UUID] | None:
        """The jobs whose position is newer than their stream's last entry: Redis has lost that stream, and it
        was begun again with older ids. None while Redis is away."""
        try:
            async with asyncio.timeout(self._timeout), self._redis.pipeline(transaction=False) as pipe:
                for job_id in positions:
                    pipe.xrevrange(_key(job_id), count=1)
                newest: Any = await pipe.execute()
        except (RedisError, OSError, TimeoutError):
            return None
        ends = {job_id: entries[0][0] for job_id, entries in zip(positions, newest, strict=True) if entries}
        return {job_id for job_id, end in ends.items() if _order(positions[job_id]) > _order(end)}

    async def forget(self, job_id: uuid.UUID) -> None:
        """Erase a job's stream. Raises RedisError, OSError, TimeoutError: it may still be there."""
        async with asyncio.timeout(self._timeout):
            await self._redis.delete(_key(job_id))


def _load(entry: tuple[str, Mapping[str, str]]) -> Entry | None:
    return Entry.load(entry[1].get("entry"))


def _order(entry_id: str) -> tuple[int, ...]:
    """A key to sort Redis's ids of entries by, which are `milliseconds-number`."""
    return tuple(int(part) for part in entry_id.split("-"))


def _webhook(update: StreamUpdate) -> str:
    return json.dumps({"job_id": str(update.job_id), "progress": update.entry.progress})


def _key(job_id: uuid.UUID) -> str:
    return f"til:text:{job_id}"
