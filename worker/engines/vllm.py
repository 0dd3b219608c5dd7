"""vLLM in this process: one `AsyncLLM` for all slots; its core computes in a process of its own."""

from __future__ import annotations

import asyncio
import hashlib
import os
from pathlib import Path
from typing import Any

from prometheus_client import REGISTRY

from worker.engines import Call, EngineDead, EngineFailed, EngineInfo, OnText, Written

os.environ.setdefault("VLLM_NO_USAGE_STATS", "1")
os.environ.setdefault("VLLM_WORKER_MULTIPROC_METHOD", "spawn")
os.environ.setdefault("VLLM_CONFIGURE_LOGGING", "0")

from vllm import AsyncEngineArgs, SamplingParams
from vllm import __version__ as vllm_version
from vllm.platforms import current_platform
from vllm.sampling_params import RequestOutputKind, StructuredOutputsParams
from vllm.v1.engine.async_llm import AsyncLLM
from vllm.v1.engine.exceptions import EngineDeadError, EngineGenerateError

TEMPLATE_TOKENS = 64
"""Room for what the chat template puts around the two messages."""
WARM_UP = {"type": "object", "properties": {"ok": {"type": "boolean"}}, "required": ["ok"]}


GRAMMAR = {"backend": "guidance", "disable_any_whitespace": True}
"""llguidance: xgrammar's strings of bounded length let raw control characters through, which is no JSON."""


class VllmEngine:
    """`model` is a folder or a hub id; `max_num_seqs` sequences are generated at once; the rest is vLLM's."""

    def __init__(
        self,
        model: str,
        max_num_seqs: int = 30,
        max_model_len: int | None = None,
        gpu_memory_utilization: float = 0.92,
        enforce_eager: bool = False,
        **more: Any,
    ) -> None:
        self.info = EngineInfo("vllm", vllm_version, model, None, None)
        self._arguments = {
            "model": model,
            "max_num_seqs": max_num_seqs,
            "max_model_len": max_model_len,
            "gpu_memory_utilization": gpu_memory_utilization,
            "enforce_eager": enforce_eager,
            "enable_prefix_caching": True,
            "disable_log_stats": False,
            "structured_outputs_config": GRAMMAR,
        }
        if current_platform.is_cpu():
            # A prompt in several chunks rewinds a seeded generator, which torch's CPU generator can't.
            self._arguments |= {"enable_chunked_prefill": False, "max_num_batched_tokens": max_model_len}
        self._arguments |= more
        self._llm: AsyncLLM | None = None
        self._tokenizer: Any = None
        self._max_model_len = 0

    async def start(self) -> None:
        """Load the weights and generate once. Raises EngineFailed."""
        model = str(self.info.model)
        try:
            self._llm = AsyncLLM.from_engine_args(AsyncEngineArgs(**self._arguments))
        except (ValueError, OSError, RuntimeError) as error:
            reason = str(error).strip().splitlines() or [type(error).__name__]
            raise EngineFailed(f"vLLM can't load {model}: {reason[0][:300]}") from error
        config = self._llm.model_config
        self._tokenizer = self._llm.get_tokenizer()
        self._max_model_len = config.max_model_len
        digest = await asyncio.to_thread(weights_digest, Path(model))
        self.info = EngineInfo("vllm", vllm_version, model, digest, config.quantization)
        await self._warm_up()

    async def _warm_up(self) -> None:
        params = SamplingParams(max_tokens=16, structured_outputs=StructuredOutputsParams(json=WARM_UP))
        async for _ in self._ready().generate({"prompt_token_ids": self._encode("", "")}, params, "warm-up"):
            pass

    def prompt_budget(self, max_output_tokens: int) -> int | None:
        """What the context holds beside the answer and the chat template."""
        return self._max_model_len - max_output_tokens - TEMPLATE_TOKENS

    def count_tokens(self, text: str) -> int:
        """Tokens of `text` in the model's own tokenizer."""
        return len(self._tokenizer.encode(text, add_special_tokens=False))

    async def generate(self, call: Call, on_text: OnText) -> Written:
        """Write JSON that satisfies the schema. Cancelling aborts it in the core. Raises EngineFailed."""
        prompt = {"prompt_token_ids": self._encode(call.system, call.user)}
        text, written, cached, reason = "", 0, 0, None
        try:
            async for output in self._ready().generate(prompt, _sampling(call), call.id):
                (piece,) = output.outputs
                text, written = text + piece.text, written + len(piece.token_ids)
                reason = piece.finish_reason or reason
                cached = max(cached, output.num_cached_tokens or 0)
                if piece.text:
                    on_text(piece.text, written)
        except EngineDeadError as error:
            raise EngineDead from error
        except (EngineGenerateError, ValueError) as error:
            raise EngineFailed(f"vLLM stopped the generation ({type(error).__name__}).") from error
        return Written(text, reason == "stop", len(prompt["prompt_token_ids"]), cached, written)

    def _encode(self, system: str, user: str) -> list[int]:
        messages = [{"role": "system", "content": system}, {"role": "user", "content": user}]
        encoded = self._tokenizer.apply_chat_template(
            messages, add_generation_prompt=True, tokenize=True, return_dict=False
        )
        return list(encoded)

    def _ready(self) -> AsyncLLM:
        if self._llm is None:
            raise EngineFailed("vLLM is not loaded.")
        return self._llm

    async def alive(self) -> bool:
        """A question that the core process itself must answer (`check_health` only reads a flag here)."""
        try:
            await self._ready().is_sleeping()
        except EngineDeadError as error:
            raise EngineDead from error
        return True

    def load(self) -> tuple[int, int]:
        """The core's own count of sequences that it generates, and of those that wait in it."""
        return running_and_waiting()

    async def close(self) -> None:
        """End the core process."""
        if self._llm is not None:
            await asyncio.to_thread(self._llm.shutdown)
            self._llm = None


def _sampling(call: Call) -> SamplingParams:
    return SamplingParams(
        temperature=call.temperature,
        seed=call.seed,
        max_tokens=call.max_output_tokens,
        structured_outputs=StructuredOutputsParams(json=call.schema),
        output_kind=RequestOutputKind.DELTA,
    )


def running_and_waiting() -> tuple[int, int]:
    """What vLLM's own metrics in this process say of it."""
    counts = {"vllm:num_requests_running": 0.0, "vllm:num_requests_waiting": 0.0}
    for metric in REGISTRY.restricted_registry(list(counts)).collect():
        for sample in metric.samples:
            if sample.name in counts:
                counts[sample.name] += sample.value
    running, waiting = counts.values()
    return int(running), int(waiting)


def weights_digest(folder: Path) -> str | None:
    """SHA-256 over the names and SHA-256 digests of a local folder's safetensors; None for a hub id."""
    files = sorted(folder.glob("*.safetensors")) if folder.is_dir() else []
    if not files:
        return None
    total = hashlib.sha256()
    for path in files:
        with path.open("rb") as file:
            total.update(path.name.encode() + hashlib.file_digest(file, "sha256").digest())
    return total.hexdigest()
