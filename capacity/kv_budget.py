"""Which jobs fit into an engine's KV cache: the claim asks for each, in order. Pure."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class KvCache:
    """An engine's KV cache, in blocks of `block_tokens` tokens of one group of layers.

    A group with full attention keeps every token of a sequence; a sliding one at most `window_tokens` of
    them, and one block more, where the window's edge falls inside a block. Tokens in flight, which a sliding
    group holds beside its windows, are not counted here: the engine sets them aside once. `longest_tokens`:
    prompt and answer of one sequence at the most.
    """

    blocks: int
    block_tokens: int
    longest_tokens: int
    full_groups: int = 1
    sliding_groups: int = 0
    window_tokens: int = 0

    def cost(self, tokens: int) -> int:
        """Blocks that a sequence of so many tokens, prompt and answer, holds at the most."""
        tokens = min(tokens, self.longest_tokens)
        full = math.ceil(tokens / self.block_tokens)
        sliding = min(full, math.ceil(min(tokens, self.window_tokens) / self.block_tokens) + 1)
        return self.full_groups * full + self.sliding_groups * sliding


@dataclass
class KvBudget:
    """The blocks that one claim may still fill.

    `empty`: nothing runs, so the first job is taken whatever its size. `parts_at_once`: of a job too large
    for one call, so many calls run at once. `refused`: a job did not fit, so it is worth claiming again as
    soon as blocks are freed.
    """

    cache: KvCache
    blocks_left: int
    empty: bool
    parts_at_once: int = 1
    refused: bool = False

    def take(self, tokens: int) -> bool:
        """Reserve the blocks of a job that was estimated at `tokens`; False when it does not fit."""
        cost = job_cost(self.cache, tokens, self.parts_at_once)
        if cost > self.blocks_left and not self.empty:
            self.refused = True
            return False
        self.blocks_left -= cost
        self.empty = False
        return True


def job_cost(cache: KvCache, tokens: int, parts_at_once: int) -> int:
    """Blocks for a job: those of its one call or, if it is too large for one, of its concurrent calls."""
    calls = min(parts_at_once, math.ceil(tokens / cache.longest_tokens))
    return max(1, calls) * cache.cost(tokens)
