"""Asks an engine for JSON: an answer that was cut off is closed, an unusable one asked for again."""

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
from worker.writing.correction import corrected
from worker.writing.schema import InvalidOutput
from worker.writing.spent import Spent
from worker.writing.unwrap import candidates

TRIES = 2
T = TypeVar("T")


@dataclass
class CallSession:
    """All calls of one run, and what they have cost. A server that takes no more is waited for until then.

    `enforced`: each call was sent to an engine that was known to enforce schemas.
    """

    engine: Engine
    spent: Spent = field(default_factory=Spent)
    gate: Backpressure = field(default_factory=Backpressure)
    patient_until: float = math.inf
    seconds: dict[str, float] = field(default_factory=dict)
    enforced: bool = True
    _flying: dict[str, int] = field(default_factory=dict)
    _sent: int = 0

    async def ask(
        self, call: Callable[[int], Call], read: Callable[[Any], T], on_text: Callable[[int, str], None]
    ) -> T:
        """What `read` makes of the answer to `call(0)` or, if that raises InvalidOutput, to `call(1)`.

        `on_text(number, text)` gets the answer as it comes, with another number for each that begins anew.
        A model that nothing holds to the schema is told what was wrong. Raises InvalidOutput, EngineFailed,
        EngineDead.
        """
        why = ""
        for number in range(TRIES):
            asked = call(number)
            if why and not self.engine.info.enforces_schema:
                asked = corrected(asked, why)
            written = await self._generate(asked, on_text)
            problems = []
            for value in candidates(written.text, written.complete):
                try:
                    return read(value)
                except InvalidOutput as problem:
                    problems.append(problem.why)
            why = problems[0] if problems else "there is no JSON object in it"
            why = why if written.complete else f"it was too long and was cut off; {why}"
        raise InvalidOutput(why)

    async def _generate(self, call: Call, on_text: Callable[[int, str], None]) -> Completion:
        """Send the call as soon as the engine takes one; a refusal because it is busy is no failure."""
        while True:
            sent_at = await self.gate.enter(self.patient_until)
            self._sent += 1
            try:
                written = await self._send(call, partial(on_text, self._sent))
            except EngineAway as away:
                self.gate.pushed_back(sent_at, None)
                away.after_seconds = self.gate.seconds()
                raise
            except EngineBusy as busy:
                self.gate.pushed_back(sent_at, busy.after_seconds)
                if time.monotonic() + self.gate.seconds() >= self.patient_until:
                    raise EngineBusy(str(busy), busy.said, self.gate.seconds()) from busy
            except EngineRefused as error:
                if error.anyones:
                    self.gate.refused()
                raise
            else:
                self.gate.taken()
                return written
            finally:
                self.gate.leave()

    async def _send(self, call: Call, on_text: Callable[[str], None]) -> Completion:
        self._flying[call.id] = 0
        self.enforced = self.enforced and self.engine.info.enforces_schema

        def told(text: str, tokens: int) -> None:
            self._flying[call.id] = tokens
            on_text(text)

        try:
            written = await self.engine.generate(call, told)
        except BaseException:
            if came := self._flying[call.id]:
                self.spent.add_broken(prompt_tokens(call), came)
            raise
        finally:
            del self._flying[call.id]
        self.spent.add(written)
        return written

    def completion_tokens(self) -> int:
        """Tokens written so far, by the calls that have ended and by those that run."""
        return sum(one.completion_tokens for one in self.spent.written) + sum(self._flying.values())

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Take the time of a stage."""
        began = time.monotonic()
        try:
            yield
        finally:
            self.seconds[stage] = round(time.monotonic() - began, 3)
