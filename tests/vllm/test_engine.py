"""The vllm engine on the real CPU build: shared by many calls, structured, abortable, honest."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import pytest_asyncio
from jsonschema import Draft202012Validator

from jobs.request import TilRequest
from tests.stack.processes import day
from worker.engines import Call
from worker.engines.vllm import VllmEngine, running_and_waiting, weights_digest

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # vLLM leaves sockets of its own to the garbage collector when it shuts down.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
REQUEST = TilRequest.model_validate(day())
WORD = {"type": "string", "minLength": 1, "maxLength": 40}
SCHEMA = {
    "type": "object",
    "properties": {
        "title": WORD,
        "points": {"type": "array", "items": WORD, "minItems": 1, "maxItems": 3},
        "source": {"enum": ["4f2a91c0", "src/mill.py"], "type": "string"},
    },
    "required": ["title", "points", "source"],
    "additionalProperties": False,
}
LONG = {"type": "object", "properties": {"text": {"type": "string", "minLength": 4000}}, "required": ["text"]}


def call(name: str, schema: dict[str, Any] | None = None, **more: Any) -> Call:
    values = {"temperature": 0.7, "seed": 1, "max_output_tokens": 1024} | more
    return Call(name, REQUEST, "Write.", f"Commits of {name}", schema or SCHEMA, **values)


def ignore(_: str, __: int) -> None:
    """Nobody looks at the live text."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def engine(tiny_model: Path) -> AsyncIterator[VllmEngine]:
    made = VllmEngine(str(tiny_model), max_num_seqs=30, max_model_len=8192, enforce_eager=True)
    await made.start()
    yield made
    await made.close()


async def until_running(count: int) -> None:
    async with asyncio.timeout(60):
        while running_and_waiting()[0] != count:
            await asyncio.sleep(0.02)


async def test_thirty_structured_calls_share_the_engine_and_overlap_in_it(engine: VllmEngine) -> None:
    most = 0

    def watch(_: str, __: int) -> None:
        nonlocal most
        most = max(most, running_and_waiting()[0])

    calls = [engine.generate(call(f"c{n}", seed=n), watch) for n in range(30)]
    written = await asyncio.gather(*calls)
    validator = Draft202012Validator(SCHEMA)
    for one in written:
        assert one.complete
        validator.validate(json.loads(one.text))
    assert most >= 20
    assert len({one.text for one in written}) > 20


async def test_long_seeded_prompts_that_arrive_together_do_no_harm(engine: VllmEngine) -> None:
    asked = [replace(call(f"l{n}", seed=n), user=f"{n} " + "def claim(session): " * 100) for n in range(30)]
    written = await asyncio.gather(*(engine.generate(one, ignore) for one in asked))
    assert sum(one.prompt_tokens for one in written) > 8192
    assert all(one.complete for one in written)


async def test_the_live_text_adds_up_to_the_answer_and_the_tokens_are_counted(engine: VllmEngine) -> None:
    pieces: list[tuple[str, int]] = []
    written = await engine.generate(call("live"), lambda text, tokens: pieces.append((text, tokens)))
    assert "".join(text for text, _ in pieces) == written.text
    assert len(pieces) > 3
    assert pieces[-1][1] <= written.completion_tokens
    assert written.prompt_tokens > 5


@pytest.mark.parametrize("temperature", [0.0, 0.8])
async def test_the_same_seed_writes_the_same_text(engine: VllmEngine, temperature: float) -> None:
    asked = call("same", temperature=temperature)
    texts = [(await engine.generate(asked, ignore)).text for _ in range(2)]
    assert texts[0] == texts[1]


async def test_an_answer_over_the_bound_is_not_complete(engine: VllmEngine) -> None:
    written = await engine.generate(call("long", LONG, max_output_tokens=64), ignore)
    assert (written.complete, written.completion_tokens) == (False, 64)


async def test_a_cancelled_call_is_aborted_in_the_engine(engine: VllmEngine) -> None:
    await until_running(0)
    writing = asyncio.create_task(engine.generate(call("cancelled", LONG, max_output_tokens=6000), ignore))
    await until_running(1)
    writing.cancel()
    with pytest.raises(asyncio.CancelledError):
        await writing
    await until_running(0)


async def test_a_frozen_core_does_not_answer_and_a_thawed_one_does(engine: VllmEngine) -> None:
    cores = [p for p in psutil.Process().children(recursive=True) if "EngineCore" in core_name(p)]
    assert len(cores) == 1
    async with asyncio.timeout(10):
        assert await engine.alive()
    os.kill(cores[0].pid, signal.SIGSTOP)
    try:
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(1):
                await engine.alive()
    finally:
        os.kill(cores[0].pid, signal.SIGCONT)
    async with asyncio.timeout(10):
        assert await engine.alive()


def core_name(process: psutil.Process) -> str:
    return " ".join([process.name(), *process.cmdline()])


async def test_it_says_what_it_is(engine: VllmEngine, tiny_model: Path) -> None:
    assert (engine.info.engine, engine.info.model) == ("vllm", str(tiny_model))
    assert engine.info.weights_digest == weights_digest(tiny_model)
    assert engine.prompt_budget(1000) == 8192 - 1000 - 64
    assert engine.count_tokens("def claim(session)") > 2
