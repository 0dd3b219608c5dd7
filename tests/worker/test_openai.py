"""The openai engine against a real HTTP server that speaks the protocol, also badly."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from tests.stack.processes import day
from tests.worker.engines import call_of
from til.request import TilRequest
from worker.engines import Call, EngineFailed, EngineTimeout
from worker.engines.choose import EngineUnavailable, choose
from worker.engines.openai import OpenAIEngine

Answer = Callable[[asyncio.StreamWriter, dict[str, Any]], Awaitable[None]]
OK = b"HTTP/1.1 200 OK\r\nconnection: close\r\nserver: tiny/1\r\ncontent-type: text/event-stream\r\n\r\n"
MODELS = OK + b'{"data": [{"id": "tiny"}]}'
NO_PAGE = b"HTTP/1.1 404 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
KEY = "sk-very-secret"


def event(content: str | None, reason: str | None = None) -> bytes:
    body = {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": reason}]}
    return f"data: {json.dumps(body, ensure_ascii=False)}\n\n".encode()


@asynccontextmanager
async def serving(
    answer: Answer,
    models: Callable[[], bytes] = lambda: MODELS,
    metrics: Callable[[], bytes] = lambda: NO_PAGE,
    port: int = 0,
) -> AsyncIterator[str]:
    """A server whose chat completions `answer` writes, `models` its models, `metrics` its metrics."""

    handling: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.ensure_future(handle(reader, writer)))

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):  # The caller may leave at any time.
                await converse(reader, writer)
        finally:
            writer.close()

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        assert f"bearer {KEY}" in head
        if head.startswith("get /v1/models"):
            writer.write(models())
        elif head.startswith("get /metrics"):
            writer.write(metrics())
        else:
            length = int(head.split("content-length: ")[1].split("\r\n")[0])
            await answer(writer, json.loads(await reader.readexactly(length)))
        await writer.drain()

    server = await asyncio.start_server(accept, "127.0.0.1", port)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1"
        for task in handling:
            task.cancel()
        await asyncio.gather(*handling, return_exceptions=True)


def ask(engine: OpenAIEngine) -> Call:
    return call_of(TilRequest.model_validate(day()), engine)


async def generate(answer: Answer) -> tuple[list[str], Any]:
    pieces: list[str] = []
    async with serving(answer) as url:
        engine = OpenAIEngine(url, KEY, "tiny", timeout_seconds=5, prove=False)
        try:
            await engine.start()
            assert await engine.alive()
            return pieces, await engine.generate(ask(engine), lambda text, _: pieces.append(text))
        finally:
            await engine.close()


async def test_an_answer_is_streamed_counted_and_asked_for_by_schema() -> None:
    asked: list[dict[str, Any]] = []

    async def answer(writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        asked.append(body)
        usage = {"prompt_tokens": 9, "completion_tokens": 4, "prompt_tokens_details": {"cached_tokens": 3}}
        last = f"data: {json.dumps({'choices': [], 'usage': usage})}\n\ndata: [DONE]\n\n".encode()
        data = OK + b": comment\n\n" + event('{"a":') + event("배운 것") + event(None, "stop") + last
        for index in range(0, len(data), 5):
            writer.write(data[index : index + 5])
            await writer.drain()

    pieces, written = await generate(answer)
    assert "".join(pieces) == written.text == '{"a":배운 것'
    assert written.complete
    assert (written.prompt_tokens, written.cached_tokens, written.completion_tokens) == (9, 3, 4)
    (body,) = asked
    assert body["response_format"]["json_schema"]["schema"]["required"][0] == "title"
    assert (body["seed"], body["model"], body["max_tokens"]) == (7, "tiny", 2048)


async def test_an_answer_cut_by_length_is_not_complete() -> None:
    async def answer(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(OK + event("{") + event(None, "length") + b"data: [DONE]\n\n")

    assert not (await generate(answer))[1].complete


@pytest.mark.parametrize(("tokens", "complete"), [(2047, True), (2048, False)])
async def test_an_answer_with_all_its_tokens_is_cut_off(tokens: int, complete: bool) -> None:
    async def answer(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        usage = json.dumps({"choices": [], "usage": {"completion_tokens": tokens}})
        writer.write(OK + event("{") + event(None, "stop") + f"data: {usage}\n\ndata: [DONE]\n\n".encode())

    assert (await generate(answer))[1].complete is complete


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        b"HTTP/1.1 401 No\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        OK + event("{"),
        OK + b"data: {nonsense\n\n",
        OK + b'data: {"error": {"message": "internal 10.0.0.7"}}\n\n',
        OK + b'data: {"choices": ["x"]}\n\n',
        b"",
    ],
)
async def test_every_fault_is_one_failure_without_secrets(data: bytes) -> None:
    async def answer(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(data)

    with pytest.raises(EngineFailed) as failed:
        await generate(answer)
    assert KEY not in str(failed.value)
    assert "127.0.0.1" not in str(failed.value)
    assert "10.0.0.7" not in str(failed.value)


async def test_cancelling_closes_the_connection() -> None:
    closed = asyncio.Event()
    began = asyncio.Event()

    async def answer(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(OK + event("{"))
        try:
            while True:
                writer.write(event(" "))
                await writer.drain()
                began.set()
                await asyncio.sleep(0.01)
        except ConnectionError:
            closed.set()

    running = asyncio.create_task(generate(answer))
    async with asyncio.timeout(10):
        await began.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await closed.wait()


async def test_a_model_that_the_server_lacks_is_reported_at_the_start() -> None:
    async def answer(_: asyncio.StreamWriter, __: dict[str, Any]) -> None:
        """Never asked."""

    async with serving(answer) as url:
        engine = OpenAIEngine(url, KEY, "huge")
        with pytest.raises(EngineFailed, match="offers tiny, not huge"):
            await engine.start()
        await engine.close()
    assert not await OpenAIEngine(url, KEY, "huge").alive()


@pytest.mark.parametrize(
    ("name", "options", "missing"),
    [
        ("openai", {}, "TIL_OPENAI_URL"),
        ("openai", {"openai_url": "http://x/v1"}, "TIL_OPENAI_MODEL"),
        ("gpt", {}, "auto, vllm, openai or outline"),
    ],
)
def test_an_engine_that_can_not_run_names_what_is_missing(
    name: str, options: dict[str, str], missing: str
) -> None:
    with pytest.raises(EngineUnavailable, match=missing):
        choose(name, **options)  # type: ignore[arg-type]


def test_auto_chooses_the_best_available_engine_and_says_why() -> None:
    engine, why = choose("auto")
    assert (engine.info.engine, "TIL_OPENAI_URL is not set" in why) == ("outline", True)
    engine, why = choose("auto", openai_url="http://127.0.0.1:1/v1", openai_model="m")
    assert (engine.info.engine, "TIL_OPENAI_URL is set" in why) == ("openai", True)


async def test_a_server_that_is_silent_for_too_long_is_a_timeout() -> None:
    async def answer(writer: asyncio.StreamWriter, _: dict[str, Any]) -> None:
        writer.write(OK)
        await writer.drain()
        await asyncio.Event().wait()

    async with serving(answer) as url:
        engine = OpenAIEngine(url, KEY, "tiny", timeout_seconds=0.2, prove=False)
        await engine.start()
        with pytest.raises(EngineTimeout):
            await engine.generate(ask(engine), lambda *_: None)
        await engine.close()
