"""Moving averages of a model's arrivals and run times, and the recent peak of workers needed. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

ARRIVALS_SECONDS = 120.0
"""Time constant of the exponential moving average of arrivals. For a Poisson stream of one job in 5 s its
relative standard error is 14 %: sqrt(1 / (2 * rate * constant)). A sudden load needs no shorter constant,
because queued jobs count at once."""
QUIET_SECONDS = 60.0
"""After so long without an arrival the rate is 0."""
HALF_LIFE_JOBS = 50.0
"""Half-life of the means over jobs: the last 50 jobs weigh as much as all earlier ones together."""
FIRST_TOKENS, FIRST_SECONDS = 4096.0, 10.0
"""Assumed tokens and run time of a job, before any has been measured."""
BUCKETS = 20
Peaks = tuple[tuple[float, int], ...]
"""Intervals, oldest first: (seconds since its beginning, the most workers needed in it)."""


@dataclass(frozen=True)
class Observed:
    """Counts and sums over the model's jobs that arrived or succeeded since the last measurement.

    `arrived` is not whole if it was extrapolated from a part of the events.
    """

    arrived: float = 0.0
    arrived_tokens: float = 0.0
    succeeded: int = 0
    run_seconds: float = 0.0
    run_tokens: float = 0.0


@dataclass(frozen=True)
class Rates:
    """`tokens_per_job`: mean of arriving jobs. `run_seconds`, `run_tokens`: means of jobs that succeeded.

    Tokens are always the estimates of `jobs.tokens`. None: not measured yet. `quiet_seconds`: time since the
    last arrival. `slots_per_worker`: mean of the live workers; the last known value while there are none.
    """

    arrivals_per_second: float = 0.0
    quiet_seconds: float = 0.0
    tokens_per_job: float | None = None
    run_seconds: float | None = None
    run_tokens: float | None = None
    slots_per_worker: float | None = None
    peaks: Peaks = ()

    @property
    def peak(self) -> int:
        """The most workers that were needed in the last `scale_in_seconds`."""
        return max((most for _, most in self.peaks), default=0)

    def service_seconds(self, tokens: float | None) -> float:
        """Expected run time of a job of `tokens` tokens; None: of a job of mean size."""
        if not self.run_seconds or not self.run_tokens:
            return FIRST_SECONDS * (tokens or FIRST_TOKENS) / FIRST_TOKENS
        return self.run_seconds * (tokens or self.run_tokens) / self.run_tokens

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Rates:
        """Parse the JSON of `stored`: missing fields get their defaults, unknown ones are ignored."""
        known = {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
        return cls(**known | {"peaks": tuple((age, most) for age, most in stored.get("peaks", ()))})

    def stored(self) -> dict[str, Any]:
        """As a dict for JSON, to be parsed by `read`."""
        return asdict(self)


def next_rates(rates: Rates, observed: Observed, elapsed: float, slots_per_worker: float | None) -> Rates:
    """The rates after the next `elapsed` seconds. `slots_per_worker`: None without a live worker."""
    kept = math.exp(-elapsed / ARRIVALS_SECONDS)
    gained = (1 - kept) / elapsed if elapsed > 0 else 1 / ARRIVALS_SECONDS
    quiet = 0.0 if observed.arrived else rates.quiet_seconds + elapsed
    arrivals = rates.arrivals_per_second * kept + observed.arrived * gained
    return replace(
        rates,
        arrivals_per_second=0.0 if quiet >= QUIET_SECONDS else arrivals,
        quiet_seconds=min(quiet, QUIET_SECONDS),
        tokens_per_job=_mean(rates.tokens_per_job, observed.arrived_tokens, observed.arrived),
        run_seconds=_mean(rates.run_seconds, observed.run_seconds, observed.succeeded),
        run_tokens=_mean(rates.run_tokens, observed.run_tokens, observed.succeeded),
        slots_per_worker=slots_per_worker or rates.slots_per_worker,
    )


def _mean(before: float | None, total: float, jobs: float) -> float | None:
    """Update a moving mean with `jobs` jobs, the sum of whose values is `total`."""
    if not jobs:
        return before
    if before is None:
        return total / jobs
    kept = math.pow(0.5, jobs / HALF_LIFE_JOBS)
    return before * kept + (total / jobs) * (1 - kept)


def with_need(rates: Rates, needed: int, elapsed: float, scale_in_seconds: float) -> Rates:
    """Add `needed` to the peaks, and drop those older than `scale_in_seconds` (and up to a twentieth more).

    Only the maximum of each twentieth of that time is kept, so the state stays small.
    """
    width = scale_in_seconds / BUCKETS
    aged = [(round(age + elapsed, 2), most) for age, most in rates.peaks]
    kept = [(age, most) for age, most in aged if age < scale_in_seconds + width]
    if kept and kept[-1][0] < width:
        age, most = kept.pop()
        return replace(rates, peaks=(*kept, (age, max(most, needed))))
    return replace(rates, peaks=(*kept, (0.0, needed)))
