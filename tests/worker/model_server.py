"""An OpenAI-compatible server with switches: what it may ignore, refuse or fail to do."""

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
from tests.worker.test_openai import KEY, NO_PAGE, OK, event, serving
from til.request import TilRequest
from worker.engines.openai import OpenAIEngine
from worker.engines.question import NAME
from worker.writing.write import Generation, Post, write

ENFORCE, IGNORE, REFUSE = "enforce", "ignore", "refuse"
PIECE_SECONDS = 0.005
"""Between two pieces of an answer that is drawn."""
DONE = b"data: [DONE]\n\n"
REQUEST = TilRequest.model_validate(day())
REPEAT = "Repeat this JSON object: "


class ModelServer:
    """Behaves as told; what it is told may change while it runs. `bodies`: what it was asked.

    `slots`: so many answers at once, others wait. `say` writes the answers that nothing holds to a schema.
    """

    def __init__(
        self,
        form: str = ENFORCE,
        tool: str = ENFORCE,
        seed: bool = True,
        abort: bool = True,
        counts: bool = True,
        slots: int = 4,
        say: Callable[[dict[str, Any]], str] = lambda _: "Here it is.",
    ) -> None:
        self.form, self.tool = form, tool
        self.seed, self.abort, self.counts = seed, abort, counts
        self.say = say
        self.bodies: list[dict[str, Any]] = []
        self.running = 0
        self._slots = slots
        self._numbers = itertools.count()

    def posts(self) -> list[dict[str, Any]]:
        """The calls that were no probes."""
        return [body for body in self.bodies if is_post(body)]

    def metrics(self) -> bytes:
        """Its page for Prometheus, with a count of what it generates."""
        if not self.counts:
            return NO_PAGE
        return OK + f'# HELP x\nvllm:num_requests_running{{model_name="tiny"}} {self.running}.0\n'.encode()

    async def answer(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        """One chat completion."""
        self.bodies.append(body)
        if REFUSE in (self._asked(body, "response_format"), self._asked(body, "tools")):
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

    def _asked(self, body: dict[str, Any], field: str) -> str | None:
        if field not in body:
            return None
        return self.form if field == "response_format" else self.tool

    async def _generate(self, writer: asyncio.StreamWriter, body: dict[str, Any]) -> None:
        writer.write(OK)
        if ENFORCE in (self._asked(body, "response_format"), self._asked(body, "tools")):
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
            text = json.dumps(least(body["tools"][0]["function"]["parameters"]))
            for piece in (text[:20], text[20:]):
                call = {"index": 0, "function": {"name": NAME, "arguments": piece}}
                choice = {"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": None}
                writer.write(f"data: {json.dumps({'choices': [choice]})}\n\n".encode())
        else:
            writer.write(event(json.dumps(least(body["response_format"]["json_schema"]["schema"]))))

    def _pieces(self, body: dict[str, Any]) -> list[str]:
        """As a model does: it repeats, draws and counts as it is told; all else `say` says."""
        user = body["messages"][1]["content"]
        if user.startswith(REPEAT):
            return [user.removeprefix(REPEAT)]
        if "random numbers" in user:
            draw = random.Random(body["seed"] if self.seed else next(self._numbers))
            return [f"{draw.randrange(1000)} " for _ in range(20)]
        if user.startswith("Count"):
            return ["number\n"] * 2000
        return [self.say(body)]


def is_post(body: dict[str, Any]) -> bool:
    """Whether it asks for a post."""
    return "TIL post" in body["messages"][0]["content"]


@asynccontextmanager
async def started(server: ModelServer) -> AsyncIterator[OpenAIEngine]:
    """An engine that has tried this server."""
    async with serving(server.answer, metrics=server.metrics) as url:
        engine = OpenAIEngine(url, KEY, "tiny", timeout_seconds=30)
        try:
            await engine.start()
            yield engine
        finally:
            await engine.close()


async def post_of(engine: OpenAIEngine) -> Post:
    """A post; a server that is busy is not waited for."""
    return await write(REQUEST, engine, Generation("a:1", 7, patient_until=0), admitted, lambda _: None)


def least(schema: dict[str, Any]) -> Any:
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
