"""How long a queued job will wait, from its position and the depth of the queue. Pure."""

from __future__ import annotations

import math

from capacity.queue_depth import Figures


def estimate(position: int | None, figures: Figures | None) -> dict[str, int] | None:
    """Seconds until this place is served: rounds of all slots times the mean run. None: unknown."""
    if position is None or figures is None or not figures.slots or figures.mean_run_seconds is None:
        return None
    free = max(0, figures.slots - figures.running)
    rounds = math.ceil(max(0, position - free) / figures.slots)
    mean = figures.mean_run_seconds
    low, high = math.floor(rounds * mean * 0.5), math.ceil((rounds + 1) * mean * 1.5)
    return {"low_seconds": low, "high_seconds": high}
