"""Whether a failed or postponed run is tried again, and when. Pure; the caller writes the decision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_FAILURES = 3
FIRST_DELAY_SECONDS = 2.0
LONGEST_DELAY_SECONDS = 60.0
POSTPONED_SECONDS = 10.0
LONGEST_POSTPONEMENT_SECONDS = 600.0
TRANSIENT = frozenset({"engine_failed", "engine_timeout", "run_deadline"})


@dataclass(frozen=True)
class Failure:
    """Why a run failed: a job error code of the contract, and one sentence for the client.

    `final`: the same request would fail again, whatever its code says.
    """

    code: str
    message: str
    final: bool = False

    def as_error(self, retryable: bool) -> dict[str, Any]:
        """The `error` of the job; `retryable`: the same request may succeed another time."""
        return {"code": self.code, "message": self.message, "retryable": retryable}


@dataclass(frozen=True)
class Retry:
    """Run it again after this many seconds."""

    after_seconds: float


@dataclass(frozen=True)
class GiveUp:
    """End it with this error."""

    error: dict[str, Any]


def after_failure(failures: int, failure: Failure, draw: float) -> Retry | GiveUp:
    """Decide for a job that has failed `failures` times before; `draw` in [0, 1) spreads the retries.

    Transient failures are tried again after 2 s * 2^n, at most 60 s, less up to half of it at random
    ("equal jitter", M. Brooker, "Exponential Backoff And Jitter", 2015); others end at once.
    """
    transient = failure.code in TRANSIENT and not failure.final
    if not transient or failures + 1 >= MAX_FAILURES:
        return GiveUp(failure.as_error(retryable=transient))
    delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**failures)
    return Retry(delay * (0.5 + draw / 2))


def after_postponement(
    after_seconds: float | None, left_seconds: float, failure: Failure, draw: float
) -> Retry | GiveUp:
    """Decide for a job whose engine took no call, which is counted as no failure: run it again in
    `after_seconds` (None: 10 s), or end it with `failure` if that is later than its queue deadline, in
    `left_seconds`.

    Up to a tenth is added at random, so that such jobs do not all come back at once.
    """
    asked = POSTPONED_SECONDS if after_seconds is None else max(FIRST_DELAY_SECONDS, after_seconds)
    delay = min(LONGEST_POSTPONEMENT_SECONDS, asked) * (1 + draw / 10)
    return GiveUp(failure.as_error(retryable=True)) if delay > left_seconds else Retry(delay)


WORKER_LOST = Failure("worker_lost", "The workers that ran this job died each time.")
QUEUE_DEADLINE = Failure("queue_deadline", "The job was not started within its queue_seconds.")
RUN_DEADLINE = Failure("run_deadline", "The run did not end within its run_seconds.")
