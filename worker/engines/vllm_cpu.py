"""vLLM's CPU build: its limits, and how it shares the CPUs of a small machine with other processes."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from vllm.platforms import current_platform
from vllm.v1.executor.uniproc_executor import UniProcExecutor

SMALL_MACHINE = 2


def cpus() -> set[int]:
    """The CPUs on which this thread may run; none where the system can't say."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def limits(longest: int | None) -> dict[str, Any]:
    """Engine arguments that the CPU build needs, whatever a profile says.

    Chunked prefill is off: with it vLLM rewinds a seeded random generator, which torch's CPU generator can't.

    With two CPUs or less, the scheduler and the model share a process. In two processes they take turns and
    wait for each other in a busy loop, so that both CPUs do the work of one, and other processes get no CPU
    time for seconds (decision 0018).
    """
    if not current_platform.is_cpu():
        return {}
    chunks = {"enable_chunked_prefill": False, "max_num_batched_tokens": longest}
    if len(cpus()) > SMALL_MACHINE:
        return chunks
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return chunks | {"distributed_executor_backend": UniProcExecutor}


class Placement:
    """CPU affinity on a machine with two CPUs: one for vLLM's core, the other for the thread that uses it."""

    def __init__(self) -> None:
        self._all = cpus() if current_platform.is_cpu() and len(cpus()) == SMALL_MACHINE else set[int]()

    @contextlib.contextmanager
    def core(self) -> Iterator[None]:
        """Processes started inside the block run on the first CPU; after it this thread runs on the other."""
        if not self._all:
            yield
            return
        first = {min(self._all)}
        os.sched_setaffinity(0, first)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self._all - first)

    def reset(self) -> None:
        """Let this thread run on both CPUs again."""
        if self._all:
            os.sched_setaffinity(0, self._all)
