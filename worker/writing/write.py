"""From a request to a finished post on one engine: one call where it fits, else notes on its parts first."""

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
from worker.writing.call_session import Asking
from worker.writing.day_parts import PARTS_AT_ONCE
from worker.writing.plan import NOTES_TOKENS, Plan, make_plan, notes_prompt, part_prompt
from worker.writing.progress import OnProgress, Progress
from worker.writing.prompt import Frame, Note, Prompt
from worker.writing.schema import notes_schema, parse, parse_notes, post_schema
from worker.writing.spent import Spent
from worker.writing.template import CURRENT, TEMPLATES, Template

Admit = Callable[[int, int], Awaitable[None]]
"""Waits until the engine has room for a job: the tokens of its largest call, and its calls at once."""
MOST_DROPPED = 100


@dataclass(frozen=True)
class Post:
    """A finished post; `usage` and `provenance` as the contract shows them."""

    result: Result
    usage: dict[str, Any]
    provenance: dict[str, Any]


@dataclass(frozen=True)
class Attempt:
    """One run of a request. `id` is unique; `template` is the digest that a replay asks for.

    `spent` tells what it has cost, also when it fails. `gate` is shared by all runs of a worker: until
    `patient_until` (as `time.monotonic`) a call waits there for a server that takes no more. `packing` is
    held while a day is packed.
    """

    id: str
    seed: int
    template: str | None = None
    code_tokens: int = CODE_TOKENS
    spent: Spent = field(default_factory=Spent)
    gate: Backpressure = field(default_factory=Backpressure)
    patient_until: float = math.inf
    packing: asyncio.Semaphore = field(default_factory=partial(asyncio.Semaphore, 1))


async def write(
    request: TilRequest, engine: Engine, attempt: Attempt, admit: Admit, on_progress: OnProgress
) -> Post:
    """Write the post. An answer that is no post is asked for once more, shorter and with the next seed.

    Raises InvalidOutput, InputTooLarge, EngineFailed, EngineDead. Cancelling aborts the engine's calls.
    """
    frame = Frame(request, template_of(attempt.template), attempt.seed)
    asking = Asking(engine, attempt.spent, attempt.gate, attempt.patient_until)
    with asking.timed("pack"):
        async with attempt.packing:
            plan = await asyncio.to_thread(make_plan, frame, engine, attempt.code_tokens)
    await admit(plan.largest_call(engine), min(PARTS_AT_ONCE, max(1, len(plan.parts))))
    prompt = plan.prompt
    if prompt is None:
        with asking.timed("summarise"):
            prompt = await _prompt_of_notes(frame, attempt, plan, asking, on_progress)
    with asking.timed("write"):
        draft = await _draft(frame, attempt, prompt, asking, len(plan.parts), on_progress)
    provenance = _provenance(engine, frame, [*plan.dropped, *prompt.dropped], asking)
    return Post(render(draft, request, note_of(request, engine)), attempt.spent.usage(), provenance)


def note_of(request: TilRequest, engine: Engine) -> str | None:
    """What a post must say of its own making."""
    return WORDS[request.language].outline_note if engine.info.engine == "outline" else None


def template_of(digest: str | None) -> Template:
    """The template of this digest. Raises EngineFailed: another worker may still have it."""
    if digest is None:
        return CURRENT
    if digest not in TEMPLATES:
        raise EngineFailed(f"This worker has no prompt template {digest[:12]}.")
    return TEMPLATES[digest]


async def _prompt_of_notes(
    frame: Frame, attempt: Attempt, plan: Plan, asking: Asking, on_progress: OnProgress
) -> Prompt:
    """Take notes on the parts, `PARTS_AT_ONCE` at a time; the prompt for a post from them."""
    gate, total = asyncio.Semaphore(PARTS_AT_ONCE), len(plan.parts) + 1
    done: list[int] = []

    def told(_: int, __: str) -> None:
        on_progress(Progress("summarise", len(done), total, asking.completion_tokens()))

    async def notes_on(number: int) -> list[Note]:
        async with gate:
            async with attempt.packing:
                prompt = await asyncio.to_thread(part_prompt, frame, asking.engine, plan, number)
            plan.dropped.extend(prompt.dropped)
            labels = labels_of(prompt)
            schema = notes_schema(list(labels), plan.notes_per_part, plan.note_characters)
            call = _calls(frame, attempt, f"n{number}", prompt, lambda _: schema, NOTES_TOKENS)
            notes = await asking.ask(call, lambda answer: parse_notes(answer, labels), told)
            done.append(number)
            return notes

    notes = await _all([asyncio.create_task(notes_on(number)) for number in range(len(plan.parts))])
    return await asyncio.to_thread(notes_prompt, frame, asking.engine, notes)


async def _all(tasks: Sequence[asyncio.Task[list[Note]]]) -> list[list[Note]]:
    """Their results; the first that fails ends the others."""
    try:
        return await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _draft(
    frame: Frame, attempt: Attempt, prompt: Prompt, asking: Asking, parts: int, on_progress: OnProgress
) -> Draft:
    """The post itself; its text is told as it comes, anew for each answer."""
    most, language, begun = frame.request.options.max_output_tokens, frame.request.language, set[int]()

    def told(number: int, text: str) -> None:
        anew = number not in begun
        begun.add(number)
        on_progress(Progress("write", parts, parts + 1, asking.completion_tokens(), text, anew))

    def schema(number: int) -> dict[str, Any]:
        tokens = most if asking.engine.prompt_budget(most) is not None else None
        return post_schema(list(labels), language, tokens, tight=number > 0)

    labels = labels_of(prompt)
    call = _calls(frame, attempt, "p", prompt, schema, most)
    return await asking.ask(call, lambda answer: parse(answer, labels), told)


def labels_of(prompt: Prompt) -> dict[str, str]:
    """What may be cited, by how it is cited."""
    found: dict[str, str] = {}
    for source in prompt.sources:
        found.setdefault(label(source), source)
    return found


def _calls(
    frame: Frame,
    attempt: Attempt,
    name: str,
    prompt: Prompt,
    schema: Callable[[int], dict[str, Any]],
    max_output_tokens: int,
) -> Callable[[int], Call]:
    """The first and the second call for one answer."""

    def call(number: int) -> Call:
        return Call(
            id=f"{attempt.id}-{name}{number}",
            request=frame.request,
            system=prompt.system,
            user=prompt.user,
            schema=schema(number),
            temperature=frame.request.options.temperature,
            seed=(attempt.seed + number) % 2**31,
            max_output_tokens=max_output_tokens,
            prompt_ids=prompt.encoded.ids,
        )

    return call


def _provenance(engine: Engine, frame: Frame, dropped: Sequence[str], asking: Asking) -> dict[str, Any]:
    info = engine.info
    return {
        "engine": info.engine,
        "engine_version": info.engine_version,
        "model": info.model,
        "weights_digest": info.weights_digest,
        "quantization": info.quantization,
        "prompt_digest": frame.template.digest,
        "seed": frame.seed,
        "temperature": frame.request.options.temperature,
        "schema": "enforced" if info.enforces_schema else "validated",
        "dropped": _first(dropped),
        "seconds": asking.seconds,
    }


def _first(dropped: Sequence[str]) -> list[str]:
    more = len(dropped) - MOST_DROPPED
    return [*dropped[:MOST_DROPPED], *([f"and {more} more"] if more > 0 else [])]
