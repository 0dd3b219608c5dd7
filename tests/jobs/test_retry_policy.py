"""The decisions after a failed run or an attempt to deliver, as pure functions."""

from __future__ import annotations

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from base.retry_after import retry_after_seconds
from jobs.retry_policy import LONGEST_DELAY_SECONDS, Failure, GiveUp, Retry, after_failure, after_postponement
from webhooks.retry_schedule import SCHEDULE_SECONDS, Ended, NextAttempt, after_attempt
from webhooks.sender import Attempt

NOW = datetime.datetime(2025, 4, 24, tzinfo=datetime.UTC)
DRAWS = st.floats(0, 1, exclude_max=True)


@given(DRAWS, st.integers(0, 1))
def test_a_transient_failure_is_tried_again_three_times_in_all(draw: float, failures: int) -> None:
    decision = after_failure(failures, Failure("engine_failed", "m"), draw)
    assert isinstance(decision, Retry)
    assert 2**failures <= decision.after_seconds <= min(LONGEST_DELAY_SECONDS, 2 * 2**failures)
    last = after_failure(2, Failure("engine_failed", "m"), draw)
    assert last == GiveUp({"code": "engine_failed", "message": "m", "retryable": True})


@pytest.mark.parametrize("code", ["input_too_large", "invalid_output"])
def test_a_permanent_failure_ends_at_once(code: str) -> None:
    assert after_failure(0, Failure(code, "m"), 0.5) == GiveUp(
        {"code": code, "message": "m", "retryable": False}
    )


def test_a_failure_that_is_final_is_not_tried_again() -> None:
    failure = Failure("engine_failed", "m", final=True)
    assert after_failure(0, failure, 0.5) == GiveUp(failure.as_error(retryable=False))


@given(DRAWS, st.none() | st.floats(0, 10**6), st.floats(-10, 10**6))
def test_a_job_that_no_engine_takes_is_put_off_until_its_queue_deadline(
    draw: float, after: float | None, left: float
) -> None:
    failure = Failure("engine_failed", "m")
    decision = after_postponement(after, left, failure, draw)
    if isinstance(decision, Retry):
        assert min(after or 0, 600) <= decision.after_seconds <= min(left, 660)
    else:
        assert decision == GiveUp(failure.as_error(retryable=True))
        assert left < 1.1 * max(10, min(after or 0, 600))


@given(DRAWS, st.integers(0, len(SCHEDULE_SECONDS) - 1))
def test_a_refused_webhook_follows_the_schedule(draw: float, attempts: int) -> None:
    decision = after_attempt(attempts, Attempt(5, status=500), draw, NOW)
    assert isinstance(decision, NextAttempt)
    planned = SCHEDULE_SECONDS[attempts]
    assert 0.8 * planned <= decision.after_seconds <= 1.2 * planned


def test_a_webhook_ends_delivered_gone_or_out_of_attempts() -> None:
    assert after_attempt(0, Attempt(5, status=204), 0.5, NOW) == Ended("delivered")
    assert after_attempt(0, Attempt(5, status=410), 0.5, NOW) == Ended("failed")
    assert after_attempt(9, Attempt(5, error="timeout"), 0.5, NOW) == Ended("failed")
    assert isinstance(after_attempt(0, Attempt(5, status=302), 0.5, NOW), NextAttempt)


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("120", 120.0),
        ("Thu, 24 Apr 2025 00:01:00 GMT", 60.0),
        ("99999999999999999999999", 86_400.0),
        ("Wed, 23 Apr 2025 00:00:00 GMT", 0.0),
        ("soon", 0.0),
        ("-5", 0.0),
        (None, 0.0),
    ],
)
def test_retry_after_is_honoured_within_bounds(value: str | None, seconds: float) -> None:
    assert retry_after_seconds(value, NOW) == seconds
