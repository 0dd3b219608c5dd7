"""An OpenAI-compatible server with switches for what it ignores, refuses or fails to do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from tests.stack.processes import day
from tests.worker.engines import admitted
from tests.worker.foreign_answers import DONE
from tests.worker.test_openai import KEY, NO_PAGE, OK, event, serving
from til.request import TilRequest
from worker.engines.chat_request import SCHEMA_NAME
from worker.engines.openai import OpenAIEngine
from worker.writing.write import Generation, Post, write

ENFORCE, IGNORE, REFUSE = "enforce", "ignore", "refuse"
PIECE_SECONDS = 0.005
"""Between two pieces of an answer."""
REQUEST = TilRequest.model_validate(day())
REPEAT = "Repeat this JSON object: "


class ModelServer:
    """The switches may change while it runs. `bodies`: the requests that it got.

    `response_format`, `tool_choice`: how it treats a schema that is sent so. `seed`, `abort`: whether it
    honours them. `counts`: whether `/metrics` has the running sequences. `slots`: answers at once. `reply`
    makes the answers without an enforced schema.
    """

    def __init__(
        self,
        response_format: str = ENFORCE,
        tool_choice: str = ENFORCE,
        seed: bool = True,
        abort: bool = True,
        counts: bool = True,
        slots: int = 4,
        reply: Callable[[dict[str, Any]], str] = lambda _: "Here it is.",
    ) -> None:
        self.response_format, self.tool_choice = response_format, tool_choice
        self.seed, self.abort, self.counts = seed, abort, counts
        self.reply = reply
        self.bodies: list[dict[str, Any]] = []
        self.running = 0
        self._slots = slots
        self._numbers = itertools.count()

    def post_requests(self) -> list[dict[str, Any]]:
        """The requests for posts, without those of the proof."""
        return [body for body in self.bodies if is_post(body)]

    def metrics(self) -> bytes:
        """The response of `/metrics`, with the number of running sequences."""
        if not self.counts:
            return NO_PAGE
        return OK + f'# HELP x\nvllm:num_requests_running{{model_name="tiny"}} {self.running}.0\n'.encode()

    async def answer(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        """Answer one chat completion."""
        self.bodies.append(body)
        if self._treatment(body) == REFUSE:
            detail = [{"loc": ["body"], "msg": "Input should be 'text' or 'json_object'"}]
            page = json.dumps({"detail": detail}).encode()
            writer.write(b"HTTP/1.1 422 No\r\nconnection: close\r\n\r\n" + page)
            return
        while self.running >= self._slots:
            await asyncio.sleep(PIECE_SECONDS)
        self.running += 1
        try:
            await self._generate(writer, body)
        finally:
            self.running -= 1

    def _treatment(self, body: dict[str, Any]) -> str | None:
        """How the schema of this request is treated; None: it has none."""
        if "response_format" in body:
            return self.response_format
        return self.tool_choice if "tools" in body else None

    async def _generate(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        writer.write(OK)
        if self._treatment(body) == ENFORCE:
            self._write_enforced(writer, body)
        else:
            for piece in self._pieces(body)[: body["max_tokens"]]:
                writer.write(event(piece))
                try:
                    await writer.drain()
                except ConnectionError:
                    if self.abort:
                        return
                await asyncio.sleep(PIECE_SECONDS)
        with contextlib.suppress(ConnectionError):
            writer.write(event(None, "stop") + DONE)
            await writer.drain()

    def _write_enforced(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        if "tools" in body:
            text = json.dumps(smallest(body["tools"][0]["function"]["parameters"]))
            for piece in (text[:20], text[20:]):
                call = {"index": 0, "function": {"name": SCHEMA_NAME, "arguments": piece}}
                choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
                writer.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        else:
            writer.write(event(json.dumps(smallest(body["response_format"]["json_schema"]["schema"]))))

    def _pieces(self, body: dict[str, Any]) -> list[str]:
        """Do what the prompts of the proof demand, as a model does; `reply` answers all others."""
        user = body["messages"][1]["content"]
        if user.startswith(REPEAT):
            return [user.removeprefix(REPEAT)]
        if "random numbers" in user:
            draw = random.Random(body["seed"] if self.seed else next(self._numbers))
            return [f"{draw.randrange(1000)} " for _ in range(20)]
        if user.startswith("Count"):
            return ["number\n"] * 2000
        return [self.reply(body)]


def is_post(body: dict[str, Any]) -> bool:
    """Whether this is a request for a post."""
    return "TIL post" in body["messages"][0]["content"]


@asynccontextmanager
async def started_engine(server: ModelServer) -> AsyncIterator[OpenAIEngine]:
    """A started engine on this server."""
    async with serving(server.answer, metrics=server.metrics) as url:
        engine = OpenAIEngine(url, KEY, "tiny", timeout_seconds=30)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.close()


async def post_of(engine: OpenAIEngine) -> Post:
    """Write a post; fails at once if the server is busy."""
    return await write(REQUEST, engine, Generation("a:1", 7, patient_until=0), admitted, lambda _: None)


def smallest(schema: dict[str, Any]) -> Any:
    """The smallest value that the schema allows."""

    def of(part: dict[str, Any]) -> Any:
        if "$ref" in part:
            return of(schema["$defs"][part["$ref"].rpartition("/")[2]])
        if "enum" in part:
            return part["enum"][0]
        if part["type"] == "array":
            return [of(part["items"])] * part["minItems"]
        if part["type"] == "object":
            return {name: of(part["properties"][name]) for name in part["required"]}
        return "x" * part["minLength"]

    return of(schema)
