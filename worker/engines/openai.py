"""The engine for any OpenAI-compatible server; the proof tells what the server really does."""

from __future__ import annotations

import asyncio
import math
import time
from dataclasses import replace

import structlog

from capacity.kv_budget import KvCache
from worker.engines import Call, Completion, Encoded, EngineAway, EngineInfo, OnText
from worker.engines.chat_request import ChatRequest, SchemaMode
from worker.engines.openai_server import OpenAIServer
from worker.engines.proof import CHECKS, choose_schema_mode, honours_seed, stops_aborted_calls
from worker.metrics import export_proof

PROMPT_BUDGET_TOKENS = 24_000
"""Where the context of the server's model is not known: 32k less the answer."""
TEMPLATE_TOKENS = 64
"""That a chat template adds to the two messages, at the most."""
TOOL_TOKENS = 2000
"""That it may add for the parameters of a tool, with a day's usual number of sources."""
PROOF_SECONDS = 60.0
"""How long a proof may take."""
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 60.0, 600.0
"""A proof that did not show whether schemas are enforced is repeated; the pauses double."""
log = structlog.get_logger()


class OpenAIEngine:
    """`url` ends in `/v1`. Each piece of an answer must come within `timeout_seconds`.

    `prove`: run the proof at the start and whenever the server comes back, since it may be another one then.
    Without a proof the server counts as one that does not enforce schemas.
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
        self._schema_mode = SchemaMode.RESPONSE_FORMAT
        self._mode_known = asyncio.Event()
        """Unset while the mode of a server that has come back is being found out."""
        self._mode_known.set()
        self._proof_task: asyncio.Task[None] | None = None
        self._retry_at = math.inf
        self._away = False
        self._retry_seconds = FIRST_RETRY_SECONDS

    async def start(self) -> None:
        """Check that the server offers the model, else raise EngineFailed; then run the proof."""
        self.info = replace(self.info, engine_version=await self._server.version())
        if self._prove:
            await self._run_proof()

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """The context less the answer, if the context is known."""
        budget = self._max_model_len - max_output_tokens if self._max_model_len else PROMPT_BUDGET_TOKENS
        return budget - TOOL_TOKENS if self._schema_mode is SchemaMode.TOOL_CHOICE else budget

    def encode(self, system: str, user: str) -> Encoded:
        """An upper estimate: a token for two bytes, and the chat template."""
        size = len(system.encode(errors="replace")) + len(user.encode(errors="replace"))
        return Encoded(size // 2 + 1 + TEMPLATE_TOKENS)

    def kv_cache(self) -> KvCache | None:
        """None: the server manages it."""
        return None

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Stream one completion; cancelling closes the connection. Raises EngineFailed, InputTooLarge.

        After an outage the call waits until it is known how to send its schema.
        """
        self._running += 1
        try:
            await self._mode_known.wait()
            answer = await self._server.chat(self._request(call), on_text)
            return answer.completion(call)
        except EngineAway:
            self._discard_proof()
            raise
        finally:
            self._running -= 1

    def _request(self, call: Call) -> ChatRequest:
        return ChatRequest(
            call.system,
            call.user,
            call.temperature,
            call.seed,
            call.max_output_tokens,
            call.schema,
            self._schema_mode,
        )

    async def alive(self) -> bool:
        """Whether the server answers and offers the model to this key; a busy server is alive.

        Starts a proof, in the background, if the server has come back or a proof is to be repeated.
        """
        alive = await self._server.alive()
        if not alive:
            self._discard_proof()
        elif self._away or time.monotonic() >= self._retry_at:
            if self._away:
                self._mode_known.clear()
            self._away, self._retry_at = False, math.inf
            self._proof_task = asyncio.create_task(self._run_proof())
            self._proof_task.add_done_callback(_log_crash)
        return alive

    def _discard_proof(self) -> None:
        """Forget the results: the server that comes back may be another one."""
        if self._prove:
            if self._proof_task is not None:
                self._proof_task.cancel()
            self._mode_known.set()
            self._away = True
            self.info = replace(self.info, enforces_schema=False)
            export_proof(**dict.fromkeys(CHECKS))

    async def _run_proof(self) -> None:
        """Run all checks within `PROOF_SECONDS`, then export and log the results."""
        began = time.monotonic()
        results: dict[str, bool | None] = dict.fromkeys(CHECKS)
        try:
            async with asyncio.timeout(PROOF_SECONDS):
                mode, results["schema"] = await choose_schema_mode(self._server)
                self._schema_mode = mode or self._schema_mode
                self.info = replace(self.info, enforces_schema=results["schema"] is True)
                self._mode_known.set()
                results["seed"] = await honours_seed(self._server)
                results["abort"] = await stops_aborted_calls(self._server)
        except TimeoutError:
            log.warning("engine_proof_timed_out", seconds=PROOF_SECONDS)
        finally:
            self._mode_known.set()
        self._schedule_retry(results["schema"])
        export_proof(**results)
        seconds = round(time.monotonic() - began, 1)
        level = log.warning if False in results.values() else log.info
        level("engine_proof", schema_mode=str(self._schema_mode), seconds=seconds, **results)

    def _schedule_retry(self, schema: bool | None) -> None:
        if schema is None:
            self._retry_at = time.monotonic() + self._retry_seconds
            self._retry_seconds = min(LONGEST_RETRY_SECONDS, 2 * self._retry_seconds)
        else:
            self._retry_at, self._retry_seconds = math.inf, FIRST_RETRY_SECONDS

    def load(self) -> tuple[int, int]:
        """The open calls, and 0: what waits in the server is not known here."""
        return self._running, 0

    async def close(self) -> None:
        """Stop a running proof and close the connections."""
        if self._proof_task is not None:
            self._proof_task.cancel()
            await asyncio.wait({self._proof_task})
        await self._server.close()


def _log_crash(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and (error := task.exception()):
        log.error("engine_proof_crashed", exc_info=error)
