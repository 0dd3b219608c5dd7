"""vLLM's CPU build: what it can't do, and how it shares a small machine with all else."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from vllm.platforms import current_platform
from vllm.v1.executor.uniproc_executor import UniProcExecutor

SMALL_MACHINE = 2


def cpus() -> set[int]:
    """Those on which this thread may run; none where nobody can say."""
    return os.sched_getaffinity(0) if hasattr(os, "sched_getaffinity") else set()


def limits(longest: int | None) -> dict[str, Any]:
    """Arguments that hold on a CPU, whatever a profile says.

    A prompt in several chunks rewinds a seeded generator, which torch's CPU generator can't.

    With two CPUs or less, the scheduler and the model share a process. In two processes they take turns, and
    each asks without a pause whether it is its turn: both CPUs are busy with the work of one, and all else
    on the machine is starved, for seconds with Linux 6.18 (decision 0018).
    """
    if not current_platform.is_cpu():
        return {}
    chunks = {"enable_chunked_prefill": False, "max_num_batched_tokens": longest}
    if len(cpus()) > SMALL_MACHINE:
        return chunks
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    return chunks | {"distributed_executor_backend": UniProcExecutor}


class Placement:
    """On a machine with two CPUs: one for vLLM's core, the other for the thread that drives it."""

    def __init__(self) -> None:
        self._all = cpus() if current_platform.is_cpu() and len(cpus()) == SMALL_MACHINE else set[int]()

    @contextlib.contextmanager
    def core(self) -> Iterator[None]:
        """Processes that are started meanwhile get the first CPU; afterwards this thread has the other."""
        if not self._all:
            yield
            return
        first = {min(self._all)}
        os.sched_setaffinity(0, first)
        try:
            yield
        finally:
            os.sched_setaffinity(0, self._all - first)

    def give_back(self) -> None:
        """This thread may run on both again."""
        if self._all:
            os.sched_setaffinity(0, self._all)
