"""From a request to a finished post on one engine: prompt, generate, check, render."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from jobs.languages import WORDS
from jobs.markdown import render
from jobs.post import Draft, Result
from jobs.request import TilRequest
from worker.engines import Call, Engine, Written
from worker.partial import partial_markdown
from worker.prompt import PROMPT_DIGEST, build
from worker.schema import InvalidOutput, parse, post_schema


@dataclass(frozen=True)
class Progress:
    """How far the writing is: tokens of this call, and the JSON so far."""

    request: TilRequest
    completion_tokens: int
    text: str
    stage: str = "write"

    def as_json(self) -> dict[str, Any]:
        """What the job shows while it runs."""
        return {"stage": self.stage, "done": 0, "total": 1, "completion_tokens": self.completion_tokens}

    def markdown(self) -> str | None:
        """What can be read so far."""
        return partial_markdown(self.text, self.request) or None


@dataclass(frozen=True)
class Post:
    """A finished post; `usage` and `provenance` as the contract shows them."""

    result: Result
    usage: dict[str, Any]
    provenance: dict[str, Any]


async def write(
    request: TilRequest, engine: Engine, attempt_id: str, seed: int, on_progress: Callable[[Progress], None]
) -> Post:
    """Write the post. An answer that is no post is asked for once more, with the next seed.

    Raises InvalidOutput, InputTooLarge, EngineFailed. Cancelling the task aborts the engine's call.
    """
    call = make_call(request, engine, attempt_id, seed)
    written = await _generate(engine, call, on_progress)
    spent = [written]
    try:
        draft = _checked(written, request)
    except InvalidOutput:
        call = replace(call, id=f"{attempt_id}-2", seed=(seed + 1) % 2**31)
        spent.append(await _generate(engine, call, on_progress))
        draft = _checked(spent[-1], request)
    note = WORDS[request.language].outline_note if engine.info.engine == "outline" else None
    return Post(render(draft, request, note), _usage(spent), _provenance(engine, call))


def make_call(request: TilRequest, engine: Engine, call_id: str, seed: int) -> Call:
    """The call that this request asks of this engine. Raises InputTooLarge."""
    options = request.options
    budget = engine.prompt_budget(options.max_output_tokens)
    prompt = build(request, engine.count_tokens, budget)
    return Call(
        id=call_id,
        request=request,
        system=prompt.system,
        user=prompt.user,
        schema=post_schema(request, options.max_output_tokens),
        temperature=options.temperature,
        seed=seed,
        max_output_tokens=options.max_output_tokens,
    )


async def _generate(engine: Engine, call: Call, on_progress: Callable[[Progress], None]) -> Written:
    text = ""

    def on_text(delta: str, completion_tokens: int) -> None:
        nonlocal text
        text += delta
        on_progress(Progress(call.request, completion_tokens, text))

    return await engine.generate(call, on_text)


def _checked(written: Written, request: TilRequest) -> Draft:
    if not written.complete:
        raise InvalidOutput("The model's answer was cut off at max_output_tokens.")
    return parse(written.text, request)


def _usage(spent: list[Written]) -> dict[str, Any]:
    return {
        "prompt_tokens": sum(written.prompt_tokens for written in spent),
        "cached_tokens": sum(written.cached_tokens for written in spent),
        "completion_tokens": sum(written.completion_tokens for written in spent),
        "calls": len(spent),
    }


def _provenance(engine: Engine, call: Call) -> dict[str, Any]:
    info = engine.info
    return {
        "engine": info.engine,
        "engine_version": info.engine_version,
        "model": info.model,
        "weights_digest": info.weights_digest,
        "quantization": info.quantization,
        "prompt_digest": PROMPT_DIGEST,
        "seed": call.seed,
        "temperature": call.temperature,
    }
