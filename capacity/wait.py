"""The expected wait of a queued job, from its position and the queue depth of its model. Pure."""

from __future__ import annotations

import math

from capacity.model_depth import ModelDepth


def estimate(position: int | None, depth: ModelDepth | None) -> dict[str, int] | None:
    """Seconds until the job at this position starts: `low_seconds` to `high_seconds`. None: unknown.

    Each slot starts one job per mean run time; the bounds allow for 50 % more or less.
    """
    if position is None or depth is None or not depth.slots or depth.mean_run_seconds is None:
        return None
    free = max(0, depth.slots - depth.running)
    rounds = math.ceil(max(0, position - free) / depth.slots)
    mean = depth.mean_run_seconds
    low, high = math.floor(rounds * mean * 0.5), math.ceil((rounds + 1) * mean * 1.5)
    return {"low_seconds": low, "high_seconds": high}
