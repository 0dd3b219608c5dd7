"""How fast jobs of a model come and are served, exponentially weighted, and what was needed lately. Pure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

ARRIVALS_SECONDS = 120.0
"""Time constant of the rate of arrivals: a Poisson stream of one job in 5 s is read with a standard error of
14 % (the square root of 1 / (2 * rate * constant)). A sudden load needs no faster one: what waits counts at
once."""
QUIET_SECONDS = 60.0
"""Without an arrival for so long, none are expected."""
HALF_LIFE_JOBS = 50.0
"""Of the means over jobs: the last so many weigh as much as all that came before."""
FIRST_TOKENS, FIRST_SECONDS = 4096.0, 10.0
"""A job, before any has been measured."""
BUCKETS = 20
Peaks = tuple[tuple[float, int], ...]
"""Age in seconds of the beginning of an interval, and the most workers needed in it; the oldest first."""


@dataclass(frozen=True)
class Seen:
    """What happened to the model's jobs between two looks. Sums over the jobs that arrived or succeeded.

    `arrived` is a fraction where only some of the events were read.
    """

    arrived: float = 0.0
    arrived_tokens: float = 0.0
    succeeded: int = 0
    run_seconds: float = 0.0
    run_tokens: float = 0.0


@dataclass(frozen=True)
class Rates:
    """`tokens_per_job`: of those that arrive; `run_seconds`, `run_tokens`: means of those that succeeded.

    Tokens are the estimates of `jobs.tokens` throughout. None: never measured. `quiet_seconds`: since the
    last arrival. `slots_per_worker`: the mean of the live workers, as last seen.
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
        """Seconds that a job of so many tokens takes in its slot; None: a job of the usual size."""
        if not self.run_seconds or not self.run_tokens:
            return FIRST_SECONDS * (tokens or FIRST_TOKENS) / FIRST_TOKENS
        return self.run_seconds * (tokens or self.run_tokens) / self.run_tokens

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Rates:
        """From JSON; what is not there is as at the beginning, what is not known is left out."""
        known = {field.name: stored[field.name] for field in fields(cls) if field.name in stored}
        return cls(**known | {"peaks": tuple((age, most) for age, most in stored.get("peaks", ()))})

    def stored(self) -> dict[str, Any]:
        """As JSON that `read` takes."""
        return asdict(self)


def next_rates(rates: Rates, seen: Seen, elapsed: float, slots_per_worker: float | None) -> Rates:
    """The rates after what was seen in `elapsed` seconds. `slots_per_worker`: None without a live worker."""
    kept = math.exp(-elapsed / ARRIVALS_SECONDS)
    gained = (1 - kept) / elapsed if elapsed > 0 else 1 / ARRIVALS_SECONDS
    quiet = 0.0 if seen.arrived else rates.quiet_seconds + elapsed
    arrivals = rates.arrivals_per_second * kept + seen.arrived * gained
    return replace(
        rates,
        arrivals_per_second=0.0 if quiet >= QUIET_SECONDS else arrivals,
        quiet_seconds=min(quiet, QUIET_SECONDS),
        tokens_per_job=_mean(rates.tokens_per_job, seen.arrived_tokens, seen.arrived),
        run_seconds=_mean(rates.run_seconds, seen.run_seconds, seen.succeeded),
        run_tokens=_mean(rates.run_tokens, seen.run_tokens, seen.succeeded),
        slots_per_worker=slots_per_worker or rates.slots_per_worker,
    )


def _mean(before: float | None, total: float, jobs: float) -> float | None:
    """The mean that counts so many jobs more, whose sum is `total`."""
    if not jobs:
        return before
    if before is None:
        return total / jobs
    kept = math.pow(0.5, jobs / HALF_LIFE_JOBS)
    return before * kept + (total / jobs) * (1 - kept)


def with_need(rates: Rates, needed: int, elapsed: float, scale_in_seconds: float) -> Rates:
    """Remember what is needed now, for `scale_in_seconds` and up to a twentieth more; forget what is older.

    Of each twentieth only the most is kept, so the memory is bounded.
    """
    width = scale_in_seconds / BUCKETS
    aged = [(round(age + elapsed, 2), most) for age, most in rates.peaks]
    kept = [(age, most) for age, most in aged if age < scale_in_seconds + width]
    if kept and kept[-1][0] < width:
        age, most = kept.pop()
        return replace(rates, peaks=(*kept, (age, max(most, needed))))
    return replace(rates, peaks=(*kept, (0.0, needed)))
