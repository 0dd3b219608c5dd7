"""What vLLM's KV cache has room for: on an L4 by vLLM's own planner, in the real engine until it preempts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from random import Random

import pytest
import pytest_asyncio
import torch
from prometheus_client import REGISTRY
from vllm import AsyncEngineArgs
from vllm.config import VllmConfig
from vllm.v1.core.kv_cache_utils import get_kv_cache_configs, update_kv_cache_capacity
from vllm.v1.kv_cache_interface import FullAttentionSpec, KVCacheSpec, SlidingWindowSpec

from capacity.kv_budget import KvCache
from tests.vllm.test_engine import LONG, call
from worker.engines.profile import names, read
from worker.engines.vllm import VllmEngine
from worker.engines.vllm_cache import kv_cache

pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
one_loop = pytest.mark.asyncio(loop_scope="module")
GIB = 2**30
L4_BYTES = int(22.17 * GIB)
"""What CUDA reports of an L4's 24 GB."""
OTHER_BYTES = 8_400_000_000 + GIB // 2
"""The weights, and about half a gibibyte for activations and CUDA graphs."""
BLOCK = 32
FIT = 8
"""So many sequences of SHORT tokens fit into the small engine's cache."""
SHORT = 640


@pytest.fixture(scope="module")
def l4(tmp_path_factory: pytest.TempPathFactory) -> VllmConfig:
    """The L4's profile for the shape of Gemma 3 12B, as on a GPU: blocks of 16, two batches in flight."""
    from transformers import Gemma3TextConfig

    folder = tmp_path_factory.mktemp("gemma")
    Gemma3TextConfig(
        architectures=["Gemma3ForCausalLM"],
        num_hidden_layers=48,
        hidden_size=3840,
        intermediate_size=15360,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=256,
        sliding_window=1024,
        max_position_embeddings=131072,
        dtype="bfloat16",
    ).save_pretrained(folder)
    arguments = read("l4-gemma-3-12b") | {"model": str(folder), "block_size": 16}
    config = AsyncEngineArgs(**arguments).create_engine_config()
    config.scheduler_config.async_scheduling = True
    config.cache_config.kv_cache_layout = "LBNHC"
    return config


def planned(config: VllmConfig, kv_type: torch.dtype) -> KvCache:
    """Let vLLM's own planner divide an L4's memory; what we make of it."""
    kinds = config.model_config.hf_text_config.layer_types
    assert (len(kinds), kinds.count("full_attention")) == (48, 8)
    specs: dict[str, KVCacheSpec] = {}
    for n, kind in enumerate(kinds):
        same = {"block_size": 16, "num_kv_heads": 8, "head_size": 256, "dtype": kv_type}
        sliding = SlidingWindowSpec(**same, sliding_window=1024, dcp_sharded=False)
        specs[f"layers.{n}"] = FullAttentionSpec(**same) if kind == "full_attention" else sliding
    memory = int(L4_BYTES * config.cache_config.gpu_memory_utilization) - OTHER_BYTES
    (plan,) = get_kv_cache_configs(config, [specs], [memory])
    config.cache_config.num_gpu_blocks = plan.num_blocks
    update_kv_cache_capacity(config, plan)
    made = kv_cache(config)
    assert made is not None
    return made


@pytest.mark.parametrize("name", names())
def test_every_key_of_a_profile_is_an_argument_of_this_vllm(name: str) -> None:
    profile = read(name) | {"model": "."}
    made = AsyncEngineArgs(**profile)
    assert {key: getattr(made, key) for key in profile} == profile


def test_an_l4_has_room_for_so_many_posts_of_each_size(l4: VllmConfig) -> None:
    budget, double = planned(l4, torch.bfloat16), planned(l4, torch.float8_e4m3fn)
    assert (budget.full_groups, budget.sliding_groups, l4.max_in_flight_tokens) == (1, 5, 2048)
    for tokens, said in ((1024, 31), (2048, 26), (4096, 21), (8192, 14)):
        assert abs(budget.blocks // budget.cost(tokens) - said) <= 1
        assert abs(double.blocks // double.cost(tokens) - 2 * said) <= 2


def test_layers_that_are_not_understood_charge_every_sequence_as_the_longest(l4: VllmConfig) -> None:
    known, text = planned(l4, torch.bfloat16), l4.model_config.hf_text_config
    kinds, text.layer_types = text.layer_types, ["full_attention"] * 48
    try:
        unknown = kv_cache(l4)
    finally:
        text.layer_types = kinds
    assert unknown is not None
    assert unknown.cost(1) == unknown.cost(16384) >= known.cost(16384)
    assert unknown.blocks // unknown.cost(1) == int(l4.cache_config.kv_cache_max_concurrency or 0)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def small(tiny_model: Path) -> AsyncIterator[VllmEngine]:
    """An engine with a window of 64 tokens: room for FIT sequences, one batch and the null block."""
    cost = 20 + 4
    made = VllmEngine(
        str(tiny_model),
        max_num_seqs=30,
        max_model_len=1024,
        enforce_eager=True,
        block_size=BLOCK,
        hf_overrides={"sliding_window": 64},
        num_gpu_blocks_override=FIT * cost + 1024 // BLOCK + 1,
    )
    await made.start()
    yield made
    await made.close()


def vllm_says(name: str) -> float:
    metrics = REGISTRY.restricted_registry([name]).collect()
    return sum(s.value for metric in metrics for s in metric.samples if s.name == name)


async def write(engine: VllmEngine, sizes: list[tuple[int, int]], budget: int) -> tuple[float, float]:
    """Write answers to prompts of these sizes, as many at once as cost no more blocks than `budget`.

    vLLM's preemptions, and the fullest that its cache was.
    """
    cache, turn, left = engine.kv_cache(), asyncio.Condition(), budget
    assert cache is not None
    before, fullest = vllm_says("vllm:num_preemptions_total"), 0.0

    def watch(_: str, __: int) -> None:
        nonlocal fullest
        fullest = max(fullest, vllm_says("vllm:kv_cache_usage_perc"))

    async def one(n: int, prompt: int, answer: int) -> None:
        nonlocal left
        cost = cache.cost(prompt + answer)
        async with turn:
            await turn.wait_for(lambda: left >= cost)
            left -= cost
        ids = [100 + n, *([200 + n] * (prompt - 1))]
        asked = replace(call(f"s{n}", LONG, seed=n, max_output_tokens=answer), prompt_ids=ids)
        assert (await engine.generate(asked, watch)).completion_tokens == answer
        async with turn:
            left += cost
            turn.notify_all()

    await asyncio.gather(*(one(n, *size) for n, size in enumerate(sizes)))
    return vllm_says("vllm:num_preemptions_total") - before, fullest


@one_loop
async def test_work_that_fits_is_never_preempted_and_fills_the_cache(small: VllmEngine) -> None:
    budget = small.kv_cache()
    assert budget is not None
    assert (budget.sliding_groups, budget.blocks // budget.cost(SHORT)) == (1, FIT)
    preempted, fullest = await write(small, [(40, SHORT - 40)] * FIT, budget.blocks)
    assert preempted == 0
    assert fullest > 0.75


@one_loop
async def test_posts_of_every_size_that_come_as_room_appears_are_never_preempted(small: VllmEngine) -> None:
    budget = small.kv_cache()
    assert budget is not None
    luck = Random(7)
    sizes = [(luck.randint(2, 900), luck.randint(8, 120)) for _ in range(60)]
    preempted, _ = await write(small, sizes, budget.blocks)
    assert preempted == 0


@one_loop
async def test_more_than_fits_is_preempted(small: VllmEngine) -> None:
    preempted, _ = await write(small, [(40, SHORT - 40)] * (3 * FIT), 1_000_000)
    assert preempted > 0
