"""Which engine a worker runs: the one that was named, or the best that is there."""

from __future__ import annotations

from importlib.util import find_spec
from typing import Any

from worker.engines import Engine
from worker.engines.openai import OpenAIEngine
from worker.engines.outline import OutlineEngine


class EngineUnavailable(Exception):
    """The engine that was asked for can't run here."""


def choose(
    name: str,
    *,
    model: str | None = None,
    slots: int = 30,
    max_model_len: int | None = None,
    gpu_memory_utilization: float = 0.92,
    enforce_eager: bool = False,
    openai_url: str | None = None,
    openai_key: str | None = None,
    openai_model: str | None = None,
    outline_seconds: float = 0.0,
) -> tuple[Engine, str]:
    """The engine and, in a sentence, why this one. `auto`: vllm, else openai, else outline.

    Raises EngineUnavailable with the setting that is missing.
    """
    has_vllm = find_spec("vllm") is not None
    vllm = {
        "max_num_seqs": slots,
        "max_model_len": max_model_len,
        "gpu_memory_utilization": gpu_memory_utilization,
        "enforce_eager": enforce_eager,
    }
    if name == "vllm" or (name == "auto" and has_vllm and model):
        return _vllm(has_vllm, model, vllm), f"vLLM is installed and TIL_MODEL is {model}."
    if name == "openai" or (name == "auto" and openai_url):
        engine = _openai(openai_url, openai_key, openai_model)
        return engine, f"TIL_OPENAI_URL is set, the model is {openai_model}."
    if name in ("outline", "auto"):
        missing = "TIL_MODEL is not set" if has_vllm else "vLLM is not installed"
        why = "it was asked for." if name == "outline" else f"{missing} and TIL_OPENAI_URL is not set."
        return OutlineEngine(outline_seconds), why
    raise EngineUnavailable(f"TIL_ENGINE is {name!r}; it may be auto, vllm, openai or outline.")


def _vllm(has_vllm: bool, model: str | None, options: dict[str, Any]) -> Engine:
    if not has_vllm:
        raise EngineUnavailable("TIL_ENGINE is vllm, but the package vllm is not installed here.")
    if not model:
        raise EngineUnavailable("TIL_ENGINE is vllm, but TIL_MODEL names no model.")
    from worker.engines.vllm import VllmEngine  # noqa: PLC0415 - takes seconds and a gigabyte to import

    engine: Engine = VllmEngine(model, **options)
    return engine


def _openai(url: str | None, key: str | None, model: str | None) -> Engine:
    if not url or not model:
        missing = "TIL_OPENAI_URL" if not url else "TIL_OPENAI_MODEL"
        raise EngineUnavailable(f"TIL_ENGINE is openai, but {missing} is not set.")
    return OpenAIEngine(url, key, model)
