"""What the worker reads from its environment (`TIL_...`)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pydantic import Field, SecretStr

from base.settings import ServerSettings
from til.tokens import CODE_TOKENS
from worker.engines.profile import merge

ENGINE_ARGUMENTS = {
    "model": "model",
    "model_revision": "revision",
    "slots": "max_num_seqs",
    "max_model_len": "max_model_len",
    "gpu_memory_utilization": "gpu_memory_utilization",
    "kv_cache_dtype": "kv_cache_dtype",
    "stream_interval": "stream_interval",
    "enforce_eager": "enforce_eager",
}
"""Settings, and what vLLM calls them."""


class WorkerSettings(ServerSettings):
    """`alias`: the model alias that this worker serves. Times in seconds.

    `profile` is one of those in worker/profiles or a path; `model` a folder, a hub id or an address in object
    storage; `cache_folder` keeps digests of weights whose own folder can't be written.
    """

    alias: str = "default"
    slots: int = Field(default=30, ge=1, le=1000)
    lease_seconds: float = Field(default=15.0, gt=0)
    drain_seconds: float = Field(default=25.0, ge=0)

    engine: str = "auto"
    profile: str | None = None
    model: str | None = None
    model_revision: str | None = None
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.92
    kv_cache_dtype: str | None = None
    stream_interval: int = Field(default=8, ge=1)
    enforce_eager: bool = False
    cache_folder: Path = Path("~/.cache/til-queue")
    openai_url: str | None = None
    openai_key: SecretStr | None = None
    openai_model: str | None = None
    openai_proof: bool = True
    code_tokens: int = Field(default=CODE_TOKENS, ge=0)
    outline_seconds: float = Field(default=0.0, ge=0)

    def engine_arguments(self, profile: dict[str, Any]) -> dict[str, Any]:
        """vLLM's arguments: what was set explicitly wins over the profile, and that over the defaults."""
        values = {
            name: value for name in ENGINE_ARGUMENTS if (value := getattr(self, name)) not in (None, "")
        }
        explicit = values.keys() & self.model_fields_set
        return merge(
            {ENGINE_ARGUMENTS[name]: value for name, value in values.items()},
            profile,
            {ENGINE_ARGUMENTS[name]: values[name] for name in explicit},
        )
