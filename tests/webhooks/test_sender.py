"""One POST: where it may connect, how long it may take, what of the answer is read."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from jobs.webhook import Sender

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Resolver:
    """Answers of the system's resolver, one list of addresses after the other."""

    def __init__(self, *answers: list[str]) -> None:
        self.answers = list(answers)
        self.asked = 0

    async def __call__(self, host: str, port: int, **_: object) -> list[tuple[Any, ...]]:
        """As `getaddrinfo` does."""
        self.asked += 1
        found = self.answers.pop(0)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in found]


async def test_a_name_is_resolved_once_and_every_address_of_it_is_checked(
    monkeypatch: pytest.MonkeyPatch, sender: Sender
) -> None:
    hits = 0

    async def count(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal hits
        hits += 1
        writer.write(b"HTTP/1.1 204 No Content\r\nconnection: close\r\n\r\n")
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(count, "127.0.0.1", 0)
    url = f"http://rebinding.example.com:{server.sockets[0].getsockname()[1]}/"
    resolver = Resolver(["127.0.0.1"], ["127.0.0.1", "10.0.0.1"], ["169.254.169.254"], [])
    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolver)
    async with server:
        first = await sender.post(url, "msg_1", [SECRET], "{}")
        assert (first.status, resolver.asked, hits) == (204, 1, 1)
        for _ in range(3):
            assert (await sender.post(url, "msg_1", [SECRET], "{}")).error == "address_forbidden"
    assert hits == 1


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0x7f000001", "127.1", "2130706433", "localhost"])
async def test_an_address_in_numbers_is_checked_when_it_is_connected_to(host: str) -> None:
    made = Sender("til-queue/test", 5, [])
    attempt = await made.post(f"http://{host}:9/", "msg_1", [SECRET], "{}")
    await made.close()
    assert attempt.error in {"address_forbidden", "invalid_url"}


@pytest.fixture
async def sender() -> AsyncIterator[Sender]:
    made = Sender("til-queue/test", 2, [ipaddress.ip_network("127.0.0.0/8")])
    yield made
    await made.close()


async def test_redirects_are_not_followed(sender: Sender) -> None:
    hits: list[bytes] = []

    async def redirect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        hits.append(await reader.readuntil(b"\r\n\r\n"))
        where = f"http://127.0.0.1:{port}/elsewhere"
        writer.write(f"HTTP/1.1 302 Found\r\nlocation: {where}\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()

    server = await asyncio.start_server(redirect, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        attempt = await sender.post(f"http://127.0.0.1:{port}/hook", "msg_1", [SECRET], "{}")
    assert (attempt.status, attempt.delivered, len(hits)) == (302, False, 1)


async def test_a_certificate_that_nobody_vouches_for_is_refused(sender: Sender) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(Path(__file__).with_name("self_signed.pem"))
    server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0, ssl=context)
    port = server.sockets[0].getsockname()[1]
    async with server:
        attempt = await sender.post(f"https://127.0.0.1:{port}/hook", "msg_1", [SECRET], "{}")
    assert (attempt.status, attempt.error) == (None, "tls_failed")


async def test_the_whole_post_is_bounded_in_time_and_the_answer_in_size(sender: Sender) -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
        if b"/long" in head:
            writer.write(b"x" * 100_000)
        with contextlib.suppress(ConnectionError):
            while not writer.is_closing():
                writer.write(b"x")
                await writer.drain()
                await asyncio.sleep(0.1)

    server = await asyncio.start_server(drip, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    slow = await sender.post(f"http://127.0.0.1:{port}/slow", "msg_1", [SECRET], "{}")
    long = await sender.post(f"http://127.0.0.1:{port}/long", "msg_1", [SECRET], "{}")
    server.close()
    assert (slow.error, 1900 < slow.milliseconds < 4000) == ("timeout", True)
    assert (long.status, len(long.answer)) == (200, 1024)
