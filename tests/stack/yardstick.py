"""Measures how fast this machine is now, so that limits of CPU time hold on slower machines too."""

from __future__ import annotations

import json
import time
from collections.abc import Callable

REFERENCE_MILLISECONDS = 1.2
"""What the yardstick takes on the machine for which the limits are meant: one core of a Xeon of 2023."""
TEXT = "".join(f"+    value_{number} = table[{number}] * {number % 7}\n" for number in range(4000))


def cpu_milliseconds(work: Callable[[], object]) -> float:
    """CPU time of this thread for one call of `work`."""
    began = time.thread_time()
    work()
    return (time.thread_time() - began) * 1000


def best_on_reference(work: Callable[[], object], rounds: int) -> float:
    """The least CPU time of `work` in milliseconds, scaled to the reference if this machine is slower."""
    pairs = [(cpu_milliseconds(work), cpu_milliseconds(_yardstick)) for _ in range(rounds)]
    taken, stick = min(pair[0] for pair in pairs), min(pair[1] for pair in pairs)
    return taken / max(1.0, stick / REFERENCE_MILLISECONDS)


def _yardstick() -> int:
    """Typical work: text is split, measured and written as JSON."""
    lines = TEXT.splitlines()
    return sum(len(line.split("=")[0]) for line in lines) + len(json.dumps(lines))
