"""`python -m tests.bench.direct`: the engine that the worker would start, driven straight through AsyncLLM.

Reads the numbers of a round's jobs as a line of JSON, answers with a line when all are written.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from vllm import SamplingParams
from vllm.sampling_params import RequestOutputKind

from tests.bench.drawn import Book, Spent, body, length
from tests.bench.worker import force
from til.request import TilRequest
from worker.__main__ import with_profile
from worker.engines.vllm import VllmEngine
from worker.settings import WorkerSettings
from worker.writing.plan import make_plan
from worker.writing.prompt import PromptContext
from worker.writing.template import CURRENT

READY, DONE = "BENCH READY", "BENCH DONE"


class Direct:
    """Prompts are packed and read into tokens before a round; the rest is AsyncLLM's alone."""

    def __init__(self, engine: VllmEngine, code_tokens: int, seed: int, in_flight: int, book: Book) -> None:
        self._engine, self._code_tokens, self._seed, self._book = engine, code_tokens, seed, book
        self._gate = asyncio.Semaphore(in_flight)

    async def round(self, numbers: Sequence[int]) -> None:
        """Write all of them; the book is kept afterwards."""
        prompts = [self._prompt(number) for number in numbers]
        calls = [self._call(number, *prompt) for number, prompt in zip(numbers, prompts, strict=True)]
        for spent in await asyncio.gather(*calls):
            self._book.write(spent)

    def _prompt(self, number: int) -> tuple[list[int], SamplingParams]:
        request = TilRequest.model_validate(body(self._seed, number))
        options = request.options
        prompt = make_plan(
            PromptContext(request, CURRENT, options.seed or 0), self._engine, self._code_tokens
        ).prompt
        assert prompt is not None
        assert prompt.encoded.ids is not None
        params = SamplingParams(
            temperature=options.temperature,
            seed=options.seed,
            max_tokens=length(self._seed, number),
            output_kind=RequestOutputKind.FINAL_ONLY,
        )
        force(params)
        return prompt.encoded.ids, params

    async def _call(self, number: int, ids: list[int], params: SamplingParams) -> Spent:
        llm = self._engine._llm
        assert llm is not None
        async with self._gate:
            began = time.monotonic()
            async for output in llm.generate({"prompt_token_ids": ids}, params, f"direct-{number}"):
                tokens = len(output.outputs[0].token_ids)
            return Spent(number, began, time.monotonic(), len(ids), tokens)


async def main() -> None:
    """Serve rounds until the end of the input."""
    settings, arguments = with_profile(WorkerSettings())
    engine = VllmEngine(**arguments)
    await engine.start()
    seed, book = int(os.environ["BENCH_SEED"]), Book(Path(os.environ["BENCH_BOOK"]))
    direct = Direct(engine, settings.code_tokens, seed, settings.slots, book)
    print(READY, flush=True)
    while line := await asyncio.to_thread(sys.stdin.readline):
        await direct.round(json.loads(line))
        print(DONE, flush=True)
    await engine.close()


if __name__ == "__main__":
    asyncio.run(main())
