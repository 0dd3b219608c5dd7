"""What CPU time a machine's processes take, by name."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Mapping

import psutil

VLLM = "VLLM::"
"""How vLLM names the processes in which it schedules and computes."""


def cpu_seconds(processes: Mapping[str, int]) -> dict[str, float]:
    """CPU seconds so far of each of these processes and, but for this one, of its children.

    What belongs to vLLM's core is counted apart.
    """
    spent: dict[str, float] = defaultdict(float)
    for name, pid in processes.items():
        root = psutil.Process(pid)
        children = [] if pid == os.getpid() else root.children(recursive=True)
        for process in [root, *children]:
            try:
                core = any(word.startswith(VLLM) for word in [process.name(), *process.cmdline()])
                times = process.cpu_times()
            except psutil.NoSuchProcess:
                continue
            spent[f"{name}: core" if core else name] += times.user + times.system
    return spent
