"""One POST: its addresses, its timeouts, and how much of the answer is read."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.webhooks.conftest import LOOPBACK
from tests.webhooks.consumers import consumers
from tests.webhooks.names import name_server
from webhooks.sender import KEEPALIVE_SECONDS, Attempt, Sender
from webhooks.settings import WebhookSettings

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MOST_SERVERS_SECONDS = 5
AIOHTTPS_OWN_SECONDS = 15
"""After which idle connections are closed: by most servers; by aiohttp where nothing else is set."""
CERTIFICATE = Path(__file__).with_name("self_signed.pem")
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def post(sender: Sender, url: str) -> Attempt:
    return await sender.post(url, "msg_1", [SECRET], "{}")


@asynccontextmanager
async def serving(serve: Serve, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """The port of a server that handles its connections so."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                await serve(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


def with_certificate() -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(CERTIFICATE)
    return context


async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
    await writer.drain()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::1]", "0x7f000001", "127.1", "2130706433", "localhost"])
async def test_an_address_in_numbers_is_checked_when_it_is_connected_to(host: str) -> None:
    made = Sender("til-queue/test", 5, [])
    attempt = await post(made, f"http://{host}:9/")
    await made.close()
    assert attempt.error in {"connect_failed", "invalid_url"}
    assert attempt.cause != "ClientConnectorError"


async def test_redirects_are_not_followed(sender: Sender) -> None:
    async with consumers(lambda _: f"302 Found\r\nlocation: {there.url('127.0.0.1')}") as there:
        attempt = await post(sender, there.url())
    assert (attempt.status, attempt.delivered, len(there.came)) == (302, False, 1)


async def test_a_proxy_in_the_environment_is_ignored(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    async with consumers() as there, consumers() as proxy:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.url())
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        assert (await post(sender, there.url())).status == 204
    assert (len(there.came), len(proxy.came)) == (1, 0)


async def test_a_self_signed_certificate_is_refused(sender: Sender) -> None:
    async with serving(accept, with_certificate()) as port:
        attempt = await post(sender, f"https://127.0.0.1:{port}/hook")
    assert (attempt.status, attempt.error) == (None, "tls_failed")


async def test_a_certificate_for_another_name_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", str(CERTIFICATE))
    async with (
        serving(accept, with_certificate()) as port,
        name_server(lambda _: ["127.0.0.1"]) as (address, _),
    ):
        sender = Sender("til-queue/test", 5, LOOPBACK, [address])
        right = await post(sender, f"https://127.0.0.1:{port}/hook")
        wrong = await post(sender, f"https://other.example.com:{port}/hook")
        await sender.close()
    assert (right.status, wrong.status, wrong.error) == (204, None, "tls_failed")


async def test_retry_after_is_passed_on(sender: Sender) -> None:
    async with consumers(lambda _: "503 Service Unavailable\r\nretry-after: 77") as there:
        attempt = await post(sender, there.url())
    assert (attempt.status, attempt.retry_after) == (503, "77"), attempt


async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.read()


async def dripping_headers(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\n")
    while not writer.is_closing():
        writer.write(b"x: y\r\n")
        await writer.drain()
        await asyncio.sleep(0.05)


def timed_out(attempt: Attempt) -> bool:
    """Whether the sender's timeout of half a second ended it; nothing else would, for a long time."""
    return attempt.error == "timeout" and 450 <= attempt.milliseconds < 20_000


@pytest.mark.parametrize("serve", [silent, dripping_headers])
async def test_the_timeout_covers_all_of_a_head(serve: Serve) -> None:
    sender = Sender("til-queue/test", 0.5, LOOPBACK)
    async with serving(serve) as port:
        attempt = await post(sender, f"http://127.0.0.1:{port}/")
    await sender.close()
    assert timed_out(attempt), attempt


async def test_the_timeout_covers_a_tls_handshake_that_hangs() -> None:
    sender = Sender("til-queue/test", 0.5, LOOPBACK)
    async with serving(silent) as port:
        attempt = await post(sender, f"https://127.0.0.1:{port}/")
    await sender.close()
    assert timed_out(attempt), attempt


@pytest.mark.skipif(not hasattr(socket, "SO_PEERCRED"), reason="Linux drops the handshakes of a full backlog")
async def test_the_timeout_covers_a_connection_that_is_never_accepted() -> None:
    sender = Sender("til-queue/test", 0.5, LOOPBACK)
    with socket.create_server(("127.0.0.1", 0), backlog=0) as full, contextlib.ExitStack() as fillers:
        for _ in range(3):
            filler = fillers.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(full.getsockname())
        attempt = await post(sender, f"http://127.0.0.1:{full.getsockname()[1]}/")
    await sender.close()
    assert timed_out(attempt), attempt


def test_the_timeout_is_fifteen_seconds_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIL_WEBHOOK_TIMEOUT_SECONDS", raising=False)
    assert WebhookSettings().timeout_seconds == 15


def flood(listening: socket.socket, loop: asyncio.AbstractEventLoop) -> int:
    """Answer one request with as much as the other side takes, which is busy at first; how many bytes."""
    connection, _ = listening.accept()
    full, sent = threading.Event(), 0
    with connection, contextlib.suppress(ConnectionError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        connection.recv(65_536)
        loop.call_soon_threadsafe(full.wait, 10)
        connection.sendall(b"HTTP/1.1 200 OK\r\ncontent-length: 100000000\r\n\r\n")
        connection.settimeout(0.5)
        while True:
            try:
                sent += connection.send(b"x" * 4096)
            except TimeoutError:
                full.set()
    return sent


async def test_little_of_a_long_answer_is_read(sender: Sender) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        sending = asyncio.create_task(asyncio.to_thread(flood, listening, asyncio.get_running_loop()))
        attempt = await post(sender, f"http://127.0.0.1:{listening.getsockname()[1]}/hook")
        sent = await sending
    assert (attempt.status, attempt.answer) == (200, "x" * 1024)
    print(f"{sent} bytes")
    assert sent < 64 * 1024


async def test_an_idle_connection_is_closed_before_most_servers_would(sender: Sender) -> None:
    idle: asyncio.Future[float] = asyncio.get_running_loop().create_future()

    async def keep(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
        began = time.monotonic()
        await reader.read()
        idle.set_result(time.monotonic() - began)

    async with serving(keep) as port:
        assert (await post(sender, f"http://127.0.0.1:{port}/hook")).status == 200
        assert KEEPALIVE_SECONDS - 1 < await idle < AIOHTTPS_OWN_SECONDS
    assert KEEPALIVE_SECONDS < MOST_SERVERS_SECONDS
