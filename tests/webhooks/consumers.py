"""Receivers in the test's own process, each under a loopback address of its own, which answer or
hang as a test wants. (Linux has all of 127.0.0.0/8.)"""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

many_loopback_addresses = pytest.mark.skipif(
    sys.platform == "darwin", reason="macOS has one loopback address"
)
Answer = Callable[[str], str | None]
"""What a host answers, the status line and headers as text; None: it hangs."""
ACCEPTED = "204 No Content"


def address(number: int) -> str:
    """The loopback address of the receiver with this number."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


class Consumers:
    """Keeps the `webhook-id`s that came to each host."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.came: list[tuple[str, str]] = []
        self.hanging: Counter[str] = Counter()
        self.port = 0
        self._let_go = asyncio.Event()

    def url(self, host: str = "127.0.0.1") -> str:
        """Where to send to reach them as `host`."""
        return f"http://{host}:{self.port}/hook"

    def ids(self, host: str | None = None) -> list[str]:
        """What came, to this host or to any."""
        return [message_id for to, message_id in self.came if host in {None, to}]

    async def _hang(self, host: str) -> None:
        self.hanging[host] += 1
        await self._let_go.wait()
        self.hanging[host] -= 1

    def let_go(self) -> None:
        """Close the connections that hang, and those that would."""
        self._let_go.set()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes over one connection."""
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await self._converse(reader, writer)
        finally:
            writer.close()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host = writer.get_extra_info("sockname")[0]
        while head := (await reader.readuntil(b"\r\n\r\n")).decode().lower():
            await reader.readexactly(int(head.split("content-length: ")[1].split("\r\n")[0]))
            self.came.append((host, head.split("webhook-id: ")[1].split("\r\n")[0]))
            answer = self.answer(host)
            if answer is None:
                await self._hang(host)
                break
            writer.write(f"HTTP/1.1 {answer}\r\ncontent-length: 0\r\n\r\n".encode())


@asynccontextmanager
async def consumers(answer: Answer = lambda _: ACCEPTED, at: str = "0.0.0.0") -> AsyncIterator[Consumers]:
    """They listen on every address of this machine, or `at` one, on one port."""
    made = Consumers(answer)
    server = await asyncio.start_server(made.serve, at, 0, backlog=1000)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
