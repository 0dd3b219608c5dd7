"""Writes the post of a request on one engine: one call if the day fits, else notes on its parts first."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from til.citations import label
from til.languages import WORDS
from til.markdown import render
from til.post import Draft, Result
from til.request import TilRequest
from til.tokens import CODE_TOKENS
from worker.engines import Call, Engine, EngineFailed
from worker.engines.backpressure import Backpressure
from worker.writing.call_session import CallSession
from worker.writing.day_parts import PARTS_AT_ONCE
from worker.writing.plan import NOTES_TOKENS, Plan, make_plan, notes_prompt, part_prompt
from worker.writing.progress import OnProgress, Progress
from worker.writing.prompt import Note, Prompt, PromptContext
from worker.writing.schema import notes_schema, parse, parse_notes, post_schema
from worker.writing.template import CURRENT, TEMPLATES, Template
from worker.writing.usage import RunUsage

Admit = Callable[[int, int], Awaitable[None]]
"""Waits until a job fits into the KV cache, by the tokens of its largest call and its calls at once."""
MOST_DROPPED = 100


@dataclass(frozen=True)
class Post:
    """A finished post; `usage` and `provenance` as the contract shows them."""

    result: Result
    usage: dict[str, Any]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Generation:
    """One run of a request. `id` is unique; `template` is the digest that a replay asks for.

    `usage` is filled also when the run fails. `gate` is shared by all runs of a worker: until `patient_until`
    (of `time.monotonic`) calls wait there for a busy engine. `packing` is held while prompts are packed.
    """

    id: str
    seed: int
    template: str | None = None
    code_tokens: int = CODE_TOKENS
    usage: RunUsage = field(default_factory=RunUsage)
    gate: Backpressure = field(default_factory=Backpressure)
    patient_until: float = math.inf
    packing: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, 1))


async def write(
    request: TilRequest, engine: Engine, generation: Generation, admit: Admit, on_progress: OnProgress
) -> Post:
    """Write the post. After an unusable answer there is one more call, for a shorter post with the next seed.

    Raises InvalidOutput, InputTooLarge, EngineFailed, EngineDead. Cancelling aborts the engine's calls.
    """
    context = PromptContext(request, template_of(generation.template), generation.seed)
    session = CallSession(engine, generation.usage, generation.gate, generation.patient_until)
    with session.timed("pack"):
        async with generation.packing:
            plan = await asyncio.to_thread(make_plan, context, engine, generation.code_tokens)
    await admit(plan.largest_call(engine), min(PARTS_AT_ONCE, max(1, len(plan.parts))))
    prompt = plan.prompt
    if prompt is None:
        with session.timed("summarise"):
            prompt = await _prompt_of_notes(context, generation, plan, session, on_progress)
    with session.timed("write"):
        draft = await _draft(context, generation, prompt, session, len(plan.parts), on_progress)
    provenance = _provenance(engine, context, [*plan.dropped, *prompt.dropped], session)
    return Post(render(draft, request, note_of(request, engine)), generation.usage.as_json(), provenance)


def note_of(request: TilRequest, engine: Engine) -> str | None:
    """The note in a post that was written without a model; None for the others."""
    return WORDS[request.language].outline_note if engine.info.engine == "outline" else None


def template_of(digest: str | None) -> Template:
    """The template of this digest. Raises EngineFailed if it is unknown here: another worker may have it."""
    if digest is None:
        return CURRENT
    if digest not in TEMPLATES:
        raise EngineFailed(f"This worker has no prompt template {digest[:12]}.")
    return TEMPLATES[digest]


async def _prompt_of_notes(
    context: PromptContext, generation: Generation, plan: Plan, session: CallSession, on_progress: OnProgress
) -> Prompt:
    """Take notes on the parts, `PARTS_AT_ONCE` at a time. Returns the prompt for a post from them."""
    slots, total = asyncio.Semaphore(PARTS_AT_ONCE), len(plan.parts) + 1
    done: list[int] = []

    def on_text(_: int, __: str) -> None:
        on_progress(Progress("summarise", len(done), total, session.completion_tokens()))

    async def notes_on(number: int) -> list[Note]:
        async with slots:
            async with generation.packing:
                prompt = await asyncio.to_thread(part_prompt, context, session.engine, plan, number)
            plan.dropped.extend(prompt.dropped)
            labels = labels_of(prompt)
            schema = notes_schema(list(labels), plan.notes_per_part, plan.note_characters)
            call = _calls(context, generation, f"n{number}", prompt, lambda _: schema, NOTES_TOKENS)
            notes = await session.ask(call, lambda answer: parse_notes(answer, labels), on_text)
            done.append(number)
            return notes

    notes = await _all([asyncio.create_task(notes_on(number)) for number in range(len(plan.parts))])
    return await asyncio.to_thread(notes_prompt, context, session.engine, notes)


async def _all(tasks: Sequence[asyncio.Task[list[Note]]]) -> list[list[Note]]:
    """Their results; when one fails, the others are cancelled."""
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _draft(
    context: PromptContext,
    generation: Generation,
    prompt: Prompt,
    session: CallSession,
    parts: int,
    on_progress: OnProgress,
) -> Draft:
    """The post itself; its JSON is reported as it comes."""
    most, language, seen = context.request.options.max_output_tokens, context.request.language, set[int]()

    def on_text(number: int, text: str) -> None:
        anew = number not in seen
        seen.add(number)
        on_progress(Progress("write", parts, parts + 1, session.completion_tokens(), text, anew))

    def schema(number: int) -> dict[str, Any]:
        tokens = most if session.engine.prompt_budget(most) is not None else None
        return post_schema(list(labels), language, tokens, tight=number > 0)

    labels = labels_of(prompt)
    call = _calls(context, generation, "p", prompt, schema, most)
    return await session.ask(call, lambda answer: parse(answer, labels), on_text)


def labels_of(prompt: Prompt) -> dict[str, str]:
    """What may be cited, by the label that answers cite it by."""
    found: dict[str, str] = {}
    for source in prompt.sources:
        found.setdefault(label(source), source)
    return found


def _calls(
    context: PromptContext,
    generation: Generation,
    name: str,
    prompt: Prompt,
    schema: Callable[[int], dict[str, Any]],
    max_output_tokens: int,
) -> Callable[[int], Call]:
    """A function that makes the first (0) and the second (1) call for one answer."""

    def call(number: int) -> Call:
        return Call(
            id=f"{generation.id}-{name}{number}",
            request=context.request,
            system=prompt.system,
            user=prompt.user,
            schema=schema(number),
            temperature=context.request.options.temperature,
            seed=(generation.seed + number) % 2**31,
            max_output_tokens=max_output_tokens,
            prompt_ids=prompt.encoded.ids,
        )

    return call


def _provenance(
    engine: Engine, context: PromptContext, dropped: Sequence[str], session: CallSession
) -> dict[str, Any]:
    info = engine.info
    return {
        "engine": info.engine,
        "engine_version": info.engine_version,
        "model": info.model,
        "weights_digest": info.weights_digest,
        "quantization": info.quantization,
        "prompt_digest": context.template.digest(context.request.language),
        "seed": context.seed,
        "temperature": context.request.options.temperature,
        "schema": "enforced" if session.enforced else "validated",
        "dropped": _first(dropped),
        "seconds": session.seconds,
    }


def _first(dropped: Sequence[str]) -> list[str]:
    more = len(dropped) - MOST_DROPPED
    return [*dropped[:MOST_DROPPED], *([f"and {more} more"] if more > 0 else [])]
