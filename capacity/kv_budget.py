"""Whether a job fits into an engine's KV cache: the claim checks each job, in order. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class KvCache:
    """An engine's KV cache, in blocks of `block_tokens` tokens of one group of layers.

    A group with full attention keeps every token of a sequence. A group with a sliding window keeps at most
    `window_tokens`, and one block more because the window may begin inside a block. The tokens of the step
    that is being computed are not counted here: the engine reserves room for them once. `longest_tokens`: the
    limit on prompt and answer of one sequence.
    """

    blocks: int
    block_tokens: int
    longest_tokens: int
    full_groups: int = 1
    sliding_groups: int = 0
    window_tokens: int = 0

    def cost(self, tokens: int) -> int:
        """The most blocks that a sequence of `tokens` tokens, prompt and answer, takes."""
        tokens = min(tokens, self.longest_tokens)
        full = math.ceil(tokens / self.block_tokens)
        sliding = min(full, math.ceil(min(tokens, self.window_tokens) / self.block_tokens) + 1)
        return self.full_groups * full + self.sliding_groups * sliding


@dataclass
class KvBudget:
    """The blocks that one claim may still fill.

    `empty`: no job runs, so the first one is taken whatever its size. `parts_at_once`: the number of
    concurrent calls of a job that is too large for one call. `refused`: a job did not fit, so the worker
    should claim again as soon as blocks are freed.
    """

    cache: KvCache
    blocks_left: int
    empty: bool
    parts_at_once: int = 1
    refused: bool = False

    def take(self, tokens: int) -> bool:
        """Reserve the blocks of a job of an estimated `tokens`. False: it does not fit."""
        cost = job_cost(self.cache, tokens, self.parts_at_once)
        if cost > self.blocks_left and not self.empty:
            self.refused = True
            return False
        self.blocks_left -= cost
        self.empty = False
        return True


def job_cost(cache: KvCache, tokens: int, parts_at_once: int) -> int:
    """Blocks of a job: of its one call or, if it is too large for one, of its concurrent calls."""
    calls = min(parts_at_once, math.ceil(tokens / cache.longest_tokens))
    return max(1, calls) * cache.cost(tokens)
