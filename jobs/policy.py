"""What to do after a failed or a lost run, decided purely; the caller then writes it once."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_FAILURES = 3
FIRST_DELAY_SECONDS = 2.0
LONGEST_DELAY_SECONDS = 60.0
SCHEDULE_SECONDS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""Webhooks, after the first attempt: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""
TRANSIENT = frozenset({"engine_failed", "engine_timeout", "run_deadline"})


@dataclass(frozen=True)
class Failure:
    """Why a run failed: a job error code of the contract, and one sentence for the client."""

    code: str
    message: str

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
    transient = failure.code in TRANSIENT
    if not transient or failures + 1 >= MAX_FAILURES:
        return GiveUp(failure.as_error(retryable=transient))
    delay = min(LONGEST_DELAY_SECONDS, FIRST_DELAY_SECONDS * 2**failures)
    return Retry(delay * (0.5 + draw / 2))


WORKER_LOST = Failure("worker_lost", "The workers that ran this job died each time.")
QUEUE_DEADLINE = Failure("queue_deadline", "The job was not started within its queue_seconds.")
RUN_DEADLINE = Failure("run_deadline", "The run did not end within its run_seconds.")
