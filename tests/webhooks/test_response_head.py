"""Answers that are odd: what ends with its head, what comes after it, and heads that never end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.webhooks.test_sender import post, serving
from webhooks.response_head import HEAD_BYTES
from webhooks.sender import Sender

NO_CONTENT = b"HTTP/1.1 204 No Content\r\n"
OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = b"transfer-encoding: chunked\r\n\r\n"
SMUGGLED = b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\n\r\n"


@asynccontextmanager
async def answering(
    *parts: bytes, closes: bool = False, sent: list[bytes] | None = None
) -> AsyncIterator[str]:
    """The URL of a receiver that answers each request with these parts, a moment between them.

    `sent`: gets each part that was sent.
    """

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(2)
            for part in parts:
                writer.write(part)
                if sent is not None:
                    sent.append(part)
                await writer.drain()
                await asyncio.sleep(0.02)
            if closes:
                return

    async with serving(serve) as port:
        yield f"http://127.0.0.1:{port}/"


@pytest.mark.parametrize(
    "parts",
    [
        [NO_CONTENT + b"content-length: 4\r\n\r\nnull"],
        [NO_CONTENT + b"content-length: 4\r\n\r\n", b"null"],
        [NO_CONTENT + b"content-length: nonsense\r\n\r\n"],
        [NO_CONTENT + b"\r\nnull"],
        [NO_CONTENT + b"\r\n", b"null"],
        [NO_CONTENT + CHUNKED + b"4\r\nnull\r\n0\r\n\r\n"],
        [NO_CONTENT + b"\r\n" + SMUGGLED],
        [NO_CONTENT + b"\r\n", SMUGGLED],
        [b"HTTP/1.1 100 Continue\r\n\r\n", NO_CONTENT + b"\r\n"],
        [b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" + NO_CONTENT + b"\r\n"],
        [b"HTTP/1.1 204 No", b" Content\r", b"\n\r", b"\n"],
    ],
)
async def test_an_answer_without_content_ends_with_its_head(sender: Sender, parts: list[bytes]) -> None:
    async with answering(*parts) as url:
        for _ in range(3):
            attempt = await post(sender, url)
            assert (attempt.status, attempt.answer, attempt.delivered) == (204, "", True), attempt
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    "parts",
    [
        [OK + CHUNKED + b"4\r\nnull\r\nnonsense\r\n"],
        [OK + CHUNKED, b"nonsense\r\n"],
        [OK + CHUNKED + b"-4\r\nnull"],
        [OK + b"content-length: 100\r\n\r\nnull"],
        [OK + b"\r\n", b"null"],
        [b"HTTP/1.1 205 Reset Content\r\ncontent-length: 9\r\n\r\nnull"],
        [OK + b"content-length: 4\r\n\r\nnull" + SMUGGLED],
        [OK + b"content-length: 4\r\n\r\nnull", SMUGGLED],
        [OK + b"content-length: 4\r\n\r\n", b"null" + SMUGGLED],
        [OK + b"content-encoding: gzip\r\ncontent-length: 4\r\n\r\nnull"],
    ],
)
@pytest.mark.parametrize("closes", [False, True])
async def test_a_complete_head_of_success_is_a_delivery(
    sender: Sender, parts: list[bytes], closes: bool
) -> None:
    async with answering(*parts, closes=closes) as url:
        for _ in range(2):
            attempt = await post(sender, url)
            assert (attempt.status in (200, 205), attempt.delivered) == (True, True), attempt
            await asyncio.sleep(0.05)


async def test_a_body_that_never_ends_is_left_unread(sender: Sender) -> None:
    drops, sent = [b"x"] * 5000, list[bytes]()
    async with answering(OK + b"content-length: 100000000\r\n\r\n", *drops, sent=sent) as url:
        attempt = await post(sender, url)
        assert len(sent) < len(drops)
    assert (attempt.status, set(attempt.answer)) == (200, {"x"})


async def test_a_complete_answer_keeps_its_connection(sender: Sender) -> None:
    connections = answers = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections, answers
        connections += 1
        while await reader.readuntil(b"\r\n\r\n"):
            await reader.readexactly(2)
            answers += 1
            writer.write(NO_CONTENT + b"\r\n" if answers % 2 else OK + b"content-length: 2\r\n\r\nok")

    async with serving(serve) as port:
        for _ in range(5):
            assert (await post(sender, f"http://127.0.0.1:{port}/")).delivered
    assert (connections, answers) == (1, 5)


@pytest.mark.parametrize(
    "again",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nlink: </style.css>\r\n\r\n",
        b"x: y\r\n",
        b"x" * 1000,
    ],
)
async def test_a_head_that_does_not_end_is_a_failure(sender: Sender, again: bytes) -> None:
    sent = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal sent
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"" if again.startswith(b"HTTP") else OK)
        while True:
            writer.write(again)
            await writer.drain()
            sent += len(again)

    async with serving(serve) as port:
        attempt = await post(sender, f"http://127.0.0.1:{port}/")
    assert (attempt.status, attempt.error, attempt.delivered) == (None, "head_too_large", False)
    assert sent < 1024 * HEAD_BYTES
