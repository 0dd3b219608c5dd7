"""The size of vLLM's KV cache, for an admission that never makes vLLM preempt a sequence."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass

import structlog
from vllm.config import VllmConfig

from capacity.kv_budget import KvCache

log = structlog.get_logger()


@dataclass(frozen=True)
class Groups:
    """How many groups of layers vLLM forms, with full and with sliding attention; a group shares blocks."""

    full: int
    sliding: int
    window: int = 0

    def longest(self, tokens: int, block: int, in_flight: int) -> int:
        """Blocks that vLLM's planner counts for a sequence of so many tokens."""
        seen = min(self.window - 1 + in_flight, tokens)
        return self.full * math.ceil(tokens / block) + self.sliding * (math.ceil(seen / block) + 1)


def kv_cache(config: VllmConfig) -> KvCache | None:
    """From the configuration of a started engine; None for a model without a KV cache.

    In each sliding group a sequence holds the blocks that its window touches, and blocks of tokens in flight.
    Over all sequences at most `max_in_flight_tokens` are in flight, so blocks for these are set aside once,
    instead of for each sequence. A sequence then costs ceil((window - 1) / block) + 2 blocks in the group, as
    both edges of the window may fall inside a block. One block, the null block, is never used. If these
    groups do not explain vLLM's own `kv_cache_max_concurrency`, every sequence counts as the longest.
    """
    cache, longest = config.cache_config, config.model_config.max_model_len
    if not cache.num_gpu_blocks or not cache.kv_cache_max_concurrency:
        return None
    planned = round(cache.num_gpu_blocks / cache.kv_cache_max_concurrency)
    block, in_flight = cache.block_size, config.max_in_flight_tokens
    groups = groups_of(config)
    if groups is None or groups.longest(longest, block, in_flight) != planned:
        log.warning("kv_groups_unknown", groups=groups, planned_blocks=planned)
        return KvCache(cache.num_gpu_blocks - 1, longest, longest, full_groups=planned)
    set_aside = groups.sliding * math.ceil(in_flight / block)
    return KvCache(
        blocks=max(0, cache.num_gpu_blocks - 1 - set_aside),
        block_tokens=block,
        longest_tokens=longest,
        full_groups=groups.full,
        sliding_groups=groups.sliding,
        window_tokens=groups.window - 1 + block if groups.sliding else 0,
    )


def groups_of(config: VllmConfig) -> Groups | None:
    """How vLLM groups this model's layers; None if it has layers other than full and sliding attention."""
    text = config.model_config.hf_text_config
    window = getattr(text, "sliding_window", None) or 0
    kinds = Counter(getattr(text, "layer_types", None) or ["full_attention"])
    full, sliding = kinds.pop("full_attention", 0), kinds.pop("sliding_attention", 0)
    if kinds or (sliding and not window):
        return None
    if not sliding or (full and config.scheduler_config.disable_hybrid_kv_cache_manager):
        return Groups(full=1, sliding=0)
    if not full:
        return Groups(full=0, sliding=1, window=window)
    few, many = sorted((full, sliding))
    size = many if many < 1.5 * few else few
    return Groups(math.ceil(full / size), math.ceil(sliding / size), window)
