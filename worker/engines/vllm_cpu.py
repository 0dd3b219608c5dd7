"""vLLM's CPU build: what it can't do, and how it leaves a small machine's second CPU to all else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from vllm.platforms import current_platform

SMALL_MACHINE = 2


def limits(longest: int | None) -> dict[str, Any]:
    """Arguments that hold on a CPU, whatever a profile says.

    A prompt in several chunks rewinds a seeded generator, which torch's CPU generator can't.
    """
    if not current_platform.is_cpu():
        return {}
    return {"enable_chunked_prefill": False, "max_num_batched_tokens": longest}


@contextlib.contextmanager
def core_on_one_cpu() -> Iterator[None]:
    """vLLM's processes that are started meanwhile share one CPU where there are but two.

    Its scheduler and its model take turns, and each asks without a pause whether it is its turn. On two CPUs
    they keep both busy, are no faster for it, and starve all else on the machine for seconds (decision 0017).
    """
    cpus = os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set[int]()
    if not current_platform.is_cpu() or len(cpus) != SMALL_MACHINE:
        yield
        return
    os.sched_setaffinity(0, {min(cpus)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, cpus)
