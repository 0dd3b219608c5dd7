"""What came of a run: a post, a failure by its code, or that it was stopped."""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from jobs.policy import Failure
from jobs.request import TilRequest
from worker.engines import EngineFailed, EngineTimeout
from worker.prompt import InputTooLarge
from worker.schema import InvalidOutput
from worker.write import Post

log = structlog.get_logger()


@dataclass(frozen=True)
class Stopped:
    """The writing was ended from outside: cancelled, lost or drained."""


Outcome = Post | Failure | Stopped
UNWRITABLE = Failure("engine_failed", "What the run wrote can't be stored.")


def wants_progress(request: TilRequest) -> bool:
    """Whether the job's webhook asks for its progress."""
    return request.webhook is not None and "progress" in request.webhook.events


FAILURES: dict[type[BaseException], str] = {
    EngineFailed: "engine_failed",
    EngineTimeout: "engine_timeout",
    InputTooLarge: "input_too_large",
    InvalidOutput: "invalid_output",
}


def why_it_failed(error: BaseException) -> Failure:
    """The job error of an expected failure; a bug is charged as one too, or the job would run for ever."""
    code = FAILURES.get(type(error))
    if code is None:
        log.error("run_crashed", exc_info=error)
        return Failure("engine_failed", "The run ended unexpectedly.")
    log.warning("run_failed", code=code, reason=str(error), cause=repr(error.__cause__)[:300])
    return Failure(code, str(error))
