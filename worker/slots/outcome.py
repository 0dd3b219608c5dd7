"""The outcome of a run: a post, a failure, a postponement, or that it was stopped."""

from __future__ import annotations

import random
from dataclasses import dataclass

import structlog

from jobs.retry_policy import Failure, GiveUp, Retry, after_failure, after_postponement
from til.request import TilRequest
from worker.engines import (
    AnswerWithheld,
    EngineBusy,
    EngineFailed,
    EngineRefused,
    EngineTimeout,
    InputTooLarge,
)
from worker.writing.schema import InvalidOutput
from worker.writing.write import Post

log = structlog.get_logger()


@dataclass(frozen=True)
class Stopped:
    """The run was stopped from outside: cancelled, lost or drained."""


@dataclass(frozen=True)
class Postponed:
    """The engine took no call; `failure` ends the job if it would wait beyond its queue deadline."""

    after_seconds: float | None
    failure: Failure


Outcome = Post | Failure | Stopped | Postponed
UNWRITABLE = Failure("engine_failed", "What the run wrote can't be stored.")


def wants_progress(request: TilRequest) -> bool:
    """Whether the job's webhook asks for its progress."""
    return request.webhook is not None and "progress" in request.webhook.events


FAILURES: dict[type[BaseException], str] = {
    EngineFailed: "engine_failed",
    EngineTimeout: "engine_timeout",
    EngineRefused: "engine_failed",
    AnswerWithheld: "invalid_output",
    InputTooLarge: "input_too_large",
    InvalidOutput: "invalid_output",
}


def outcome_of_error(error: BaseException) -> Failure | Postponed:
    """The outcome of a run that raised. An unexpected error counts as a failure too, so that retries end."""
    said = getattr(error, "said", "") or getattr(error, "why", "")
    if isinstance(error, EngineBusy):
        log.warning("run_postponed", reason=str(error), said=said, seconds=error.after_seconds)
        return Postponed(error.after_seconds, Failure("engine_failed", str(error)))
    code = FAILURES.get(type(error))
    if code is None:
        log.error("run_crashed", exc_info=error)
        return Failure("engine_failed", "The run ended unexpectedly.")
    log.warning("run_failed", code=code, reason=str(error), said=said, cause=repr(error.__cause__)[:300])
    return Failure(code, str(error), final=isinstance(error, EngineRefused))


def decision(outcome: Failure | Postponed, failures: int, patience_seconds: float) -> Retry | GiveUp:
    """Decide for a job that has failed `failures` times before; `patience_seconds` to its queue deadline."""
    draw = random.random()  # noqa: S311
    if isinstance(outcome, Failure):
        return after_failure(failures, outcome, draw)
    return after_postponement(outcome.after_seconds, patience_seconds, outcome.failure, draw)
