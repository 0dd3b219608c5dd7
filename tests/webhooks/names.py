"""A name server on loopback: what the real one might answer, or not."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import cast

import pytest

A, AAAA = 1, 28
FOUND, NO_SUCH_NAME = 0x8580, 0x8583
Zone = Callable[[str], Sequence[str] | None]
"""The addresses of a name; none: there is no such name; None: no answer, ever."""


class NameServer(asyncio.DatagramProtocol):
    """Answers over UDP (RFC 1035), with a time to live of zero."""

    def __init__(self, zone: Zone) -> None:
        self._zone = zone
        self._transport: asyncio.DatagramTransport
        self.asked: list[str] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """asyncio's."""
        self._transport = cast("asyncio.DatagramTransport", transport)

    def datagram_received(self, data: bytes, address: tuple[str, int]) -> None:
        """asyncio's: one question."""
        name, end = _question(data)
        kind = struct.unpack(">H", data[end - 4 : end - 2])[0]
        if kind == A:
            self.asked.append(name)
        found = self._zone(name)
        if found is None:
            return
        family = socket.AF_INET6 if kind == AAAA else socket.AF_INET
        packed = [socket.inet_pton(family, one) for one in found if (":" in one) == (kind == AAAA)]
        header = struct.pack(">HHHHH", FOUND if found else NO_SUCH_NAME, 1, len(packed), 0, 0)
        records = (b"\xc0\x0c" + struct.pack(">HHIH", kind, 1, 0, len(one)) + one for one in packed)
        self._transport.sendto(data[:2] + header + data[12:end] + b"".join(records), address)


def _question(data: bytes) -> tuple[str, int]:
    labels, place = [], 12
    while length := data[place]:
        labels.append(data[place + 1 : place + 1 + length].decode())
        place += 1 + length
    return ".".join(labels).lower(), place + 5


@asynccontextmanager
async def name_server(zone: Zone) -> AsyncIterator[tuple[str, NameServer]]:
    """Its address, and what it was asked."""
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(lambda: NameServer(zone), ("127.0.0.1", 0))
    try:
        yield f"127.0.0.1:{transport.get_extra_info('sockname')[1]}", server
    finally:
        transport.close()


def hang_for_minutes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let look-ups without an answer take longer than a test, however busy the machine is."""
    monkeypatch.setattr("webhooks.resolve.LOOKUP_SECONDS", 120)
    monkeypatch.setattr("webhooks.resolve.TRIES", 8)
