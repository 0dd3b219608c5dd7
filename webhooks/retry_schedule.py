"""Whether a delivery is attempted again, and when. Pure."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from dataclasses import dataclass

from base.retry_after import retry_after_seconds
from webhooks.sender import Attempt

SCHEDULE_SECONDS = (5.0, 300.0, 1800.0, 7200.0, 18_000.0, 36_000.0, 50_400.0, 72_000.0, 86_400.0)
"""The pauses after each attempt: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h."""


@dataclass(frozen=True)
class NextAttempt:
    """There is another attempt, after this many seconds."""

    after_seconds: float


@dataclass(frozen=True)
class Ended:
    """There is no further attempt; `state` is `delivered` or `failed`."""

    state: str


def after_attempt(
    attempts: int,
    attempt: Attempt,
    draw: float,
    now: datetime.datetime,
    schedule_seconds: Sequence[float] = SCHEDULE_SECONDS,
) -> NextAttempt | Ended:
    """Decide after an attempt that has `attempts` before it; `draw` in [0, 1) varies the pause by +-20 %."""
    if attempt.delivered:
        return Ended("delivered")
    if attempt.status == 410 or attempts >= len(schedule_seconds):
        return Ended("failed")
    planned = schedule_seconds[attempts] * (0.8 + 0.4 * draw)
    return NextAttempt(max(planned, retry_after_seconds(attempt.retry_after, now)))
