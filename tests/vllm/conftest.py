"""One tiny model for the run, and the environment that vLLM's CPU build needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.tiny_model import build

CPU = {
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "VLLM_ENABLE_V1_MULTIPROCESSING": "1",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "OMP_NUM_THREADS": "1",
}
os.environ.update(CPU)


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A Gemma 3 of two tiny layers."""
    return build(tmp_path_factory.mktemp("model"))
