"""`python -m tests.bench.worker`: the product's worker on real vLLM, whose answers have drawn lengths.

Random weights write no post, and a trained model chooses its lengths itself. So a call generates exactly as
many tokens as were drawn, without a grammar, and its text is that of the outline engine: the live text gets
pieces of it whenever tokens come in, in proportion to them, and the job succeeds. All else is the product's.
"""

from __future__ import annotations

import os
import time
from collections.abc import AsyncGenerator
from dataclasses import replace
from pathlib import Path
from typing import Any

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

from tests.bench.drawn import SILENT, Book, Spent, length, number_of
from tests.stack.worker import serve_with
from worker.__main__ import with_profile
from worker.engines import Call, Completion, OnText
from worker.engines.outline.draft import outline
from worker.engines.outline.engine import allowed
from worker.engines.vllm import VllmEngine
from worker.settings import WorkerSettings


class Forced:
    """vLLM, told to write to the length and without a grammar; calls in `silent` give all at the end."""

    def __init__(self, llm: Any) -> None:
        self._llm = llm
        self.silent: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._llm, name)

    def generate(self, prompt: Any, params: SamplingParams, request_id: str) -> AsyncGenerator[Any, None]:
        """As vLLM's."""
        force(params)
        if request_id in self.silent:
            params.output_kind = RequestOutputKind.FINAL_ONLY
        written: AsyncGenerator[Any, None] = self._llm.generate(prompt, params, request_id)
        return written


def force(params: SamplingParams) -> None:
    """Exactly `max_tokens`, whatever they are."""
    params.ignore_eos, params.structured_outputs = True, None


class Drawn(VllmEngine):
    """Writes answers of drawn lengths, and keeps a book of them."""

    def __init__(self, seed: int, book: Book, model: str, **arguments: Any) -> None:
        super().__init__(model, **arguments)
        self._seed, self._book = seed, book

    async def start(self) -> None:
        """Load, then force."""
        await super().start()
        self._forced = Forced(self._llm)
        self._llm = self._forced

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Generate the drawn number of tokens; the text is an outline."""
        number = number_of(call.request)
        tokens, told = length(self._seed, number), 0
        text = outline(call.request, *allowed(call.schema)).model_dump_json()

        def tell(_: str, so_far: int) -> None:
            nonlocal told
            begin, told = told, len(text) * so_far // tokens
            on_text(text[begin:told], so_far)

        silent = number >= SILENT
        if silent:
            self._forced.silent.add(call.id)
        began = time.monotonic()
        written = await super().generate(replace(call, max_output_tokens=tokens), ignore if silent else tell)
        spent = Spent(number, began, time.monotonic(), written.prompt_tokens, written.completion_tokens)
        self._book.write(spent)
        return replace(written, text=text, complete=True)


def ignore(_: str, __: int) -> None:
    """Nobody looks at the live text."""


if __name__ == "__main__":
    settings, engine_arguments = with_profile(WorkerSettings())
    book = Book(Path(os.environ["BENCH_BOOK"]))
    serve_with(Drawn(int(os.environ["BENCH_SEED"]), book, **engine_arguments), settings)
