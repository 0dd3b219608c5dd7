"""A small HTTP/1.1 client for load: its own time must not be what is measured."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, cast

HEAD_END = b"\r\n\r\n"
LENGTH = b"content-length:"


def post(key: str | None, number: int, body: bytes, prefer: str | None = None) -> bytes:
    """A submit. With a key it is authenticated, and has an Idempotency-Key of its own."""
    more = f"Authorization: Bearer {key}\r\nIdempotency-Key: {number}\r\n" if key else ""
    more += f"Prefer: {prefer}\r\n" if prefer else ""
    head = "POST /v1/til HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
    return f"{head}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(key: str | None, job_id: str) -> bytes:
    """A look at a job."""
    more = f"Authorization: Bearer {key}\r\n" if key else ""
    return f"GET /v1/jobs/{job_id} HTTP/1.1\r\nHost: bench\r\n{more}\r\n".encode()


@dataclass(frozen=True)
class Answer:
    """A response: its status code and its body."""

    status: int
    body: bytes

    def json(self) -> Any:
        """The body, decoded."""
        return json.loads(self.body)


class Connection(asyncio.Protocol):
    """A connection that stays open, for one request at a time."""

    def __init__(self) -> None:
        self._received = bytearray()
        self._answer: asyncio.Future[Answer] | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by asyncio."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Called by asyncio."""
        self._received += data
        end = self._received.find(HEAD_END)
        if end < 0:
            return
        head = bytes(self._received[:end]).lower()
        length = int(head.partition(LENGTH)[2].partition(b"\r\n")[0])
        whole = end + len(HEAD_END) + length
        if len(self._received) >= whole and self._answer and not self._answer.done():
            body = bytes(self._received[whole - length : whole])
            self._received.clear()
            self._answer.set_result(Answer(int(head[9:12]), body))

    def connection_lost(self, error: Exception | None) -> None:
        """Called by asyncio."""
        if self._answer and not self._answer.done():
            self._answer.set_exception(ConnectionError(f"The server closed the connection: {error}"))

    async def ask(self, request: bytes) -> Answer:
        """Send a request and return its answer. Raises ConnectionError."""
        assert self._transport
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return await self._answer

    def close(self) -> None:
        """Close it."""
        assert self._transport
        self._transport.close()


async def connect(port: int) -> Connection:
    """A new connection to a server on this machine."""
    _, connection = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", port)
    return connection


async def submit_all(port: int, requests: Iterator[bytes], connections: int) -> tuple[int, float]:
    """Send all requests over so many connections; each must get a 202. Returns how many, and the seconds."""
    sent = 0

    async def one_after_another(connection: Connection) -> None:
        nonlocal sent
        for request in requests:
            answer = await connection.ask(request)
            assert answer.status == 202, answer
            sent += 1

    opened = [await connect(port) for _ in range(connections)]
    began = time.perf_counter()
    await asyncio.gather(*map(one_after_another, opened))
    took = time.perf_counter() - began
    for connection in opened:
        connection.close()
    return sent, took
