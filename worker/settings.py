"""What the worker reads from its environment (`TIL_...`)."""

from __future__ import annotations

from pydantic import Field, SecretStr

from jobs.settings import ServerSettings


class WorkerSettings(ServerSettings):
    """`alias`: the model alias that this worker serves. Times in seconds; `model` is a folder or a hub id."""

    alias: str = "default"
    slots: int = Field(default=30, ge=1, le=1000)
    lease_seconds: float = Field(default=15.0, gt=0)
    drain_seconds: float = Field(default=25.0, ge=0)

    engine: str = "auto"
    model: str | None = None
    max_model_len: int | None = None
    gpu_memory_utilization: float = 0.92
    enforce_eager: bool = False
    openai_url: str | None = None
    openai_key: SecretStr | None = None
    openai_model: str | None = None
    outline_seconds: float = Field(default=0.0, ge=0)
