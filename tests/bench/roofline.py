"""GPU time of calls to Gemma 3 12B (4-bit weights) on an NVIDIA L4, by a roofline model. Pure.

A call reads its prompt once, bound by arithmetic, and then writes token by token, bound by memory: each step
of the engine reads the weights once for all B sequences that are written at the same time, and each one's own
KV cache. So one call takes, in seconds of the GPU,

    2 * P * prompt / F  +  output * ((W / B + kv(context)) / M  +  step / B)

with context = prompt + output / 2, the mean while it is written, and B = min(slots, what the KV cache holds
of such sequences). Left out, on either side: attention's arithmetic, the prefix cache, answers that are asked
for twice. It is a model: it compares two ways of work on one GPU, and does not replace a measurement.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

KIB, MIB, GIB = 2**10, 2**20, 2**30

PARAMETERS = 10.76e9
"""P: weights that every prompt token is multiplied with, by the model's shape: 48 layers of 2 * 3840 * 4096
(queries, output) + 2 * 3840 * 2048 (keys, values) + 3 * 3840 * 15360. The embedding is only looked up."""
WEIGHT_BYTES = 5.55e9 + 2.01e9
"""W: what a step reads: the int4 layers, and the bf16 embedding, which is the output layer too; no vision."""
PREFILL_FLOPS = 60e12
"""F: half of the 121 TFLOPS (bf16, dense) of NVIDIA's data sheet; assumed."""
BYTES_PER_SECOND = 240e9
"""M: 80 % of the 300 GB/s of NVIDIA's data sheet; assumed."""
STEP_SECONDS = 0.002
"""A step's scheduling, launches and sampling, whatever is in it; assumed."""
SLOTS = 30
"""Jobs at once on one GPU: the default of an L4's worker."""

WINDOW_TOKENS = 1024
GLOBAL_BYTES = 64 * KIB
"""Of a token in the 8 layers of full attention: 8 heads of 256, keys and values, bf16."""
LOCAL_BYTES = 320 * KIB
"""Of a token in the 40 layers that see the last `WINDOW_TOKENS` only."""
MEMORY_BYTES = 22.17 * GIB
"""What CUDA reports of an L4."""
MEMORY_SHARE = 0.92
"""vLLM's `gpu_memory_utilization`."""
LOADED_BYTES = 8.4e9 + 0.5 * GIB
"""All weights, and about half a gibibyte for activations and CUDA graphs."""
IN_FLIGHT_BYTES = 1024 * LOCAL_BYTES
"""One batch of prompt tokens, which the local layers hold beside the windows."""
CACHE_BYTES = MEMORY_BYTES * MEMORY_SHARE - LOADED_BYTES - IN_FLIGHT_BYTES


@dataclass(frozen=True)
class Call:
    """One generation: tokens that are read, and tokens that are written."""

    prompt_tokens: int
    output_tokens: int

    @property
    def context_tokens(self) -> float:
        """The mean while it is written."""
        return self.prompt_tokens + self.output_tokens / 2


@dataclass(frozen=True)
class Stage:
    """Calls of one post that wait for the stage before and not for each other; `at_once` at the most."""

    calls: Sequence[Call]
    at_once: int = SLOTS


def kv_bytes(context_tokens: float) -> float:
    """Bytes that a sequence of so many tokens holds, and that each of its steps reads."""
    return context_tokens * GLOBAL_BYTES + min(context_tokens, WINDOW_TOKENS) * LOCAL_BYTES


def sequences(context_tokens: float) -> int:
    """How many sequences of so many tokens the KV cache holds, slots aside; at least one."""
    return max(1, int(CACHE_BYTES / kv_bytes(max(1.0, context_tokens))))


def batch(call: Call) -> int:
    """B: so many calls like this one are written at once."""
    return min(SLOTS, sequences(call.context_tokens))


def gpu_seconds(call: Call) -> float:
    """The call's share of a full GPU's time: the formula above."""
    at_once = batch(call)
    prefill = 2 * PARAMETERS * call.prompt_tokens / PREFILL_FLOPS
    read = WEIGHT_BYTES / at_once + kv_bytes(call.context_tokens)
    return prefill + call.output_tokens * (read / BYTES_PER_SECOND + STEP_SECONDS / at_once)


def call_seconds(call: Call) -> float:
    """From start to end on a full GPU: by Little's law its B calls in flight times the GPU time of each."""
    return batch(call) * gpu_seconds(call)


def posts_per_hour(stages: Iterable[Stage]) -> float:
    """Posts that one full GPU finishes in an hour, if all are like this one: 3600 / sum of `gpu_seconds`."""
    return 3600 / sum(gpu_seconds(call) for stage in stages for call in stage.calls)


def post_seconds(stages: Iterable[Stage]) -> float:
    """A post's latency on a full GPU, where no call waits for a slot: stage after stage, each in rounds of
    `at_once` calls that last as long as their slowest."""
    total = 0.0
    for stage in stages:
        longest_first = sorted(map(call_seconds, stage.calls), reverse=True)
        total += sum(longest_first[:: stage.at_once])
    return total
