"""Chooses a worker's engine: the one that TIL_ENGINE names, or the best that is available."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from typing import Any

from worker.engines import Engine
from worker.engines.openai import OpenAIEngine
from worker.engines.outline.engine import OutlineEngine


class EngineUnavailable(Exception):
    """The engine that was asked for can't run here."""


def choose(
    name: str,
    *,
    vllm: dict[str, Any] | None = None,
    cache_folder: Path | None = None,
    openai_url: str | None = None,
    openai_key: str | None = None,
    openai_model: str | None = None,
    openai_proof: bool = True,
    outline_seconds: float = 0.0,
) -> tuple[Engine, str]:
    """The engine and, in a sentence, why this one. `auto`: vllm, else openai, else outline.

    `vllm`: its arguments, `model` among them. Raises EngineUnavailable with the setting that is missing.
    """
    has_vllm, arguments = find_spec("vllm") is not None, vllm or {}
    if name == "vllm" or (name == "auto" and has_vllm and arguments.get("model")):
        return _vllm(
            has_vllm, cache_folder, arguments
        ), f"vLLM is installed, the model is {arguments['model']}."
    if name == "openai" or (name == "auto" and openai_url):
        engine = _openai(openai_url, openai_key, openai_model, openai_proof)
        return engine, f"TIL_OPENAI_URL is set, the model is {openai_model}."
    if name in ("outline", "auto"):
        missing = "TIL_MODEL is not set" if has_vllm else "vLLM is not installed"
        why = "it was asked for." if name == "outline" else f"{missing} and TIL_OPENAI_URL is not set."
        return OutlineEngine(outline_seconds), why
    raise EngineUnavailable(f"TIL_ENGINE is {name!r}; it may be auto, vllm, openai or outline.")


def _vllm(has_vllm: bool, cache_folder: Path | None, arguments: dict[str, Any]) -> Engine:
    if not has_vllm:
        raise EngineUnavailable("TIL_ENGINE is vllm, but the package vllm is not installed here.")
    if not arguments.get("model"):
        raise EngineUnavailable("TIL_ENGINE is vllm, but neither TIL_MODEL nor TIL_PROFILE names a model.")
    from worker.engines.vllm import VllmEngine  # noqa: PLC0415 - takes seconds and a gigabyte to import

    engine: Engine = VllmEngine(cache_folder=cache_folder, **arguments)
    return engine


def _openai(url: str | None, key: str | None, model: str | None, prove: bool) -> Engine:
    if not url or not model:
        missing = "TIL_OPENAI_URL" if not url else "TIL_OPENAI_MODEL"
        raise EngineUnavailable(f"TIL_ENGINE is openai, but {missing} is not set.")
    return OpenAIEngine(url, key, model, prove=prove)
