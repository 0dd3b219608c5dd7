"""Pub/sub messages are heard at once, and again after a half-open connection."""

from __future__ import annotations

import asyncio
import contextlib
import uuid

import pytest
from redis.asyncio import Redis

from base.loops import Loops
from deploy.local.valkey import ValkeyServer
from signals import pubsub as module
from signals.pubsub import ENDED, Live


class Freezer:
    """A TCP proxy that can stop passing anything on, without closing a connection."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> str:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return f"127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def freeze_present_connections(self) -> None:
        """Open connections forward nothing any more; new ones do."""
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._old.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._old = self._flowing
        there = await asyncio.open_connection("127.0.0.1", self._target)
        flowing = self._flowing
        pairs = ((reader, there[1]), (there[0], writer))
        self._tasks |= {asyncio.create_task(self._pass_on(a, b, flowing)) for a, b in pairs}

    async def _pass_on(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, flowing: asyncio.Event
    ) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                while data := await source.read(65_536):
                    await flowing.wait()
                    sink.write(data)
                    await sink.drain()
        finally:
            sink.close()


async def test_a_listener_behind_a_half_open_connection_hears_again(
    redis_url: str, valkey: ValkeyServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PING_AFTER_SECONDS", 1)
    monkeypatch.setattr(module, "BROKEN_AFTER_SECONDS", 3)
    freezer = Freezer(valkey.port)
    speaker = Live(redis_url)
    async with freezer as address:
        listener = Live(redis_url.replace(f"127.0.0.1:{valkey.port}", address))
        heard: list[str] = []
        loops = Loops(lambda name: pytest.fail(f"{name} is dead"))
        loops.start("hear", lambda: listener.listen(ENDED, heard.append), None)
        try:
            await heard_next(speaker, heard)
            freezer.freeze_present_connections()
            heard.clear()
            await heard_next(speaker, heard)
        finally:
            await loops.close()
            await listener.close()
    await speaker.close()


async def heard_next(speaker: Live, heard: list[str]) -> None:
    async with asyncio.timeout(15):
        while not heard:
            await speaker.publish(ENDED, "now")
            await asyncio.sleep(0.1)


async def test_a_redis_that_is_away_is_no_error() -> None:
    away = Live("redis://127.0.0.1:1/0")
    await away.publish(ENDED, "x")
    assert await away.progress(uuid.uuid4()) is None
    assert not await away.reachable()
    await away.close()


async def test_an_idle_connection_is_pinged_and_kept(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PING_AFTER_SECONDS", 0.2)
    monkeypatch.setattr(module, "BROKEN_AFTER_SECONDS", 4)
    live, heard = Live(redis_url), list[str]()
    watch = Redis.from_url(redis_url, decode_responses=True)
    listening = asyncio.create_task(live.listen(ENDED, heard.append))
    await heard_next(live, heard)

    async def subscribers() -> list[str]:
        return [client["id"] for client in await watch.client_list() if client["sub"] == "1"]

    async def pings() -> int:
        return int((await watch.info("commandstats")).get("cmdstat_ping", {}).get("calls", 0))

    ours, pinged = max(await subscribers(), key=int), await pings()
    async with asyncio.timeout(20):
        while await pings() < pinged + 3:
            await asyncio.sleep(0.1)
    assert ours in await subscribers()
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)
    await live.close()
    await watch.aclose()
