"""The desired number of workers of one model. Pure: no clock, no database.

The steward computes it each second and stores it together with its inputs (`figures.scaling`), so that every
process exports the same number and can compute it again.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from capacity.model_depth import ModelDepth
from capacity.rates import Rates


@dataclass(frozen=True)
class ScalingSettings:
    """The operator's settings for scaling, the same for each model.

    `cold_start_seconds` (D): from the decision to add a worker until it claims jobs. `drain_seconds` (T): the
    time in which the queue should be worked off. `target_load` (rho): the share of slots that should be busy,
    above 0 and at most 1. `slots_per_worker` (C): used until a worker of the model has registered.
    `scale_in_seconds`: stabilisation window; `desired` falls only after so long without a higher need.
    """

    cold_start_seconds: float = 180.0
    drain_seconds: float = 300.0
    target_load: float = 0.8
    slots_per_worker: int = 30
    scale_in_seconds: float = 300.0
    workers_min: int = 0
    workers_max: int = 100


def desired_workers(depth: ModelDepth, rates: Rates, settings: ScalingSettings) -> int:
    """The desired number of workers.

    The most that were needed at any time in the last `scale_in_seconds` (`rates.peak`), within the bounds.
    Never fewer than the running jobs occupy, whatever the bounds: a scale-in would interrupt them.
    """
    wanted = max(needed_workers(depth, rates, settings), rates.peak)
    within = min(max(wanted, settings.workers_min), settings.workers_max)
    return max(within, math.ceil(depth.running / slots_of(rates, settings)))


def needed_workers(depth: ModelDepth, rates: Rates, settings: ScalingSettings) -> int:
    """The number of workers that the present load needs, without bounds and stabilisation:

    max( ceil(running / C), ceil( (lambda * S + (Q * S' + lambda * D * S) / T) / (rho * C) ), 1 )

    Q: queued jobs that are due. lambda: arrivals per second. S, S': service seconds of an arriving and of a
    queued job, which are the measured seconds per token times its tokens. lambda * S slots are kept busy by
    the arrivals (Little's law); the queue, and the jobs that arrive during a cold start, are worked off in T.
    0 if no job is due, running or arriving.
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
    """C: the last known slots per worker of this model; the setting until one has registered."""
    return rates.slots_per_worker or settings.slots_per_worker
