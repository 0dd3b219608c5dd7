"""The interface of engines: `generate` takes a `Call` and returns a `Completion`. One serves all slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from capacity.kv_budget import KvCache
from til.request import TilRequest


class InputTooLarge(Exception):
    """The day's changes are too large for this model's context, even when they are read in parts."""


class EngineFailed(Exception):
    """The engine could not finish this call; another one may succeed.

    The message is for the job's owner; `said` is the server's own message, for the operator's log.
    """

    def __init__(self, message: str = "", said: str = "") -> None:
        super().__init__(message)
        self.said = said


class EngineTimeout(EngineFailed):
    """The engine did not answer in time; another call may succeed."""


class EngineBusy(EngineFailed):
    """The engine takes no call now; `after_seconds`: when it will, if it says so."""

    def __init__(self, message: str, said: str = "", after_seconds: float | None = None) -> None:
        super().__init__(message, said)
        self.after_seconds = after_seconds


class EngineAway(EngineBusy):
    """The engine can't be reached, or refuses every call of this worker (wrong key, wrong model)."""


class EngineRefused(EngineFailed):
    """The engine will refuse this call each time. `affects_all`: perhaps the calls of all jobs."""

    def __init__(self, message: str, said: str = "", affects_all: bool = False) -> None:
        super().__init__(message, said)
        self.affects_all = affects_all


class AnswerWithheld(EngineFailed):
    """The model, or a filter in front of it, refused to write the answer."""


class EngineDead(Exception):
    """The engine has died; only a new process has one again."""


@dataclass(frozen=True)
class Call:
    """One call of an engine.

    `id` is unique; `system` and `user` are the chat messages, `prompt_ids` the same as token ids if the
    engine has a tokenizer of its own; `schema`: of the answer's JSON; `request`: for the outline engine,
    which has no model.
    """

    id: str
    request: TilRequest
    system: str
    user: str
    schema: dict[str, Any]
    temperature: float
    seed: int
    max_output_tokens: int
    prompt_ids: list[int] | None = None


@dataclass(frozen=True)
class Encoded:
    """A prompt's size in tokens, chat template included; `ids` is None if the engine has no tokenizer."""

    tokens: int
    ids: list[int] | None = None


@dataclass(frozen=True)
class Completion:
    """The answer to a call: JSON `text` and token counts. `complete`: not cut off by length."""

    text: str
    complete: bool
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class EngineInfo:
    """What a result's provenance says of its engine. None: the engine does not know.

    `enforces_schema`: the engine can't generate anything that violates a call's schema.
    """

    engine: str
    engine_version: str
    model: str | None
    weights_digest: str | None
    quantization: str | None
    enforces_schema: bool = True


OnText = Callable[[str, int], None]
"""Called with the text written since the last call and the completion tokens so far; must not block."""


class Engine(Protocol):
    """A writer of posts, used from one asyncio loop."""

    info: EngineInfo

    async def start(self) -> None:
        """Load, warm up; returns when it can generate. Raises EngineFailed with one clear sentence."""

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """Tokens that a prompt may have with an answer of `max_output_tokens`; None: no bound."""

    def encode(self, system: str, user: str) -> Encoded:
        """Tokenize the two chat messages; an engine without a tokenizer returns an upper estimate.

        Called from threads, since it takes about a millisecond per kilobyte.
        """

    def kv_cache(self) -> KvCache | None:
        """The size of its KV cache, known after `start`; None: it sets no bound."""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Generate the answer to `call`. Cancelling the awaiting task aborts it in the engine.

        Raises EngineFailed when the call failed, EngineBusy when it was not taken, EngineDead when no call
        can succeed in this process.
        """

    async def alive(self) -> bool:
        """Whether the part that computes responds now. The caller bounds the time. Raises EngineDead."""

    def load(self) -> tuple[int, int]:
        """The number of calls that are being generated, and of those that wait inside the engine."""

    async def close(self) -> None:
        """Stop the engine and free what it holds."""
