"""The vLLM engine: one `AsyncLLM` for all slots, whose core runs in a process of its own."""

from __future__ import annotations

import asyncio
import os
from dataclasses import fields
from pathlib import Path
from typing import Any

from jinja2 import TemplateError
from prometheus_client import REGISTRY

from capacity.kv_budget import KvCache
from worker.engines import Call, Completion, Encoded, EngineDead, EngineFailed, EngineInfo, OnText, weights
from worker.engines.chat import ChatTokenizer
from worker.engines.loading import Loading

os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
os.environ.setdefault("VLLM_CONFIGURE_LOGGING", "0")

from vllm import AsyncEngineArgs, SamplingParams
from vllm import __version__ as vllm_version
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

from worker.engines.vllm_cache import kv_cache
from worker.engines.vllm_cpu import Placement, limits
from worker.engines.vllm_model import Source, source_of

WARM_UP = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}
GRAMMAR = {"backend": "guidance", "disable_any_whitespace": True}
"""llguidance: xgrammar lets raw control characters into strings of bounded length, which JSON forbids."""
OURS: dict[str, Any] = {
    "enable_prefix_caching": True,
    "disable_log_stats": False,
    "structured_outputs_config": GRAMMAR,
}


class VllmEngine:
    """`model` is a folder, a hub id or an address in object storage; `arguments` are vLLM's own.

    `cache_folder`: where digests of weights are kept whose own folder can't be written.
    """

    def __init__(self, model: str, cache_folder: Path | None = None, **arguments: Any) -> None:
        self.info = EngineInfo("vllm", vllm_version, model, None, None)
        self._cache_folder = cache_folder
        self._arguments = OURS | arguments | limits(arguments.get("max_model_len"))
        self._placement = Placement()
        self._llm: AsyncLLM | None = None
        self._chat: ChatTokenizer
        self._kv_cache: KvCache | None = None
        self._max_model_len = 0

    async def start(self) -> None:
        """Load the weights and generate once. Raises EngineFailed."""
        try:
            await self._start()
        except EngineFailed:
            await self.close()
            raise

    async def _start(self) -> None:
        source = self._source()
        loading = Loading(source.weights_bytes())
        with loading.stage("load"), self._placement.core():
            self._llm = start_vllm(source.arguments | self._arguments)
        config = self._llm.vllm_config
        self._chat = ChatTokenizer(self._llm.get_tokenizer())
        self._max_model_len = config.model_config.max_model_len
        self._kv_cache = kv_cache(config)
        with loading.stage("digest"):
            folder = source.loaded_folder(config.model_config)
            digest = await asyncio.to_thread(weights.digest, folder, self._cache_folder)
        self.info = EngineInfo("vllm", vllm_version, source.name, digest, config.model_config.quantization)
        with loading.stage("warm_up"):
            await self._warm_up()
        loading.ready(model=source.name, weights_digest=digest)

    def _source(self) -> Source:
        unknown = self._arguments.keys() - {field.name for field in fields(AsyncEngineArgs)}
        if unknown:
            names = ", ".join(sorted(unknown))
            raise EngineFailed(f"The profile sets {names}, which vLLM {vllm_version} does not know.")
        revision = self._arguments.pop("revision", None)
        return source_of(str(self.info.model), revision, self._arguments.get("download_dir"))

    async def _warm_up(self) -> None:
        try:
            prompt = {"prompt_token_ids": self.encode("Answer.", "Are you ready?").ids}
        except (TemplateError, ValueError) as error:
            raise EngineFailed(
                f"The model's chat template takes no system and user message: {error}"
            ) from error
        params = SamplingParams(max_tokens=16, structured_outputs=StructuredOutputsParams(json=WARM_UP))
        async for _ in self._ready().generate(prompt, params, "warm-up"):
            pass

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """The model's context less the answer."""
        return self._max_model_len - max_output_tokens

    def encode(self, system: str, user: str) -> Encoded:
        """The prompt exactly as the model gets it. Thread-safe."""
        return self._chat.encode(system, user)

    def kv_cache(self) -> KvCache | None:
        """The size of the core's KV cache."""
        return self._kv_cache

    async def generate(self, call: Call, on_text: OnText) -> Completion:
        """Generate JSON that satisfies the schema. Cancelling aborts it in the core. Raises EngineFailed."""
        ids = call.prompt_ids
        if ids is None:
            ids = (await asyncio.to_thread(self.encode, call.system, call.user)).ids or []
        text, tokens, cached, reason = "", 0, 0, None
        try:
            async for output in self._ready().generate({"prompt_token_ids": ids}, _sampling(call), call.id):
                (piece,) = output.outputs
                text, tokens = text + piece.text, tokens + len(piece.token_ids)
                reason = piece.finish_reason or reason
                cached = max(cached, output.num_cached_tokens or 0)
                if piece.text:
                    on_text(piece.text, tokens)
        except EngineDeadError as error:
            raise EngineDead from error
        except (EngineGenerateError, ValueError) as error:
            raise EngineFailed(f"vLLM stopped the generation ({type(error).__name__}).") from error
        return Completion(text, reason == "stop", len(ids), cached, tokens)

    def _ready(self) -> AsyncLLM:
        if self._llm is None:
            raise EngineFailed("vLLM is not loaded.")
        return self._llm

    async def alive(self) -> bool:
        """A call that the core process itself must answer; `check_health` would only read a flag here."""
        try:
            await self._ready().is_sleeping()
        except EngineDeadError as error:
            raise EngineDead from error
        return True

    def load(self) -> tuple[int, int]:
        """The core's own counts of running and waiting sequences."""
        return running_and_waiting()

    async def close(self) -> None:
        """End the core process."""
        if self._llm is not None:
            await asyncio.to_thread(self._llm.shutdown)
            self._llm = None
        self._placement.reset()


def start_vllm(arguments: dict[str, Any]) -> AsyncLLM:
    """Start vLLM; blocks until the weights are loaded. Raises EngineFailed with vLLM's reason."""
    try:
        return AsyncLLM.from_engine_args(AsyncEngineArgs(**arguments))
    except (ValueError, TypeError, OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise EngineFailed(f"vLLM can't load {arguments['model']}: {reason}") from error


def _sampling(call: Call) -> SamplingParams:
    return SamplingParams(
        temperature=call.temperature,
        seed=call.seed,
        max_tokens=call.max_output_tokens,
        structured_outputs=StructuredOutputsParams(json=call.schema),
        output_kind=RequestOutputKind.DELTA,
    )


def running_and_waiting() -> tuple[int, int]:
    """The numbers of running and waiting sequences, from vLLM's metrics in this process."""
    counts = {"vllm:num_requests_running": 0.0, "vllm:num_requests_waiting": 0.0}
    for metric in REGISTRY.restricted_registry(list(counts)).collect():
        for sample in metric.samples:
            if sample.name in counts:
                counts[sample.name] += sample.value
    running, waiting = counts.values()
    return int(running), int(waiting)
