"""Asking an engine for JSON: an answer that was cut off is closed, an unusable one asked for again."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from worker.engines import Call, Engine, Written
from worker.partial import complete
from worker.schema import InvalidOutput, as_json

TRIES = 2
T = TypeVar("T")


@dataclass
class Asking:
    """All calls of one run, and what they have cost."""

    engine: Engine
    written: list[Written] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    _flying: dict[str, int] = field(default_factory=dict)

    async def ask(
        self, call: Callable[[int], Call], read: Callable[[Any], T], on_text: Callable[[int, str], None]
    ) -> T:
        """What `read` makes of the answer to `call(0)` or, if that raises InvalidOutput, to `call(1)`.

        `on_text(number, text)` gets the answer as it comes. Raises InvalidOutput, EngineFailed, EngineDead.
        """
        for number in range(TRIES):
            written = await self._generate(call(number), partial(on_text, number))
            try:
                return read(as_json(written.text) if written.complete else complete(written.text))
            except InvalidOutput:
                if number == TRIES - 1:
                    raise
        raise AssertionError

    async def _generate(self, call: Call, on_text: Callable[[str], None]) -> Written:
        self._flying[call.id] = 0

        def told(text: str, tokens: int) -> None:
            self._flying[call.id] = tokens
            on_text(text)

        try:
            written = await self.engine.generate(call, told)
        finally:
            del self._flying[call.id]
        self.written.append(written)
        return written

    def completion_tokens(self) -> int:
        """Tokens written so far, by the calls that have ended and by those that run."""
        return sum(one.completion_tokens for one in self.written) + sum(self._flying.values())

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Take the time of a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = round(time.monotonic() - began, 3)

    def usage(self) -> dict[str, Any]:
        """As the job shows it."""
        return {
            "prompt_tokens": sum(one.prompt_tokens for one in self.written),
            "cached_tokens": sum(one.cached_tokens for one in self.written),
            "completion_tokens": sum(one.completion_tokens for one in self.written),
            "calls": len(self.written),
        }
