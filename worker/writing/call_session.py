"""The calls of one run: waits for a busy engine, repairs answers that were cut off, repeats unusable ones."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeVar

from worker.engines import Call, Completion, Engine, EngineAway, EngineBusy, EngineRefused
from worker.engines.answer import prompt_tokens
from worker.engines.backpressure import Backpressure
from worker.writing.correction import with_correction
from worker.writing.schema import InvalidOutput
from worker.writing.unwrap import candidates
from worker.writing.usage import RunUsage

CALLS_PER_ANSWER = 2
T = TypeVar("T")


@dataclass
class CallSession:
    """`patient_until` (of `time.monotonic`): until then calls wait at the `gate` for a busy engine.

    `seconds`: the time that each stage took; `enforced`: whether the engine was known to enforce schemas when
    each call was sent.
    """

    engine: Engine
    usage: RunUsage = field(default_factory=RunUsage)
    gate: Backpressure = field(default_factory=Backpressure)
    patient_until: float = math.inf
    seconds: dict[str, float] = field(default_factory=dict)
    enforced: bool = True
    _tokens_in_flight: dict[str, int] = field(default_factory=dict)
    _sent: int = 0

    async def ask(
        self, call: Callable[[int], Call], read: Callable[[Any], T], on_text: Callable[[int, str], None]
    ) -> T:
        """The answer to `call(0)`, parsed by `read`; if that raises InvalidOutput, the answer to `call(1)`.

        `on_text(number, text)` gets each answer as it comes; the number differs for each call that is sent.
        The second prompt says what was wrong with the first answer, if the engine does not enforce schemas.
        Raises InvalidOutput, EngineFailed, EngineDead.
        """
        why = ""
        for number in range(CALLS_PER_ANSWER):
            next_call = call(number)
            if why and not self.engine.info.enforces_schema:
                next_call = with_correction(next_call, why)
            completion = await self._generate(next_call, on_text)
            problems = []
            for value in candidates(completion.text, completion.complete):
                try:
                    return read(value)
                except InvalidOutput as problem:
                    problems.append(problem.why)
            why = problems[0] if problems else "there is no JSON object in it"
            why = why if completion.complete else f"it was too long and was cut off; {why}"
        raise InvalidOutput(why)

    async def _generate(self, call: Call, on_text: Callable[[int, str], None]) -> Completion:
        """Send the call, again and again while the engine is busy, which counts as no failure."""
        while True:
            sent_at = await self.gate.enter(self.patient_until)
            self._sent += 1
            try:
                completion = await self._send(call, partial(on_text, self._sent))
            except EngineAway as away:
                self.gate.rejected(sent_at, None)
                away.after_seconds = self.gate.seconds()
                raise
            except EngineBusy as busy:
                self.gate.rejected(sent_at, busy.after_seconds)
                if time.monotonic() + self.gate.seconds() >= self.patient_until:
                    raise EngineBusy(str(busy), busy.said, self.gate.seconds()) from busy
            except EngineRefused as error:
                if error.affects_all:
                    self.gate.refused()
                raise
            else:
                self.gate.succeeded()
                return completion
            finally:
                self.gate.leave()

    async def _send(self, call: Call, on_text: Callable[[str], None]) -> Completion:
        self._tokens_in_flight[call.id] = 0
        self.enforced = self.enforced and self.engine.info.enforces_schema

        def count(text: str, tokens: int) -> None:
            self._tokens_in_flight[call.id] = tokens
            on_text(text)

        try:
            completion = await self.engine.generate(call, count)
        except BaseException:
            if tokens := self._tokens_in_flight[call.id]:
                self.usage.add_unfinished(prompt_tokens(call), tokens)
            raise
        finally:
            del self._tokens_in_flight[call.id]
        self.usage.add(completion)
        return completion

    def completion_tokens(self) -> int:
        """Tokens generated so far, by the calls that have ended and by those in flight."""
        ended = sum(one.completion_tokens for one in self.usage.completions)
        return ended + sum(self._tokens_in_flight.values())

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Measure the time of a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = round(time.monotonic() - began, 3)
