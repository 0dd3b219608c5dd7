"""The engine for any OpenAI-compatible server."""

from __future__ import annotations

import asyncio
import contextlib
import math
import time
from dataclasses import replace

import structlog

from capacity.kv_budget import KvCache
from worker.engines import Call, Completion, Encoded, EngineAway, EngineInfo, OnText
from worker.engines.openai_server import OpenAIServer
from worker.engines.proof import WHAT, frees_aborted, honours_seed, how_to_ask, tell
from worker.engines.question import Asking, Question

PROMPT_BUDGET_TOKENS = 24_000
"""Where the context of the server's model is not known: 32k less the answer."""
TEMPLATE_TOKENS = 64
"""That a chat template adds to the two messages, at the most."""
TOOL_TOKENS = 2000
"""What it may put there of a tool's parameters, with a day's usual number of sources."""
PROOF_SECONDS = 60.0
"""For all of a proof."""
AGAIN_SECONDS, SELDOM_SECONDS = 60.0, 600.0
"""A proof that could not tell of schemas is repeated after the one, then doubling up to the other."""
log = structlog.get_logger()


class OpenAIEngine:
    """`url` ends in `/v1`. Each piece of an answer must come within `timeout_seconds`.

    `prove`: the server is tried at the start and whenever it comes back, since it may be another then. Until
    it was seen to enforce schemas, it is taken not to.
    """

    def __init__(
        self,
        url: str,
        key: str | None,
        model: str,
        timeout_seconds: float = 120,
        max_model_len: int | None = None,
        prove: bool = True,
    ) -> None:
        self.info = EngineInfo("openai", "unknown", model, None, None, enforces_schema=False)
        self._server = OpenAIServer(url, key, model, timeout_seconds)
        self._max_model_len = max_model_len
        self._running = 0
        self._prove = prove
        self._asking = Asking.FORMAT
        self._settled = asyncio.Event()
        """Not while it is found out how to ask a server that has come back."""
        self._settled.set()
        self._proving: asyncio.Task[None] | None = None
        self._prove_at = math.inf
        self._away = False
        self._pause_seconds = AGAIN_SECONDS

    async def start(self) -> None:
        """Check that the server offers the model, and try it. Raises EngineFailed for the first only."""
        self.info = replace(self.info, engine_version=await self._server.version())
        if self._prove:
            await self._try_server()

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """The context less the answer, by the server's own limit where it was set."""
        budget = self._max_model_len - max_output_tokens if self._max_model_len else PROMPT_BUDGET_TOKENS
        return budget - TOOL_TOKENS if self._asking is Asking.TOOL else budget

    def encode(self, system: str, user: str) -> Encoded:
        """An upper estimate: a token for two bytes, and the chat template."""
        size = len(system.encode(errors="replace")) + len(user.encode(errors="replace"))
        return Encoded(size // 2 + 1 + TEMPLATE_TOKENS)

    def kv_cache(self) -> KvCache | None:
        """None: the server manages it."""
        return None

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Stream one completion; cancelling closes the connection. Raises EngineFailed, InputTooLarge.

        When a server has come back, the call waits until it is known how to ask it for a schema.
        """
        self._running += 1
        try:
            await self._settled.wait()
            answer = await self._server.ask(self._question(call), on_text)
            return answer.completion(call)
        except EngineAway:
            self._doubt()
            raise
        finally:
            self._running -= 1

    def _question(self, call: Call) -> Question:
        return Question(
            call.system,
            call.user,
            call.temperature,
            call.seed,
            call.max_output_tokens,
            call.schema,
            self._asking,
        )

    async def alive(self) -> bool:
        """Whether the server answers and offers the model to this key; a busy server is alive.

        One that has come back is tried again, beside the calls.
        """
        alive = await self._server.alive()
        if not alive:
            self._doubt()
        elif self._away or time.monotonic() >= self._prove_at:
            if self._away:
                self._settled.clear()
            self._away, self._prove_at = False, math.inf
            self._proving = asyncio.create_task(self._try_server())
            self._proving.add_done_callback(_tell_crash)
        return alive

    def _doubt(self) -> None:
        """What comes back may be another server."""
        if self._prove:
            if self._proving is not None:
                self._proving.cancel()
            self._settled.set()
            self._away = True
            self.info = replace(self.info, enforces_schema=False)
            tell(**dict.fromkeys(WHAT))

    async def _try_server(self) -> None:
        """Find out what the server does, in bounded time; that it could not be told is no failure."""
        began = time.monotonic()
        proved: dict[str, bool | None] = dict.fromkeys(WHAT)
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                asking, proved["schema"] = await how_to_ask(self._server)
                self._asking = asking or self._asking
                self.info = replace(self.info, enforces_schema=proved["schema"] is True)
                self._settled.set()
                proved["seed"] = await honours_seed(self._server)
                proved["abort"] = await frees_aborted(self._server)
        except TimeoutError:
            log.warning("engine_proof_overran", seconds=PROOF_SECONDS)
        finally:
            self._settled.set()
        self._plan_next(proved["schema"])
        tell(**proved)
        seconds = round(time.monotonic() - began, 1)
        level = log.warning if False in proved.values() else log.info
        level("engine_proof", asked_by=str(self._asking), seconds=seconds, **proved)

    def _plan_next(self, schema: bool | None) -> None:
        if schema is None:
            self._prove_at = time.monotonic() + self._pause_seconds
            self._pause_seconds = min(SELDOM_SECONDS, 2 * self._pause_seconds)
        else:
            self._prove_at, self._pause_seconds = math.inf, AGAIN_SECONDS

    def load(self) -> tuple[int, int]:
        """The open calls, and 0: what waits in the server is not known here."""
        return self._running, 0

    async def close(self) -> None:
        """Close the connections."""
        if self._proving is not None:
            self._proving.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._proving
        await self._server.close()


def _tell_crash(proving: asyncio.Task[None]) -> None:
    if not proving.cancelled() and (error := proving.exception()):
        log.error("engine_proof_crashed", exc_info=error)
