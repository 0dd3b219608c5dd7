"""How many workers of one model the load asks for. Pure: no clock, no database.

The steward computes it each second and stores it with what it was computed from (`figures.scaling`), so that
every process shows the same number, and any of them can compute it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from capacity.model_depth import ModelDepth
from capacity.rates import Rates


@dataclass(frozen=True)
class ScalingSettings:
    """What the operator says about scaling, for each model alike.

    `cold_start_seconds` (D): from the wish for a worker until it claims. `drain_seconds` (T): what waits
    should be worked off in so long. `target_load` (rho): the part of all slots that should be busy, above 0.
    `slots_per_worker` (C): until a worker of the model has been seen. `scale_in_seconds`: fewer workers are
    asked for once no more have been needed for so long.
    """

    cold_start_seconds: float = 180.0
    drain_seconds: float = 300.0
    target_load: float = 0.8
    slots_per_worker: int = 30
    scale_in_seconds: float = 300.0
    workers_min: int = 0
    workers_max: int = 100


def desired_workers(depth: ModelDepth, rates: Rates, settings: ScalingSettings) -> int:
    """The number of workers to run now.

    At least what was needed at any time in the last `scale_in_seconds` (`rates.peak`), within the bounds; and
    never fewer than the jobs that run need, whatever the bounds: what runs would be ended.
    """
    wanted = max(needed_workers(depth, rates, settings), rates.peak)
    within = min(max(wanted, settings.workers_min), settings.workers_max)
    return max(within, math.ceil(depth.running / slots_of(rates, settings)))


def needed_workers(depth: ModelDepth, rates: Rates, settings: ScalingSettings) -> int:
    """What the load of this moment needs, without bounds or memory:

    max( ceil(running / C), ceil( (lambda * S + (Q * S' + lambda * D * S) / T) / (rho * C) ), 1 )

    S and S' are the seconds of service of a job that arrives and of one that waits: seconds per token,
    measured, times their tokens. lambda * S is the number of slots that the arrivals keep busy (Little's
    law); Q jobs that wait, and those that arrive during a cold start, are worked off in T. 0 when nothing
    waits, runs or arrives.
    """
    if not depth.due and not depth.running and not rates.arrivals_per_second:
        return 0
    arriving = rates.arrivals_per_second * rates.service_seconds(rates.tokens_per_job)
    waiting = depth.due * rates.service_seconds(depth.tokens_per_job or rates.tokens_per_job)
    slots = arriving + (waiting + arriving * settings.cold_start_seconds) / settings.drain_seconds
    per_worker = slots_of(rates, settings)
    busy = math.ceil(slots / (settings.target_load * per_worker))
    return max(1, busy, math.ceil(depth.running / per_worker))


def slots_of(rates: Rates, settings: ScalingSettings) -> float:
    """C: the slots of one worker of this model, as last seen; before that, the setting."""
    return rates.slots_per_worker or settings.slots_per_worker
