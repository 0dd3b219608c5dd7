"""A simple tokenizer for tests without an engine, and calls as the worker makes them."""

from __future__ import annotations

import asyncio
import json
import re

from til.request import TilRequest
from til.tokens import CODE_TOKENS
from worker.engines import Call, Completion, Encoded, Engine, OnText
from worker.engines.outline.engine import OutlineEngine
from worker.writing.day_parts import PARTS_AT_ONCE
from worker.writing.plan import make_plan
from worker.writing.prompt import PromptContext
from worker.writing.schema import post_schema
from worker.writing.template import CURRENT
from worker.writing.write import labels_of

WORD = re.compile(r"\w{1,6}|\s|[^\w\s]")


class Counting(OutlineEngine):
    """An engine with a context of so many tokens, of at most six letters each."""

    def __init__(self, context: int) -> None:
        super().__init__()
        self._context = context

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """What is left of the context."""
        return self._context - max_output_tokens

    def encode(self, system: str, user: str) -> Encoded:
        """Count them."""
        return Encoded(len(WORD.findall(system)) + len(WORD.findall(user)) + 8)


async def admitted(_: int, __: int) -> None:
    """There is always room."""


def call_of(request: TilRequest, engine: Engine) -> Call:
    """The call that a day which fits asks of this engine."""
    plan = make_plan(PromptContext(request, CURRENT, 1), engine, CODE_TOKENS)
    assert plan.prompt
    prompt, options = plan.prompt, request.options
    schema = post_schema(list(labels_of(prompt)), request.language, options.max_output_tokens)
    return Call(
        "a:1", request, prompt.system, prompt.user, schema, options.temperature, 7, options.max_output_tokens
    )


class Scripted(Counting):
    """Gives the `answers` one after the other, and notes once as many parts are read as may be at once."""

    def __init__(self, answers: list[tuple[str, bool]], context: int = 8192) -> None:
        super().__init__(context)
        self.asked: list[Call] = []
        self.at_once = 0
        self._answers = answers
        self._crowded = asyncio.Event()

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """The next answer, told in two pieces."""
        self.asked.append(call)
        self._running += 1
        self.at_once = max(self.at_once, self._running)
        if self._running == PARTS_AT_ONCE:
            self._crowded.set()
        await asyncio.sleep(0)
        try:
            if "notes" in call.schema["properties"]:
                await self._crowded.wait()
            text, complete = (
                self._notes(call) if "notes" in call.schema["properties"] else self._answers.pop(0)
            )
        finally:
            self._running -= 1
        on_text(text[:5], 1)
        on_text(text[5:], 2)
        return Completion(text, complete, 100, 50, 2)

    def _notes(self, call: Call) -> tuple[str, bool]:
        source = call.schema["$defs"]["source"]["enum"][0]
        return json.dumps({"notes": [{"text": f"about {source}", "sources": [source]}]}), True
