"""The seam: an engine takes a `Call` and gives back what it wrote; one serves all of a worker's slots."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from capacity.kv_budget import KvCache
from til.request import TilRequest


class InputTooLarge(Exception):
    """The day's changes are too large for this model's context, even when they are read in parts."""


class EngineFailed(Exception):
    """The engine could not finish this call; another attempt may succeed.

    The message is for the job's owner; `said` are the server's own words, for the operator's log.
    """

    def __init__(self, message: str = "", said: str = "") -> None:
        super().__init__(message)
        self.said = said


class EngineTimeout(EngineFailed):
    """The engine did not answer in time; another attempt may succeed."""


class EngineBusy(EngineFailed):
    """The engine takes no call now; `after_seconds`: when it will, where it says so."""

    def __init__(self, message: str, said: str = "", after_seconds: float | None = None) -> None:
        super().__init__(message, said)
        self.after_seconds = after_seconds


class EngineAway(EngineBusy):
    """No call can reach the engine, or it takes none from this worker, whichever job it is for."""


class EngineRefused(EngineFailed):
    """The engine will refuse this call each time. `anyones`: perhaps those of all other jobs too."""

    def __init__(self, message: str, said: str = "", anyones: bool = False) -> None:
        super().__init__(message, said)
        self.anyones = anyones


class AnswerWithheld(EngineFailed):
    """The model, or a filter in front of it, refused to write the answer."""


class EngineDead(Exception):
    """The engine has died and won't come back in this process."""


@dataclass(frozen=True)
class Call:
    """One generation asked of an engine.

    `id` is unique per attempt; `system` and `user` are the chat messages for a model, `prompt_ids` the same
    in the model's tokens where the engine has its own tokenizer; `schema` is the JSON schema that the answer
    must satisfy; `request` serves the engine that has no model.
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
    """A prompt's size in tokens, chat template included; `ids` are None where the engine can't know them."""

    tokens: int
    ids: list[int] | None = None


@dataclass(frozen=True)
class Completion:
    """What an engine wrote: JSON `text`, token counts; `complete` is false when it was cut off by length."""

    text: str
    complete: bool
    prompt_tokens: int
    cached_tokens: int
    completion_tokens: int


@dataclass(frozen=True)
class EngineInfo:
    """What a result's provenance says of its engine. None where the engine cannot know.

    `enforces_schema`: nothing but what satisfies a call's schema can be generated.
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
        """Tokens that a prompt may take beside an answer of `max_output_tokens`; None: no bound."""

    def encode(self, system: str, user: str) -> Encoded:
        """The two chat messages in this engine's own tokenizer (an upper estimate where it has none).

        Called from threads, since it takes about a millisecond per kilobyte.
        """

    def kv_cache(self) -> KvCache | None:
        """How much it can hold at once, known once it has started; None: no bound that matters."""

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Write the answer to `call`. Cancelling the awaiting task aborts it in the engine.

        Raises EngineFailed when this attempt failed, EngineBusy when the call was not taken,
        EngineDead when no attempt here can succeed.
        """

    async def alive(self) -> bool:
        """True when the part that computes answers now; bounded in time by the caller. Raises EngineDead."""

    def load(self) -> tuple[int, int]:
        """Calls that are being generated, and those that wait inside the engine."""

    async def close(self) -> None:
        """Stop the engine and free what it holds."""
