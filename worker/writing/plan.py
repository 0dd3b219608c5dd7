"""Plans the calls of a post: one call if the changes fit, else notes on parts of the day first. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from worker.engines import Engine, InputTooLarge
from worker.writing.day_parts import split
from worker.writing.prompt import (
    Note,
    Prompt,
    PromptContext,
    TokenEstimator,
    pack_day,
    pack_notes,
    pack_part,
    prompt_without_text,
)
from worker.writing.prompt_pieces import Piece, read_day, text_of
from worker.writing.schema import CHARACTERS_PER_TOKEN, MOST_NOTES, POINT_TOKENS

NOTES_TOKENS = 512
"""Output of one part's notes, at the most."""
LONGEST_NOTE = 240
SHORTEST_NOTE = 40


@dataclass(frozen=True)
class Plan:
    """Either the `prompt` of the only call, or the `parts` on which notes are taken first.

    `notes_per_part` and `note_characters` bound these notes. `dropped`: what is left out of all prompts.
    """

    prompt: Prompt | None = None
    parts: list[list[Piece]] = field(default_factory=list)
    notes_per_part: int = 0
    note_characters: int = 0
    dropped: list[str] = field(default_factory=list)
    max_output_tokens: int = 0

    def largest_call(self, engine: Engine) -> int:
        """Tokens of prompt and answer of the largest call; with parts, that of a full context."""
        if self.prompt:
            return self.prompt.encoded.tokens + self.max_output_tokens
        return (engine.prompt_budget(self.max_output_tokens) or 0) + self.max_output_tokens


def make_plan(context: PromptContext, engine: Engine, code_tokens: int) -> Plan:
    """Pack the day into one prompt, or split it. Raises InputTooLarge."""
    output = context.request.options.max_output_tokens
    budget = engine.prompt_budget(output)
    if budget is None:
        return Plan(prompt_without_text(context, engine), max_output_tokens=output)
    day = read_day(context.request)
    language, template = context.request.language, context.template
    estimator = TokenEstimator(engine.encode, template.for_post(language), text_of(day.changes))
    prompt = pack_day(context, day, estimator, budget, code_tokens)
    if prompt:
        return Plan(prompt, max_output_tokens=output)
    empty = estimator.empty(template.for_notes(language))
    for_changes = part_budget(engine) - empty - estimator.tokens(context.user_message(""))
    parts = split(day.changes, estimator, max(1, for_changes))
    number, characters = note_lengths(context, budget - empty, len(parts))
    dropped = [*day.dropped, *(f"{path} (code)" for path in dict.fromkeys(code.path for code in day.code))]
    return Plan(None, parts, number, characters, dropped=dropped, max_output_tokens=output)


def part_budget(engine: Engine) -> int:
    """Tokens that the prompt of one part may have. Raises InputTooLarge."""
    budget = engine.prompt_budget(NOTES_TOKENS)
    if budget is None or budget <= 0:
        raise InputTooLarge(InputTooLarge.__doc__)
    return budget


def note_lengths(context: PromptContext, budget_tokens: int, parts: int) -> tuple[int, int]:
    """Notes per part and characters per note, so that the notes on all parts fit into `budget_tokens`."""
    rate = CHARACTERS_PER_TOKEN[context.request.language]
    for number in range(MOST_NOTES, 0, -1):
        each = min(budget_tokens / (parts * number), NOTES_TOKENS / number) - 2 * POINT_TOKENS
        if each * rate >= SHORTEST_NOTE:
            return number, min(LONGEST_NOTE, int(each * rate))
    return 1, SHORTEST_NOTE


def part_prompt(context: PromptContext, engine: Engine, plan: Plan, number: int) -> Prompt:
    """The prompt for the notes on one part."""
    return pack_part(context, plan.parts[number], engine.encode, part_budget(engine))


def notes_prompt(context: PromptContext, engine: Engine, notes: Sequence[Sequence[Note]]) -> Prompt:
    """The prompt for the post, from all notes."""
    budget = engine.prompt_budget(context.request.options.max_output_tokens) or 0
    return pack_notes(context, notes, engine.encode, budget)
