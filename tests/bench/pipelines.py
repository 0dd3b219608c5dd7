"""A day's calls in the usual pipeline and in ours, in tokens: one rule for what both read and write."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench.days import Day
from tests.bench.roofline import Call, Stage
from til.request import ChangedFile
from til.tokens import CODE_TOKENS
from worker.engines import Encoded
from worker.engines.chat import ChatTokenizer
from worker.engines.outline.engine import OutlineEngine
from worker.writing.day_parts import PARTS_AT_ONCE
from worker.writing.plan import NOTES_TOKENS, make_plan, part_prompt
from worker.writing.prompt import PromptContext
from worker.writing.template import CURRENT

CONTEXT = 8192
INSTRUCTION_TOKENS = 150
"""Of each call of the usual pipeline, chat template included."""
CODE_SUMMARY, PATCH_SUMMARY, DRAFT, KEYWORDS = 1024, 512, 2024, 256
"""Output tokens of its calls, at the most."""


class Reader(OutlineEngine):
    """What a plan asks of an engine, with the tokenizer in a folder and its chat template."""

    def __init__(self, folder: Path, context: int = CONTEXT) -> None:
        super().__init__()
        from transformers import AutoTokenizer

        self.context = context
        self._tokenizer: Any = AutoTokenizer.from_pretrained(str(folder))
        self._chat = ChatTokenizer(self._tokenizer)

    def prompt_budget(self, max_output_tokens: int) -> int:
        """What is left of the context."""
        return self.context - max_output_tokens

    def encode(self, system: str, user: str) -> Encoded:
        """As the vLLM engine counts it."""
        return self._chat.encode(system, user)

    def tokens(self, text: str) -> int:
        """Of a text by itself."""
        return len(self._tokenizer.encode(text, add_special_tokens=False))


@dataclass(frozen=True)
class Measured:
    """A day in tokens. `files`: of each file's newest code and of its patches with their messages.

    `prompt`: of our only call, or None; then `parts` are the prompts of the calls for notes, and `frame` what
    stands around the notes in the last call. `answer` and `notes` are our caps.
    """

    day: Day
    files: list[tuple[int, int]]
    prompt: int | None
    parts: list[int]
    frame: int
    answer: int
    notes: int
    context: int

    def usual(self, fill: float) -> list[Stage]:
        """Per file a summary of its code and one of its patches, a draft from all, keywords from that."""
        code = [self._call(INSTRUCTION_TOKENS + code, CODE_SUMMARY, fill) for code, _ in self.files]
        patches = [self._call(INSTRUCTION_TOKENS + patches, PATCH_SUMMARY, fill) for _, patches in self.files]
        summaries = sum(call.output_tokens for call in code + patches)
        draft = self._call(INSTRUCTION_TOKENS + summaries, DRAFT, fill)
        keywords = self._call(INSTRUCTION_TOKENS + draft.output_tokens, KEYWORDS, fill)
        return [Stage(code), Stage(patches), Stage([draft]), Stage([keywords])]

    def ours(self, fill: float) -> list[Stage]:
        """One call; or notes on each part, then a post from the notes."""
        if self.prompt is not None:
            return [Stage([self._call(self.prompt, self.answer, fill)])]
        notes = [self._call(prompt, self.notes, fill) for prompt in self.parts]
        last = self._call(self.frame + sum(call.output_tokens for call in notes), self.answer, fill)
        return [Stage(notes, PARTS_AT_ONCE), Stage([last])]

    def _call(self, prompt_tokens: int, most_output_tokens: int, fill: float) -> Call:
        """The prompt is cut to what the context leaves beside the cap; `fill` of the cap is written."""
        room = self.context - most_output_tokens
        return Call(min(prompt_tokens, room), round(fill * most_output_tokens))


def measure(day: Day, reader: Reader) -> Measured:
    """Count the day's files, and pack it as the worker does."""
    frame = PromptContext(day.request, CURRENT, seed=1)
    plan = make_plan(frame, reader, CODE_TOKENS)
    parts = [part_prompt(frame, reader, plan, number).encoded.tokens for number in range(len(plan.parts))]
    return Measured(
        day=day,
        files=[_file_tokens(file, reader.tokens) for file in day.request.files],
        prompt=plan.prompt.encoded.tokens if plan.prompt else None,
        parts=parts,
        frame=reader.encode(CURRENT.for_post(day.request.language), frame.user_message("")).tokens,
        answer=plan.max_output_tokens,
        notes=NOTES_TOKENS,
        context=reader.context,
    )


def _file_tokens(file: ChangedFile, tokens: Callable[[str], int]) -> tuple[int, int]:
    patches = "".join(f"{patch.commit_message}\n{patch.patch}\n" for patch in file.patches)
    return tokens(file.latest_code), tokens(patches)
